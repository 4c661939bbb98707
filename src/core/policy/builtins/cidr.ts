import { EvaluationHalt } from '../abort.ts';
import { BuiltinError, stringArg, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { arr, bool, num, str } from '../term.ts';
import type { Term } from '../term.ts';
import { mergeNetworks } from './cidr-merge.ts';
import { ipText, readIp } from './ip-text.ts';
import { contains, ipv4Of, lastOf, networkText, parseCidr } from './network.ts';
import type { Network } from './network.ts';

/** Steps of comparing two networks that are written as text. */
const PAIR_STEPS = 40_000;
/** Steps of writing one address. */
const ADDRESS_STEPS = 10_000;
/** Networks with more bits of hosts are not expanded: the result could not be given. */
const MAX_HOST_BITS = 20;

/** `net.cidr_contains_matches`: pairs of indexes of the networks and of what they contain. */
function containsMatches(args: readonly Term[], context: BuiltinContext): Term {
  const pairs: Term[] = [];
  for (const [index, cidr] of networksOf(args[0])) {
    for (const [otherIndex, other] of networksOf(args[1])) {
      context.charge(PAIR_STEPS);
      if (cidrContains(stringArg([cidr], 0), stringArg([other], 0))) pairs.push(arr([index, otherIndex]));
    }
  }
  return { kind: 'set', items: pairs };
}

/** What an operand names, each with its index: a string itself, elements by position, members by themselves, values by key. */
function networksOf(term: Term | undefined): (readonly [Term, Term])[] {
  if (term?.kind === 'string') return [[term, term]];
  if (term?.kind === 'array') return term.items.map((item, index) => [num(index), firstOf(item)]);
  if (term?.kind === 'set') return term.items.map((item) => [item, firstOf(item)]);
  if (term?.kind === 'object') return term.entries.map(([key, value]) => [key, firstOf(value)]);
  return [];
}

/** A string, or the first element of an array that says more. */
function firstOf(term: Term): Term {
  const first = term.kind === 'array' ? term.items[0] : term;
  if (first === undefined || (term.kind !== 'array' && term.kind !== 'string'))
    throw new BuiltinError('element must be string or non-empty array');
  return first;
}

/** As `net.cidr_contains`, which OPA compiles into the module. */
function cidrContains(text: string, other: string): boolean {
  const network = cidrOf(text);
  const address = readIp(other);
  if (address !== undefined) return contains(network, Uint8Array.from(address));
  const part = cidrOf(other);
  if (isIpv6(network) && isIpv6(part)) return network.prefix <= part.prefix && covers(network, part);
  return contains(network, part.address) && contains(network, lastOf(part));
}

/** By prefix: an IPv6 network that ends among the IPv4 addresses in IPv6 form contains itself. */
function covers(network: Network, part: Network): boolean {
  const last = lastOf(network);
  return part.address.every((byte, index) => byte >= (network.address[index] ?? 0) && byte <= (last[index] ?? 0));
}

function isIpv6({ address }: Network): boolean {
  return ipv4Of(address) === undefined;
}

function cidrOf(text: string): Network {
  const network = parseCidr(text);
  if (network === undefined) throw new BuiltinError(`invalid CIDR address: ${text.slice(0, 60)}`);
  return network;
}

/** `net.cidr_expand`: every address of a network. */
function expand(args: readonly Term[], context: BuiltinContext): Term {
  const network = cidrOf(stringArg(args, 0));
  const bits = network.address.length * 8 - network.prefix;
  if (bits > MAX_HOST_BITS) throw new EvaluationHalt('policy_memory_exceeded', 'the network has too many addresses');
  context.charge(2 ** bits * ADDRESS_STEPS);
  const address = network.address.slice();
  return {
    kind: 'set',
    items: Array.from({ length: 2 ** bits }, () => {
      const text = str(ipText(address));
      increment(address);
      return text;
    }),
  };
}

function increment(bytes: Uint8Array): void {
  for (let index = bytes.length - 1; index >= 0; index -= 1) {
    bytes[index] = (bytes[index] ?? 0) + 1;
    if (bytes[index] !== 0) return;
  }
}

/** `net.cidr_merge`: the fewest networks for all addresses; an IPv4 address stands for the network of its class. */
function merge(args: readonly Term[], context: BuiltinContext): Term {
  const operand = args[0];
  if (operand?.kind !== 'array' && operand?.kind !== 'set') throw wrongType(0, 'array', operand);
  const networks = operand.items.map((item) => mergeable(stringArg([item], 0)));
  context.charge(networks.length * PAIR_STEPS * Math.max(Math.log2(networks.length + 1), 1));
  const merged = mergeNetworks(networks);
  context.charge(merged.length * ADDRESS_STEPS);
  return { kind: 'set', items: merged.map((network) => str(networkText(network))) };
}

function mergeable(text: string): Network {
  const ip = readIp(text);
  if (ip !== undefined) {
    const address = ipv4Of(Uint8Array.from(ip));
    if (address === undefined) throw new BuiltinError('IPv6 invalid: needs prefix length');
    return { address, prefix: classPrefix(address[0] ?? 0) };
  }
  const network = cidrOf(text);
  if (network.address.length === 16 && !isIpv6(network))
    throw new BuiltinError('IPv4 networks in IPv6 form cannot be merged');
  return network;
}

/** Go's `IP.DefaultMask`: by the classes of RFC 791. */
function classPrefix(first: number): number {
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

/** Networks. */
export const CIDR_BUILTINS: Readonly<Record<string, Builtin>> = {
  'net.cidr_contains_matches': { arity: 2, call: containsMatches },
  'net.cidr_expand': { arity: 1, call: expand },
  'net.cidr_is_valid': {
    arity: 1,
    call: ([cidr]) => bool(cidr?.kind === 'string' && parseCidr(cidr.value) !== undefined),
  },
  'net.cidr_merge': { arity: 1, call: merge },
};
