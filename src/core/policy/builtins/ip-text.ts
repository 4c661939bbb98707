const V4 = /^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}$/;

/** The 4 or 16 bytes of an IP address in text without a zone, as Go's `netip` reads it; undefined where it is none. */
export function readIp(text: string): number[] | undefined {
  return text.includes(':') ? readV6(text) : readV4(text);
}

function readV4(text: string): number[] | undefined {
  if (!V4.test(text)) return undefined;
  const bytes = text.split('.').map(Number);
  return bytes.every((byte) => byte < 256) ? bytes : undefined;
}

function readV6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, at) => readGroups(half, at === halves.length - 1));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const found = head.length + (tail?.length ?? 0);
  if (tail === undefined) return found === 16 ? head : undefined;
  return found > 14 ? undefined : [...head, ...Array.from({ length: 16 - found }, () => 0), ...tail];
}

/** Groups of hexadecimal digits; the last may be an IPv4 address. */
function readGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  const bytes = groups.map((group, at) => {
    if (last && at === groups.length - 1 && group.includes('.')) return readV4(group);
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
  return bytes.every((pair) => pair !== undefined) ? bytes.flat() : undefined;
}

/** An address as Go's `net.IP` writes it: IPv4 and IPv4 in IPv6 with points, IPv6 as RFC 5952 says. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (mapped) return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0)).toString(16),
  );
  const { at, length } = longestZeros(groups);
  if (length < 2) return groups.join(':');
  return `${groups.slice(0, at).join(':')}::${groups.slice(at + length).join(':')}`;
}

function longestZeros(groups: readonly string[]): { at: number; length: number } {
  let best = { at: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === '0' ? length + 1 : 0;
    if (length > best.length) best = { at: index - length + 1, length };
  }
  return best;
}
