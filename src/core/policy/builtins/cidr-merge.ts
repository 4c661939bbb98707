import { bigBytes, bigOf } from './go-bytes.ts';
import { lastOf } from './network.ts';
import type { Network } from './network.ts';

/** Addresses from `first` to `last`, as numbers of 128 bits; IPv4 in its IPv6 form. `network` is what they were written as, until they are merged. */
type Range = { readonly first: bigint; readonly last: bigint; readonly network: Network | undefined };

const MAPPED = 0xffffn << 32n;

/** Merges networks that touch or overlap, and gives the fewest networks for what comes out. What is not merged stays as it was written. */
export function mergeNetworks(networks: readonly Network[]): readonly Network[] {
  const ranges = networks.map(rangeOf).toSorted(byLast);
  for (let index = ranges.length - 1; index > 0; index -= 1) {
    const { first, last } = ranges[index] as Range;
    const before = ranges[index - 1] as Range;
    if (before.last < previous(first)) continue;
    const merged = { first: first < before.first ? first : before.first, last, network: undefined };
    ranges[index - 1] = merged;
    ranges.splice(index, 1);
  }
  return ranges.flatMap(({ first, last, network }) => (network === undefined ? cover(first, last) : [network]));
}

function rangeOf(network: Network): Range {
  const { address, prefix } = network;
  const hosts = (1n << BigInt(address.length * 8 - prefix)) - 1n;
  const number = numberOf(address);
  return { first: number - (number & hosts), last: numberOf(lastOf(network)), network };
}

function numberOf(bytes: Uint8Array): bigint {
  const value = bigOf(bytes);
  return bytes.length === 4 ? value | MAPPED : value;
}

/** The address before; there is none before the first of a family. */
function previous(address: bigint): bigint {
  return address === 0n || address === MAPPED ? address : address - 1n;
}

function byLast(a: Range, b: Range): number {
  const [x, y] = a.last === b.last ? [a.first, b.first] : [a.last, b.last];
  return x < y ? -1 : Number(x > y);
}

/** The fewest networks that hold the addresses from `first` to `last`. */
function cover(first: bigint, last: bigint): Network[] {
  const size = isMapped(first) && isMapped(last) ? 4 : 16;
  const networks: Network[] = [];
  for (let at = first; at <= last;) {
    let bits = 0;
    while (
      bits < size * 8 &&
      (at & ((1n << BigInt(bits + 1)) - 1n)) === 0n &&
      at + (1n << BigInt(bits + 1)) - 1n <= last
    )
      bits += 1;
    networks.push({ address: bigBytes(BigInt.asUintN(size * 8, at), size), prefix: size * 8 - bits });
    at += 1n << BigInt(bits);
  }
  return networks;
}

function isMapped(address: bigint): boolean {
  return address >> 32n === 0xffffn;
}
