/** Writes DER (X.690) for tests, wrong DER included: every function takes what it is told and checks nothing. */

/** One element: `tag`, the shortest length, then the parts. */
export function tlv(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), derLength(content.length), content]);
}

/** Length octets in the shortest definite form (X.690 10.1). */
export function derLength(length: number): Uint8Array {
  if (length < 0x80) return Buffer.from([length]);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Buffer.from([0x80 | octets.length, ...octets]);
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => tlv(0x30, ...parts);
export const setOf = (...parts: readonly Uint8Array[]): Uint8Array => tlv(0x31, ...parts);
export const octetString = (bytes: Uint8Array): Uint8Array => tlv(0x04, bytes);
export const boolean = (value: boolean): Uint8Array => tlv(0x01, Buffer.from([value ? 0xff : 0]));
export const derNull = (): Uint8Array => tlv(0x05);
/** `[number]` constructed: explicit tagging, or implicit over a SEQUENCE. */
export const context = (number: number, ...parts: readonly Uint8Array[]): Uint8Array => tlv(0xa0 | number, ...parts);
/** `[number]` primitive: implicit tagging over a primitive type. */
export const contextPrimitive = (number: number, bytes: Uint8Array): Uint8Array => tlv(0x80 | number, bytes);
export const utf8 = (text: string): Uint8Array => tlv(0x0c, Buffer.from(text, 'utf8'));
export const printable = (text: string): Uint8Array => tlv(0x13, Buffer.from(text, 'latin1'));

/** BIT STRING with `unused` bits at its end. */
export function bitString(bytes: Uint8Array, unused = 0): Uint8Array {
  return tlv(0x03, Buffer.from([unused]), bytes);
}

/** BIT STRING of named bits (X.690 11.2.2): bit 0 is the first; trailing zero bits are left out. */
export function namedBits(bits: readonly number[]): Uint8Array {
  const highest = Math.max(-1, ...bits);
  const bytes = Buffer.alloc((highest + 8) >> 3);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return bitString(bytes, bytes.length * 8 - highest - 1);
}

/** INTEGER in the shortest two's complement form. */
export function integer(value: bigint | number): Uint8Array {
  const number = BigInt(value);
  const octets: number[] = [];
  let rest = number;
  do {
    octets.unshift(Number(rest & 0xffn));
    rest >>= 8n;
  } while (!(rest === 0n && (octets[0] ?? 0) < 0x80) && !(rest === -1n && (octets[0] ?? 0) >= 0x80));
  return tlv(0x02, Buffer.from(octets));
}

/** OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Uint8Array {
  const arcs = dotted.split('.').map(Number);
  const [first = 0, second = 0, ...others] = arcs;
  const octets = [first * 40 + second, ...others].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      groups.unshift((rest & 0x7f) | 0x80);
    return groups;
  });
  return tlv(0x06, Buffer.from(octets));
}

/** Time as RFC 5280 4.1.2.5 wants it: UTCTime through 2049, GeneralizedTime from 2050. */
export function time(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/[-:T]|\..*$/g, '');
  return date.getUTCFullYear() < 2050 ? utcTime(`${digits.slice(2)}Z`) : generalizedTime(`${digits}Z`);
}

export const utcTime = (text: string): Uint8Array => tlv(0x17, Buffer.from(text, 'latin1'));
export const generalizedTime = (text: string): Uint8Array => tlv(0x18, Buffer.from(text, 'latin1'));

/** PEM with lines of 64 characters (RFC 7468). */
export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
