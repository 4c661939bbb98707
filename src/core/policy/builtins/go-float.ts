/** Significant decimal digits and the position of the point: 0.`digits` x 10^`point`. No trailing zeros; no digits for zero. */
type Digits = { readonly digits: string; readonly point: number };

/**
 * Go's `strconv.FormatFloat(value, form, precision, 64)` for a finite, non-negative value. `precision` undefined is Go's -1: the fewest digits that read
 * back as the same number. Rounding is exact, halves to even.
 */
export function formatFloat(value: number, form: 'e' | 'f' | 'g', precision: number | undefined): string {
  const found = precision === undefined ? shortest(value) : rounded(value, form, precision);
  switch (form) {
    case 'e':
      return exponential(found, precision ?? Math.max(found.digits.length - 1, 0));
    case 'f':
      return fixed(found, precision ?? Math.max(found.digits.length - found.point, 0));
    case 'g':
      return general(found, precision);
    default:
      return form satisfies never;
  }
}

function general(found: Digits, precision: number | undefined): string {
  const { length } = found.digits;
  const wanted = precision === undefined ? length : Math.max(precision, 1);
  const threshold = precision === undefined ? 6 : wanted > length && length >= found.point ? length : wanted;
  const exponent = found.point - 1;
  if (exponent < -4 || exponent >= threshold) return exponential(found, Math.min(wanted, length) - 1);
  return fixed(found, Math.max((wanted > found.point ? length : wanted) - found.point, 0));
}

function exponential({ digits, point }: Digits, precision: number): string {
  const exponent = digits === '' ? 0 : point - 1;
  const fraction = precision > 0 ? `.${digits.slice(1, 1 + precision).padEnd(precision, '0')}` : '';
  const power = String(Math.abs(exponent)).padStart(2, '0');
  return `${digits[0] ?? '0'}${fraction}e${exponent < 0 ? '-' : '+'}${power}`;
}

function fixed({ digits, point }: Digits, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  if (precision === 0) return whole;
  const fraction = point > 0 ? digits.slice(point) : '0'.repeat(-point) + digits;
  return `${whole}.${fraction.slice(0, precision).padEnd(precision, '0')}`;
}

function shortest(value: number): Digits {
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e');
  const digits = trimmed(mantissa.replace('.', ''));
  return { digits, point: digits === '' ? 0 : Number(exponent) + 1 };
}

function rounded(value: number, form: 'e' | 'f' | 'g', precision: number): Digits {
  const exact = exactDigits(value);
  const kept = form === 'f' ? exact.point + precision : form === 'e' ? precision + 1 : Math.max(precision, 1);
  return round(exact, kept);
}

/** All digits of a float64: a whole number over a power of two is a whole number over a power of ten. */
function exactDigits(value: number): Digits {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const high = bits.getBigUint64(0);
  const biased = Number((high >> 52n) & 0x7ffn);
  const mantissa = (high & 0xf_ffff_ffff_ffffn) | (biased === 0 ? 0n : 1n << 52n);
  const power = Math.max(biased, 1) - 1075;
  const scaled = power >= 0 ? mantissa << BigInt(power) : mantissa * 5n ** BigInt(-power);
  const text = scaled === 0n ? '' : scaled.toString();
  return { digits: trimmed(text), point: text === '' ? 0 : text.length - Math.max(-power, 0) };
}

/** Keeps the first `count` digits, rounding half to even. */
function round({ digits, point }: Digits, count: number): Digits {
  if (count >= digits.length) return { digits, point };
  if (count < 0) return { digits: '', point: 0 };
  const next = digits.charCodeAt(count) - 0x30;
  const odd = count > 0 && (digits.charCodeAt(count - 1) & 1) === 1;
  const up = next > 5 || (next === 5 && (digits.length > count + 1 || odd));
  const kept = digits.slice(0, count);
  if (!up) return normal(trimmed(kept), point);
  const raised = (BigInt(kept === '' ? '0' : kept) + 1n).toString();
  return normal(trimmed(raised), point + raised.length - kept.length);
}

function normal(digits: string, point: number): Digits {
  return { digits, point: digits === '' ? 0 : point };
}

function trimmed(digits: string): string {
  return digits.replace(/0+$/, '');
}
