import { isIPv4, isIPv6 } from 'node:net';

/** Groups of four digits in an IPv6 address, and how many of them name a network (RFC 6177: a site has a /64 at least). */
const GROUPS = 8;
const NETWORK_GROUPS = 4;

/**
 * What a remote address is limited by: an IPv4 address itself, of an IPv6 address its /64 (a host there has as many addresses as it likes), of an
 * IPv4-mapped one (RFC 4291 2.5.5.2) the IPv4 address. Zones (`%eth0`) do not count. What is no address is one source, `unknown`.
 */
export function sourceOf(address: string | undefined): string {
  const plain = plainAddress(address);
  if (plain === undefined) return 'unknown';
  return plain.includes(':') ? `${plain.split(':').slice(0, NETWORK_GROUPS).join(':')}::/64` : plain;
}

/**
 * The one way in which an address is written here, so that two that are the same compare equal: four numbers, or eight groups (lower case, no zeros in
 * front); an IPv4-mapped one (RFC 4291 2.5.5.2) is the IPv4 address. Zones do not count. Undefined for what is no address.
 */
export function plainAddress(address: string | undefined): string | undefined {
  const [bare = ''] = (address ?? '').split('%', 1);
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare)) return undefined;
  const groups = groupsOf(bare);
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  return groups.map((group) => group.toString(16)).join(':');
}

/** The eight numbers of a sound IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const [before = '', after] = address.split('::');
  const head = partsOf(before);
  if (after === undefined) return head;
  const tail = partsOf(after);
  return [...head, ...Array.from({ length: GROUPS - head.length - tail.length }, () => 0), ...tail];
}

function partsOf(text: string): readonly number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => (isIPv4(part) ? dotted(part) : [Number.parseInt(part, 16)]));
}

/** The last 32 bits written as IPv4 (RFC 4291 2.2). */
function dotted(part: string): readonly number[] {
  const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}
