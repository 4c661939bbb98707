import { err, ok, type Result } from '../kernel/result.ts';
import type { Destination } from '../model/destination.ts';
import { readAuthority } from '../request/authority.ts';

/** The destination of an authority, as a canonical request has it; undefined where none is configured. */
export type FindDestination = (authority: string) => Destination | undefined;

/** RFC 9110 section 4.2.1: an http authority without a port means this one. */
const DEFAULT_PORT = '80';

/**
 * Finds destinations by the authority that the agent names, in any case. Of several that fit the first of these is taken:
 *
 * 1. `host:port`: this host at this port. `host:80` is also the host without a port.
 * 2. `host`: this host, whatever the port.
 * 3. `*.suffix:port`, `*.suffix`: any name that ends in `.suffix`, at any depth; the suffix itself is not among them. The longest suffix is taken,
 *    of equal ones that with the port.
 *
 * There is no `*` alone: a host that nobody named is refused. A suffix never stands for addresses, and an address is the text it is: `[::1]` is not `[0::1]`.
 * Costs one look-up a label at most. Fails with everything that is wrong with the names: form, and two names that are the same.
 */
export function destinationsByName(all: readonly Destination[]): Result<FindDestination, readonly string[]> {
  const byName = new Map<string, Destination>();
  const problems: string[] = [];
  for (const destination of all) {
    const name = destination.name.toLowerCase();
    const problem = byName.has(name) ? 'is there twice' : nameProblem(name);
    if (problem === undefined) byName.set(name, destination);
    else problems.push(`destination ${JSON.stringify(destination.name)} ${problem}`);
  }
  if (problems.length > 0) return err(problems);
  const hasSuffixes = [...byName.keys()].some((name) => name.startsWith('*'));
  return ok((authority) => find(byName, hasSuffixes, authority.toLowerCase()));
}

function find(
  byName: ReadonlyMap<string, Destination>,
  hasSuffixes: boolean,
  authority: string,
): Destination | undefined {
  const end = endOfHost(authority);
  const host = authority.slice(0, end);
  const port = authority.slice(end + 1) || DEFAULT_PORT;
  const exact = byName.get(`${host}:${port}`) ?? byName.get(host);
  if (exact !== undefined || !hasSuffixes) return exact;
  for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
    const name = `*${host.slice(dot)}`;
    const found = byName.get(`${name}:${port}`) ?? byName.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Index of the colon before the port, or the length. */
function endOfHost(authority: string): number {
  const colon = authority.indexOf(':', authority.startsWith('[') ? authority.indexOf(']') : 0);
  return colon < 0 ? authority.length : colon;
}

/** A name that ends in a number is an IPv4 address or a mistake (WHATWG URL, "ends in a number checker"); one in brackets is an IPv6 address. */
function isAddress(host: string): boolean {
  const last = host.slice(host.lastIndexOf('.') + 1);
  return host.startsWith('[') || /^[0-9]+$/.test(last);
}

/** What is wrong with a name in lower case. */
function nameProblem(name: string): string | undefined {
  const isSuffix = name.startsWith('*.');
  const authority = isSuffix ? name.slice(2) : name;
  if (typeof readAuthority(authority) !== 'string') return 'is no host, host:port or *.suffix';
  const isSound = !isSuffix || !isAddress(authority.slice(0, endOfHost(authority)));
  return isSound ? undefined : 'is a suffix of an address; a suffix is of names';
}
