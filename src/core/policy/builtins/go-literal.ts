import { concat } from '../../kernel/bytes.ts';
import { BuiltinError } from '../builtin.ts';
import { bytesOf, textOf } from './go-bytes.ts';

/** A number of Go's source text: a whole one, or a float64. */
export type GoNumber =
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'float64'; readonly value: number };

const SINGLE: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 0x5c,
  "'": 0x27,
  '"': 0x22,
};
const ESCAPE = /\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y;
const INTEGER = /^([+-]?)(0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)$/;
const DIGITS = '[0-9](?:_?[0-9])*';
const FLOAT = new RegExp(`^[+-]?(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:[eE][+-]?${DIGITS})?$`);
const HEX = '[0-9a-fA-F](?:_?[0-9a-fA-F])*';
const HEX_FLOAT = new RegExp(`^([+-]?)0[xX]_?(${HEX})?(?:\\.(${HEX})?)?[pP]([+-]?${DIGITS})$`);
/** What of a text makes it a float where Go does not know the type. */
const FLOAT_MARK = /[.eEpP]/;
const HEX_INTEGER = /^0[xX][^pP]+$/;
/** Powers of two beyond which a hexadecimal number is zero or infinite, however many digits a template may hold. */
const MAX_HEX_POWER = 10_000_000;

/**
 * Go's `strconv.Unquote` of a string in double quotes or of a raw one in back quotes. A byte by `\x` or `\0` that belongs to no character is U+FFFD, as it
 * is in OPA's JSON.
 */
export function unquoted(literal: string): string {
  const inner = literal.slice(1, -1);
  if (literal.startsWith('`')) return inner.replaceAll('\r', '');
  if (!inner.includes('\\')) return inner;
  const parts: Uint8Array[] = [];
  for (let at = 0; at < inner.length;) {
    const slash = inner.indexOf('\\', at);
    const end = slash < 0 ? inner.length : slash;
    parts.push(bytesOf(inner.slice(at, end)));
    if (slash < 0) break;
    const { code, length, byte } = escapeAt(inner, slash, '"');
    parts.push(byte ? Uint8Array.of(code) : bytesOf(String.fromCodePoint(code)));
    at = slash + length;
  }
  return textOf(concat(parts));
}

/** The code point of a character constant, `'x'` with its quotes. */
export function characterCode(literal: string): bigint {
  const inner = literal.slice(1, -1);
  const escaped = inner.startsWith('\\');
  const code = inner.codePointAt(0) ?? 0;
  const found = escaped ? escapeAt(inner, 0, "'") : { code, length: code > 0xffff ? 2 : 1 };
  if (inner === '' || found.length !== inner.length) throw new BuiltinError(`malformed character constant ${literal}`);
  return BigInt(found.code);
}

/** A number as text/template reads it where no type is known; imaginary ones are not supported. Undefined is one that fits no `int`: an error where it is used. */
export function goNumber(text: string): GoNumber | undefined {
  const [, sign = '', digits] = INTEGER.exec(text) ?? [];
  if (digits === undefined) return { kind: 'float64', value: floatOf(text) };
  const magnitude = BigInt(/^0_?[0-7]/.test(digits) ? `0o${digits.replaceAll('_', '')}` : digits.replaceAll('_', ''));
  const value = sign === '-' ? -magnitude : magnitude;
  const fits = BigInt.asIntN(64, value) === value;
  if (!fits && (sign !== '' || magnitude >= 2n ** 64n)) throw new BuiltinError(`integer overflow: ${text}`);
  if (FLOAT_MARK.test(text) && !HEX_INTEGER.test(text)) return { kind: 'float64', value: Number(value) };
  return fits ? { kind: 'int', value } : undefined;
}

function floatOf(text: string): number {
  const value = FLOAT.test(text) && FLOAT_MARK.test(text) ? Number(text.replaceAll('_', '')) : hexFloatOf(text);
  if (!Number.isFinite(value)) throw new BuiltinError(`illegal number ${text}`);
  return value;
}

/** JavaScript rounds a whole number to the nearest, halves to even, as Go does; a power of two changes no digit above the subnormals. */
function hexFloatOf(text: string): number {
  const [, sign = '', whole = '', fraction = '', power = ''] = HEX_FLOAT.exec(text) ?? [];
  const digits = (whole + fraction).replaceAll('_', '');
  const exponent = Number(power.replaceAll('_', '')) - fraction.replaceAll('_', '').length * 4;
  if (digits === '' || Math.abs(exponent) > MAX_HEX_POWER) return Number.NaN;
  const value = scaled(BigInt(`0x${digits}`), exponent);
  return sign === '-' ? -value : value;
}

function scaled(digits: bigint, exponent: number): number {
  const excess = Math.max(digits.toString(16).length * 4 - 64, 0);
  const kept = digits >> BigInt(excess);
  const sticky = kept << BigInt(excess) === digits ? 0n : 1n;
  const power = exponent + excess;
  const half = Math.trunc(power / 2);
  return Number(kept | sticky) * 2 ** half * 2 ** (power - half);
}

type Escape = { readonly code: number; readonly length: number; readonly byte: boolean };

function escapeAt(text: string, at: number, quote: string): Escape {
  ESCAPE.lastIndex = at;
  const [all = '', single, hex, octal, short, long] = ESCAPE.exec(text) ?? [];
  const other = quote === '"' ? "'" : '"';
  const code =
    single === undefined
      ? Number.parseInt(hex ?? octal ?? short ?? long ?? '', octal === undefined ? 16 : 8)
      : SINGLE[single];
  const byte = hex !== undefined || octal !== undefined;
  const sound = code !== undefined && (byte ? code <= 0xff : code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff));
  if (!sound || single === other) throw new BuiltinError('an escape of the template is invalid');
  return { code, length: all.length, byte };
}
