import { BuiltinError } from '../builtin.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
/** U+FFFD in UTF-8. */
const REPLACEMENT = [0xef, 0xbf, 0xbd];
/** Second bytes after those first bytes that do not allow all of 80 to BF: no overlong forms, no surrogates, nothing above U+10FFFF. */
const SECOND_BYTES: ReadonlyMap<number, readonly [number, number]> = new Map([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
]);

/** Bytes of text. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Text of bytes as Go's JSON has it: each byte that belongs to no character of UTF-8 is U+FFFD. */
export function textOf(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return repaired(bytes);
  }
}

/** One pass: well-formed characters are kept, each other byte becomes a replacement character. */
function repaired(bytes: Uint8Array): string {
  const fixed = new Uint8Array(bytes.length * REPLACEMENT.length);
  let [at, end] = [0, 0];
  while (at < bytes.length) {
    const length = characterLength(bytes, at);
    if (length === 0) {
      for (const byte of REPLACEMENT) fixed[end++] = byte;
      at += 1;
    } else for (const next = at + length; at < next;) fixed[end++] = bytes[at++] ?? 0;
  }
  return strict.decode(fixed.subarray(0, end));
}

/** Bytes of the well-formed character at a place (Unicode, table 3-7); 0 where there is none. */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const [least, most] = SECOND_BYTES.get(first) ?? [0x80, 0xbf];
  const second = bytes[at + 1] ?? 0;
  if (second < least || second > most) return 0;
  for (let place = at + 2; place < at + length; place += 1) if (((bytes[place] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

/** Bytes of base64 with padding as Go's `StdEncoding` reads them: line ends anywhere, and bits left over, are ignored. */
export function base64Bytes(text: string): Uint8Array<ArrayBuffer> {
  return decode(text, 'base64');
}

/** Bytes of base64url with padding, as Go's `URLEncoding` reads them. */
export function base64UrlBytes(text: string): Uint8Array<ArrayBuffer> {
  return decode(text, 'base64url');
}

function decode(text: string, alphabet: 'base64' | 'base64url'): Uint8Array<ArrayBuffer> {
  const digits = text.replaceAll(/[\r\n]/g, '');
  const shape = alphabet === 'base64' ? /^[A-Za-z0-9+/]*={0,2}$/ : /^[A-Za-z0-9_-]*={0,2}$/;
  if (digits.length % 4 !== 0 || !shape.test(digits)) throw new BuiltinError('illegal base64 data');
  return Uint8Array.fromBase64(digits, { alphabet, lastChunkHandling: 'loose' });
}

/** Base64url without padding (RFC 7515 section 2). */
export function base64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
}

/** Base64url as the parts of a JWT are written, without padding or with it (RFC 7515 appendix C, as OPA has it). */
export function jwtPart(text: string): Uint8Array<ArrayBuffer> {
  if (text.endsWith('=')) return base64UrlBytes(text);
  const lacking = [0, undefined, 2, 1][text.length % 4];
  if (lacking === undefined) throw new BuiltinError('illegal base64url string');
  return base64UrlBytes(text + '='.repeat(lacking));
}

/** A non-negative integer of big-endian bytes. */
export function bigOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toHex()}`);
}

/** The least big-endian bytes of a non-negative integer, or `length` of them. */
export function bigBytes(value: bigint, length?: number): Uint8Array<ArrayBuffer> {
  const hex = value === 0n ? '' : value.toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  return Uint8Array.fromHex(even.padStart((length ?? 0) * 2, '0'));
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at += 1) if (left[at] !== right[at]) return false;
  return true;
}
