import { ipText, readIp } from './ip-text.ts';

/** A network: its first address, of 4 bytes where that is how it was written, and the length of its prefix in bits. */
export type Network = { readonly address: Uint8Array; readonly prefix: number };

const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Reads `address/prefix` as Go's `net.ParseCIDR` does; the address, without what the prefix cuts off. */
export function parseCidr(text: string): Network | undefined {
  const cut = text.indexOf('/');
  const address = cut < 0 ? undefined : readIp(text.slice(0, cut));
  const length = text.slice(cut + 1);
  if (address === undefined || !/^[0-9]+$/.test(length)) return undefined;
  const prefix = Number(length);
  if (prefix > address.length * 8) return undefined;
  return { address: masked(Uint8Array.from(address), prefix), prefix };
}

function masked(bytes: Uint8Array, prefix: number): Uint8Array {
  return bytes.map((byte, index) => byte & maskByte(prefix, index));
}

function maskByte(prefix: number, index: number): number {
  return (0xff00 >> Math.min(Math.max(prefix - index * 8, 0), 8)) & 0xff;
}

/** The 4 bytes of an IPv4 address in either form. */
export function ipv4Of(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length === 4) return bytes;
  return MAPPED_PREFIX.every((byte, index) => bytes[index] === byte) ? bytes.subarray(12) : undefined;
}

/** A network with its address in the short form, as Go compares and prints it. */
export function shortForm(network: Network): Network {
  const address = ipv4Of(network.address);
  if (address === undefined || network.address.length === 4) return network;
  return { address, prefix: Math.max(network.prefix - 96, 0) };
}

/** Go's `IPNet.Contains`: IPv4 in either form is in IPv4 networks only. */
export function contains(network: Network, bytes: Uint8Array): boolean {
  const { address, prefix } = shortForm(network);
  const other = ipv4Of(bytes) ?? bytes;
  if (other.length !== address.length) return false;
  return address.every((byte, index) => ((byte ^ (other[index] ?? 0)) & maskByte(prefix, index)) === 0);
}

/** The last address of a network. */
export function lastOf({ address, prefix }: Network): Uint8Array {
  return address.map((byte, index) => byte | (maskByte(prefix, index) ^ 0xff));
}

/** A network as Go prints it. */
export function networkText(network: Network): string {
  const { address, prefix } = shortForm(network);
  return `${ipText(address)}/${prefix}`;
}
