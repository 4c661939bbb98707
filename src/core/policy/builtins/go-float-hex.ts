/** The parts of a float64 that is not negative: `mantissa` x 2^`exponent`, where a mantissa of 53 bits has its first bit set unless the number is denormal. */
function partsOf(value: number): { readonly mantissa: bigint; readonly exponent: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const high = bits.getBigUint64(0);
  const biased = Number((high >> 52n) & 0x7ffn);
  const fraction = high & 0xf_ffff_ffff_ffffn;
  return { mantissa: biased === 0 ? fraction : fraction | (1n << 52n), exponent: Math.max(biased, 1) - 1075 };
}

/** Go's `%b` of a float: decimal mantissa and binary exponent. */
export function binaryFloat(value: number): string {
  const { mantissa, exponent } = partsOf(value);
  return `${mantissa}p${exponent < 0 ? '' : '+'}${exponent}`;
}

/** Go's `%x` of a float: `0x1.8p+01`; with a precision rounded to so many digits, halves to even. */
export function hexFloat(value: number, precision: number | undefined): string {
  const { mantissa, exponent } = partsOf(value);
  if (mantissa === 0n) return `0x0${precision === undefined || precision === 0 ? '' : `.${'0'.repeat(precision)}`}p+00`;
  const shift = 53 - mantissa.toString(2).length;
  let digits = mantissa << BigInt(shift);
  let power = exponent - shift + 52;
  const dropped = precision === undefined ? 0 : Math.max(52 - precision * 4, 0);
  if (dropped > 0) {
    const half = 1n << BigInt(dropped - 1);
    const kept = digits >> BigInt(dropped);
    const rest = digits & ((half << 1n) - 1n);
    const up = rest > half || (rest === half && (kept & 1n) === 1n);
    digits = (up ? kept + 1n : kept) << BigInt(dropped);
  }
  if (digits >> 53n === 1n) {
    digits >>= 1n;
    power += 1;
  }
  const fraction = (digits & 0xf_ffff_ffff_ffffn).toString(16).padStart(13, '0');
  const shown =
    precision === undefined ? fraction.replace(/0+$/, '') : fraction.padEnd(precision, '0').slice(0, precision);
  const sign = power < 0 ? '-' : '+';
  return `0x1${shown === '' ? '' : `.${shown}`}p${sign}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** What Go's `#` flag does to a float: a point always, and for `%g` and `%x` zeros up to the precision. `text` has no sign. */
export function withPoint(text: string, verb: string, precision: number | undefined): string {
  const hexadecimal = verb === 'x' || verb === 'X';
  const cut = text.search(hexadecimal ? /p/i : /e/i);
  const body = cut < 0 ? text : text.slice(0, cut);
  const significant = body.replace('.', '').replace(/^0+/, '').length;
  let missing = 'gGx'.includes(verb) ? (precision ?? 6) - significant : 0;
  if (!body.includes('.') && body === '0') missing -= 1;
  return `${body}${body.includes('.') ? '' : '.'}${'0'.repeat(Math.max(missing, 0))}${cut < 0 ? '' : text.slice(cut)}`;
}
