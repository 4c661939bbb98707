import { BuiltinError } from '../builtin.ts';
import { NULL, bool, num, str } from '../term.ts';
import type { Term } from '../term.ts';

/**
 * What plain text means to go-yaml 3, which OPA uses (resolve.go): YAML 1.2's words, and of YAML 1.1 underscores in numbers, octal by a leading zero
 * and dates. `merge` is `<<`.
 */
export type Resolved =
  | { readonly kind: 'null' | 'timestamp' | 'merge' }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number };

const WORDS: ReadonlyMap<string, Resolved> = new Map<string, Resolved>([
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, { kind: 'null' }] as const),
  ...['true', 'True', 'TRUE'].map((word) => [word, { kind: 'bool', value: true }] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, { kind: 'bool', value: false }] as const),
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, { kind: 'float', value: Number.NaN }] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map(
    (word) => [word, { kind: 'float', value: Number.POSITIVE_INFINITY }] as const,
  ),
  ...['-.inf', '-.Inf', '-.INF'].map((word) => [word, { kind: 'float', value: Number.NEGATIVE_INFINITY }] as const),
]);
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const INTEGER = /^([-+]?)(?:(0[xX])([0-9a-fA-F]+)|(0[bB])([01]+)|0([oO]?)([0-7]+)|(0|[1-9][0-9]*))$/;
const TIMESTAMP =
  /^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?(?:Z|[-+]([0-9]{2}):([0-9]{2}))|[ ]+([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?)?$/;

/** What a plain scalar without a tag is. */
export function resolvePlain(text: string): Resolved {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  const asText: Resolved = { kind: 'string', value: text };
  if (text.startsWith('.')) return floatOf(text) ?? asText;
  if (!/^[-+0-9]/.test(text)) return asText;
  if (isTimestamp(text)) return { kind: 'timestamp' };
  const plain = text.replaceAll('_', '');
  return integerOf(plain) ?? floatOf(plain) ?? asText;
}

function floatOf(text: string): Resolved | undefined {
  const value = FLOAT.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? { kind: 'float', value } : undefined;
}

/** 64 bits, signed or not. */
function integerOf(text: string): Resolved | undefined {
  const found = INTEGER.exec(text);
  if (found === null) return undefined;
  const [, sign, , hex, , binary, , octal, decimal] = found;
  const digits = decimal ?? (hex === undefined ? (binary === undefined ? `0o${octal}` : `0b${binary}`) : `0x${hex}`);
  if (digits.length > 66) return undefined;
  const value = sign === '-' ? -BigInt(digits) : BigInt(digits);
  const fits = value >= -(2n ** 63n) && value < (sign === '+' ? 2n ** 63n : 2n ** 64n);
  return fits ? { kind: 'int', value } : undefined;
}

function isTimestamp(text: string): boolean {
  const found = TIMESTAMP.exec(text)
    ?.slice(1)
    .map((part) => Number(part ?? 0));
  if (found === undefined) return false;
  const [year = 0, month = 0, day = 0, h1 = 0, m1 = 0, s1 = 0, zoneHour = 0, zoneMinute = 0, h2 = 0, m2 = 0, s2 = 0] =
    found;
  const days = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  if (month < 1 || month > 12 || day < 1 || day > days) return false;
  return h1 + h2 < 24 && m1 + m2 < 60 && s1 + s2 < 60 && zoneHour <= 24 && zoneMinute <= 60;
}

/** The value that JSON has for a scalar; infinity and NaN have none. Dates are text, as they were written. */
export function scalarTerm(resolved: Resolved, source: string): Term {
  switch (resolved.kind) {
    case 'null':
      return NULL;
    case 'bool':
      return bool(resolved.value);
    case 'int':
      return num(resolved.value);
    case 'float':
      if (!Number.isFinite(resolved.value)) throw new BuiltinError('a YAML number is no JSON number');
      return num(Object.is(resolved.value, -0) ? '-0' : resolved.value);
    case 'string':
    case 'timestamp':
    case 'merge':
      return str(source);
    default:
      return resolved satisfies never;
  }
}
