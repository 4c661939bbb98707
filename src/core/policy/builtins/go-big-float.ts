/** A binary number without a bound: `mantissa` x 2^`exponent`. */
type Binary = { readonly mantissa: bigint; readonly exponent: number };

/** Bits of a Go `big.Float` that was read from text, and of the powers that it is made with. */
const PRECISION = 64;
const POWER_PRECISION = PRECISION + 64;
const LARGEST_EXACT_POWER = 27;

/**
 * The whole part of `digits` x 10^`exponent` x `factor`, with the roundings of Go's `big.Float` of 64 bits: reading the decimal rounds once,
 * multiplying again; a power of five beyond 5^27 is itself rounded to 128 bits.
 */
export function decimalTimes(digits: bigint, exponent: number, factor: bigint): bigint {
  const power = powerOfFive(Math.abs(exponent));
  const read = exponent < 0 ? quotient(digits, power, exponent) : product(digits, power, exponent);
  const { mantissa, exponent: scale } = rounded(read.mantissa * factor, read.exponent, PRECISION);
  return scale >= 0 ? mantissa << BigInt(scale) : mantissa >> BigInt(-scale);
}

function product(digits: bigint, power: Binary, exponent: number): Binary {
  return rounded(digits * power.mantissa, power.exponent + exponent, PRECISION);
}

/** With more bits than are kept, and one that stands for all that is left over. */
function quotient(digits: bigint, power: Binary, exponent: number): Binary {
  const extra = Math.max(bits(power.mantissa) - bits(digits), 0) + PRECISION + 2;
  const shifted = digits << BigInt(extra);
  const left = shifted % power.mantissa === 0n ? 0n : 1n;
  return rounded(((shifted / power.mantissa) << 1n) | left, exponent - power.exponent - extra - 1, PRECISION);
}

/** By squaring, as Go does, since each step rounds. */
function powerOfFive(power: number): Binary {
  if (power <= LARGEST_EXACT_POWER) return { mantissa: 5n ** BigInt(power), exponent: 0 };
  let result: Binary = { mantissa: 5n ** BigInt(LARGEST_EXACT_POWER), exponent: 0 };
  let square: Binary = { mantissa: 5n, exponent: 0 };
  for (let left = power - LARGEST_EXACT_POWER; left > 0; left >>= 1) {
    if ((left & 1) === 1) result = times(result, square, POWER_PRECISION);
    square = times(square, square, POWER_PRECISION + 64);
  }
  return result;
}

function times(a: Binary, b: Binary, precision: number): Binary {
  return rounded(a.mantissa * b.mantissa, a.exponent + b.exponent, precision);
}

/** To the nearest, halves to even. */
function rounded(mantissa: bigint, exponent: number, precision: number): Binary {
  const excess = bits(mantissa) - precision;
  if (excess <= 0) return { mantissa, exponent };
  const half = 1n << BigInt(excess - 1);
  const rest = mantissa & ((half << 1n) - 1n);
  const kept = mantissa >> BigInt(excess);
  const up = rest > half || (rest === half && (kept & 1n) === 1n);
  return { mantissa: up ? kept + 1n : kept, exponent: exponent + excess };
}

function bits(value: bigint): number {
  const hex = value.toString(16);
  return value === 0n ? 0 : hex.length * 4 - Math.clz32(Number.parseInt(hex.charAt(0), 16)) + 28;
}
