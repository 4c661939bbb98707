import { BuiltinError } from '../builtin.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const LONGEST_CHARACTER = 4;

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

function repaired(bytes: Uint8Array): string {
  const parts: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const found = characterAt(bytes, at);
    parts.push(found?.text ?? '\ufffd');
    at += found?.length ?? 1;
  }
  return parts.join('');
}

function characterAt(bytes: Uint8Array, at: number): { text: string; length: number } | undefined {
  for (let length = 1; length <= LONGEST_CHARACTER && at + length <= bytes.length; length += 1) {
    try {
      return { text: strict.decode(bytes.subarray(at, at + length)), length };
    } catch {
      // A longer piece may be a character.
    }
  }
  return undefined;
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
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}
