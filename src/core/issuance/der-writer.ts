import { concat } from '../kernel/bytes.ts';

/** Identifier octets (X.690 8.1.2) of what the frames of this room are made of. */
const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** One element: `tag`, the shortest definite length (X.690 10.1), then the parts. */
function element(tag: number, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size < 0x80) return concat([Uint8Array.of(tag, size), ...parts]);
  const octets: number[] = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return concat([Uint8Array.of(tag, 0x80 | octets.length, ...octets), ...parts]);
}

/** SEQUENCE of elements that are written already. */
export function sequence(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return element(TAG.sequence, parts);
}

/** `[number]` constructed: explicit tagging, or implicit over a SEQUENCE or SET. */
export function context(number: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return element(0xa0 | number, parts);
}

/** `[number]` primitive: implicit tagging over a primitive type. */
export function contextPrimitive(number: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  return element(0x80 | number, [content]);
}

/** BIT STRING of whole octets. */
export function bitString(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return element(TAG.bitString, [Uint8Array.of(0), bytes]);
}

/** OCTET STRING. */
export function octetString(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return element(TAG.octetString, [bytes]);
}

/** OBJECT IDENTIFIER from its content octets, hexadecimal. */
export function oid(content: string): Uint8Array<ArrayBuffer> {
  return element(TAG.oid, [Uint8Array.fromHex(content)]);
}

/** INTEGER that is not negative, from its hexadecimal digits, in its shortest form (X.690 8.3.2). */
export function integer(hex: string): Uint8Array<ArrayBuffer> {
  const digits = hex.replace(/^0+/, '');
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  const bytes = Uint8Array.fromHex(even === '' ? '00' : even);
  return element(TAG.integer, (bytes[0] ?? 0) >= 0x80 ? [Uint8Array.of(0), bytes] : [bytes]);
}

/**
 * A moment in whole seconds, `ms` since the epoch: UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5). Rounded down.
 * Throws a RangeError outside the years 1950 to 9999, which callers have ruled out.
 */
export function time(ms: number): Uint8Array<ArrayBuffer> {
  const date = new Date(Math.floor(ms / 1_000) * 1_000);
  const year = date.getUTCFullYear();
  if (!(year >= 1950 && year <= 9999)) throw new RangeError('no moment that a certificate can name');
  const digits = `${date.toISOString().replaceAll(/[-:T]|\..*$/g, '')}Z`;
  const text = new TextEncoder().encode(year < 2050 ? digits.slice(2) : digits);
  return element(year < 2050 ? TAG.utcTime : TAG.generalizedTime, [text]);
}
