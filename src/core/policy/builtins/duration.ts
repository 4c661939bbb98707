import { BuiltinError } from '../builtin.ts';

const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['\u00b5s', 1_000n],
  ['\u03bcs', 1_000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);
/** OPA's additions, in hours. */
const LONG_UNITS: ReadonlyMap<string, number> = new Map([
  ['d', 24],
  ['w', 168],
  ['y', 8760],
]);
const LIMIT = 2n ** 63n;
const PART = /([0-9]*)(?:\.([0-9]*))?([^0-9.]+)/y;
const LONG_FORM = /^[+-]?(?:[0-9.]+(?:ms|us|\u00b5s|ns|[a-z]))+$/;
const LONG_PART = /([0-9.]+)(ms|us|\u00b5s|ns|[a-z])/g;

/** Nanoseconds of a duration, as Go's `time.ParseDuration` and OPA's units `d`, `w` and `y` have it. */
export function parseDuration(text: string): bigint {
  if (!/[dwy]/.test(text)) return goDuration(text);
  if (!LONG_FORM.test(text)) throw new BuiltinError('invalid duration');
  return goDuration(text.replaceAll(LONG_PART, (part, digits: string, unit: string) => inHours(part, digits, unit)));
}

function inHours(part: string, digits: string, unit: string): string {
  const hours = LONG_UNITS.get(unit);
  if (hours === undefined) return part;
  const value = String(Number(digits) * hours);
  if (!/^[0-9.]+$/.test(value)) throw new BuiltinError('invalid duration');
  return `${value}h`;
}

function goDuration(text: string): bigint {
  const negative = text.startsWith('-');
  const rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0n;
  if (rest === '') throw new BuiltinError('invalid duration');
  let total = 0n;
  PART.lastIndex = 0;
  while (PART.lastIndex < rest.length) {
    const [, whole = '', fraction = '', unit = ''] = PART.exec(rest) ?? [];
    total += partOf(whole, fraction, unit);
    if (total > LIMIT) throw new BuiltinError('invalid duration');
  }
  if (!negative && total === LIMIT) throw new BuiltinError('invalid duration');
  return negative ? -total : total;
}

/** `1.5h`. The fraction goes through a float64, as in Go, and is exact to a nanosecond for hours. */
function partOf(whole: string, fraction: string, unit: string): bigint {
  const size = UNITS.get(unit);
  if (size === undefined || whole + fraction === '') throw new BuiltinError('invalid duration');
  const value = BigInt(whole === '' ? '0' : whole);
  if (value > LIMIT / size) throw new BuiltinError('invalid duration');
  const digits = fraction.slice(0, fractionDigits(fraction));
  const part = digits === '' ? 0 : Number(digits) * (Number(size) / 10 ** digits.length);
  return value * size + BigInt(Math.trunc(part));
}

/** Digits of a fraction that Go reads before it would overflow; the others are dropped. */
function fractionDigits(fraction: string): number {
  let value = 0n;
  for (let at = 0; at < fraction.length; at += 1) {
    if (value > (LIMIT - 1n) / 10n) return at;
    const next = value * 10n + BigInt(fraction[at] ?? '0');
    if (next > LIMIT) return at;
    value = next;
  }
  return fraction.length;
}
