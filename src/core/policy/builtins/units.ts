import { BuiltinError, stringArg } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { num } from '../term.ts';
import type { Term } from '../term.ts';
import { chargeDigits } from './digits-cost.ts';
import { decimalTimes } from './go-big-float.ts';

type Amount = { readonly digits: bigint; readonly exponent: number; readonly negative: boolean };

const NUMBER = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?$/;
/** Where an amount ends: the first character that no number has, or an `e` that no exponent follows. */
const AMOUNT = /^(?:[0-9.+-]|[eE](?=[0-9+-])[+-]?)*/;
const LONG_EXPONENT = /[eE][+-]?[0-9]{7}/;
/** Go's own bound for a rational number. */
const MAX_EXPONENT = 1_000_000;
/** Steps for each decimal place of an amount, which is written out. */
const PLACE_STEPS = 2_000;
/** Decimal places of an amount that is no whole number. */
const PLACES = 10;
/** Go's float64 of 0.001, exactly. */
const MILLI = [1_152_921_504_606_847n, 1n << 60n] as const;

const DECIMAL = 'kmgtpe';
const POWERS: ReadonlyMap<string, bigint> = new Map([
  ['', 1n],
  ...Array.from(DECIMAL, (letter, index) => [letter, 1000n ** BigInt(index + 1)] as const),
  ...Array.from(DECIMAL, (letter, index) => [`${letter}i`, 1024n ** BigInt(index + 1)] as const),
]);

/** Amount and unit; quotation marks are ignored, a space is an error. */
function split(text: string): { readonly amount: string; readonly unit: string } {
  const bare = text.replaceAll('"', '');
  if (bare.includes(' ')) throw new BuiltinError('spaces not allowed in resource strings');
  const amount = AMOUNT.exec(bare)?.[0] ?? '';
  if (LONG_EXPONENT.test(amount)) throw new BuiltinError('exponent too large');
  if (amount === '') throw new BuiltinError('no amount provided');
  return { amount, unit: bare.slice(amount.length) };
}

function readAmount(text: string, context: BuiltinContext): Amount {
  const [, sign = '', whole = '', fraction = '', power = '0'] = NUMBER.exec(text) ?? [];
  if (whole + fraction === '') throw new BuiltinError('could not parse amount to a number');
  const exponent = Number(power) - fraction.length;
  if (Math.abs(exponent) > MAX_EXPONENT) throw new BuiltinError('could not parse amount to a number');
  context.charge((Math.abs(exponent) + text.length) * PLACE_STEPS);
  chargeDigits(text.length, context);
  return { digits: BigInt(whole + fraction), exponent, negative: sign === '-' };
}

/** Go's `unicode.ToLower` of each character. */
function lower(text: string): string {
  return text.replaceAll('\u0130', 'i').toLowerCase();
}

/** `units.parse`: `m` is a thousandth and `M` a million; the case of other letters does not matter. Exact, or to ten decimal places. */
function parseUnits(args: readonly Term[], context: BuiltinContext): Term {
  const { amount, unit } = split(stringArg(args, 0));
  const [numerator, denominator] = factorOf(unit);
  const { digits, exponent, negative } = readAmount(amount, context);
  const over = digits * numerator * 10n ** BigInt(Math.max(exponent, 0));
  const under = denominator * 10n ** BigInt(Math.max(-exponent, 0));
  const sign = negative ? '-' : '';
  if (over % under === 0n) return num(over === 0n ? '0' : `${sign}${over / under}`);
  // Halves away from zero (Go's Rat.FloatString).
  const scaled = ((over * 10n ** BigInt(PLACES) * 2n + under) / (under * 2n)).toString().padStart(PLACES + 1, '0');
  return num(`${sign}${scaled.slice(0, -PLACES)}.${scaled.slice(-PLACES)}`);
}

function factorOf(unit: string): readonly [bigint, bigint] {
  if (unit === 'm') return MILLI;
  const power = unit.charAt(0) > '\u007f' ? undefined : POWERS.get(lower(unit));
  if (power === undefined) throw new BuiltinError(`unit ${unit.slice(0, 40)} not recognized`);
  return [power, 1n];
}

/** `units.parse_bytes`: whole bytes; case does not matter, a `b` may follow. Counted with the 64 bits of Go's `big.Float`. */
function parseBytes(args: readonly Term[], context: BuiltinContext): Term {
  const { amount, unit } = split(lower(stringArg(args, 0)));
  const power = unit === 'b' ? undefined : POWERS.get(unit.replace(/b$/, ''));
  if (power === undefined) throw new BuiltinError(`byte unit ${unit.slice(0, 40)} not recognized`);
  const { digits, exponent, negative } = readAmount(amount, context);
  const total = decimalTimes(digits, exponent, power);
  return num(negative ? -total : total);
}

/** Amounts with units. */
export const UNIT_BUILTINS: Readonly<Record<string, Builtin>> = {
  'units.parse': { arity: 1, call: parseUnits },
  'units.parse_bytes': { arity: 1, call: parseBytes },
};
