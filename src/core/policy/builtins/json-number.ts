import { BuiltinError } from '../builtin.ts';
import { compareNumbers, integerOf } from '../number-text.ts';

/** A number as digits without zeros around them (0.`digits` x 10^`point`), `digits` empty for zero. */
type Decimal = { readonly sign: string; readonly digits: string; readonly point: number };

const NUMBER = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;
/** Largest power of ten between two numbers that are divided. */
const MAX_POWER = 4_000;

function decimalOf(text: string): Decimal {
  const [, sign = '', whole = '', fraction = '', power = '0'] = NUMBER.exec(text) ?? [];
  const all = whole + fraction;
  const zeros = /^0*/.exec(all)?.[0].length ?? 0;
  const digits = all.slice(zeros).replace(/0+$/, '');
  return { sign: digits === '' ? '' : sign, digits, point: digits === '' ? 0 : whole.length - zeros + Number(power) };
}

/** True where a JSON number has no fraction, in whatever notation: `1.0` and `1e2` are whole. */
export function isWhole(text: string): boolean {
  const { digits, point } = decimalOf(text);
  return digits.length <= point || digits === '';
}

/** True where `text` is a whole multiple of `factor`, exactly. */
export function isMultiple(text: string, factor: string): boolean {
  const value = decimalOf(text);
  const unit = decimalOf(factor);
  const power = value.point - value.digits.length - (unit.point - unit.digits.length);
  if (value.digits === '') return true;
  if (Math.abs(power) > MAX_POWER || value.digits.length + unit.digits.length > MAX_POWER)
    throw new BuiltinError('a number is too large to be divided');
  const scale = 10n ** BigInt(Math.abs(power));
  const [top, bottom] =
    power >= 0
      ? [BigInt(value.digits) * scale, BigInt(unit.digits)]
      : [BigInt(value.digits), BigInt(unit.digits) * scale];
  return top % bottom === 0n;
}

/** True where a number is above zero. */
export function isPositive(text: string): boolean {
  return compareNumbers(text, '0') > 0;
}

/** The value of a number that is written as digits only, as Go's `Int64` reads it. */
export function plainInteger(text: string): number | undefined {
  const value = /^-?[0-9]{1,19}$/.test(text) ? integerOf(text, 19) : undefined;
  return value === undefined || BigInt.asIntN(64, value) !== value ? undefined : Number(value);
}

/** A number as Go prints a `big.Float` of it: the shortest digits, `1e+06` from a million on. */
export function bigFloatText(text: string): string {
  const { sign, digits, point } = decimalOf(text);
  const exponent = point - 1;
  if (digits === '') return '0';
  if (exponent < -4 || exponent >= 6) return sign + scientific(digits, exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  const whole = digits.slice(0, point).padEnd(point, '0');
  return `${sign}${whole}${digits.length > point ? `.${digits.slice(point)}` : ''}`;
}

function scientific(digits: string, exponent: number): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${digits[0] ?? '0'}${fraction}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** The shortest text of a number as a double: what Go's JSON makes of it when it reads into `any` and writes again. */
export function doubleText(text: string): string {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new BuiltinError(`cannot unmarshal number ${text}`);
  return Object.is(value, -0) ? '-0' : String(value);
}
