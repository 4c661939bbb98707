/** A decimal number: `digits` x 10^`exponent`, `digits` without trailing zeros, 0 for zero. */
type Decimal = { readonly digits: bigint; readonly exponent: number };

const NUMBER = /^(-?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;
const MAX_EXPONENT = 100_000;

/** Reads Rego's number text exactly; undefined where it is none or its exponent is beyond 100,000 (OPA's own bound). */
function readDecimal(text: string): Decimal | undefined {
  const found = NUMBER.exec(text);
  if (found === null) return undefined;
  const [, sign = '', whole = '', fraction = '', power = '0'] = found;
  const shift = Number(power);
  if (Math.abs(shift) > MAX_EXPONENT) return undefined;
  const significant = withoutZerosAtEnd(whole + fraction);
  const dropped = whole.length + fraction.length - significant.length;
  if (significant === '') return { digits: 0n, exponent: 0 };
  return { digits: BigInt(sign + significant), exponent: shift - fraction.length + dropped };
}

/** One pass; the regular expression for it would try every run of zeros. */
function withoutZerosAtEnd(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === '0') end -= 1;
  return digits.slice(0, end);
}

/** Compares two numbers by value, exactly; what is not readable compares as text. */
export function compareNumbers(left: string, right: string): number {
  if (left === right) return 0;
  const a = readDecimal(left);
  const b = readDecimal(right);
  if (a === undefined || b === undefined) return left < right ? -1 : 1;
  const size = magnitude(a) - magnitude(b);
  if (size !== 0) return size;
  const least = Math.min(a.exponent, b.exponent);
  const x = a.digits * 10n ** BigInt(a.exponent - least);
  const y = b.digits * 10n ** BigInt(b.exponent - least);
  return x < y ? -1 : Number(x > y);
}

/** Orders by sign and number of digits, so that numbers of very different size are never written out. */
function magnitude({ digits, exponent }: Decimal): number {
  if (digits === 0n) return 0;
  const length = digits.toString().length - (digits < 0n ? 1 : 0) + exponent + 2 * MAX_EXPONENT;
  return digits < 0n ? -length : length;
}

/** The value of an integer in any notation (`10`, `1e1`, `10.0`); undefined where it has a fraction, or more digits than `maxDigits`. */
export function integerOf(text: string, maxDigits: number): bigint | undefined {
  const decimal = text.length > maxDigits + 20 ? undefined : readDecimal(text);
  if (decimal === undefined || decimal.exponent < 0 || decimal.exponent > maxDigits) return undefined;
  return decimal.digits * 10n ** BigInt(decimal.exponent);
}
