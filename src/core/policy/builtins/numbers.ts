import { EvaluationHalt } from '../abort.ts';
import { BuiltinError, MAX_TEXT, integerArg, stringArg, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { integerOf } from '../number-text.ts';
import { arr, num } from '../term.ts';
import type { Term } from '../term.ts';
import { bigOf } from './go-bytes.ts';

/** Digits of the largest number that a range may begin, end or go on with. */
const MAX_DIGITS = 1000;
/** Steps of making one number. */
const NUMBER_STEPS = 4_000;
/** More bits than a number needs, so that every answer is as likely as another. */
const RANDOM_BYTES = 24;

/** `numbers.range_step`: from one number to another, both included, up or down. */
function rangeStep(args: readonly Term[], context: BuiltinContext): Term {
  const [from, to, step] = [0, 1, 2].map((index) => bigArg(args, index)) as [bigint, bigint, bigint];
  if (step <= 0n) throw new BuiltinError('step must be a positive integer');
  const span = from <= to ? to - from : from - to;
  const count = span / step + 1n;
  if (count > MAX_TEXT) throw new EvaluationHalt('policy_memory_exceeded', 'the range has too many numbers');
  context.charge(Number(count) * NUMBER_STEPS);
  const way = from <= to ? step : -step;
  return arr(Array.from({ length: Number(count) }, (_, index) => num(from + BigInt(index) * way)));
}

/** An argument that OPA takes as a big integer, in any notation. */
function bigArg(args: readonly Term[], index: number): bigint {
  const term = args[index];
  const value = term?.kind === 'number' ? integerOf(term.text, MAX_DIGITS) : undefined;
  if (value === undefined) throw wrongType(index, 'integer', term);
  return value;
}

/** `rand.intn`: from 0 up to the amount of `n`, not included; the same for the same text and amount within a decision. */
function randIntn(args: readonly Term[], context: BuiltinContext): Term {
  const label = stringArg(args, 0);
  const limit = integerArg(args, 1);
  const most = limit < 0n ? -limit : limit;
  if (most === 0n) return num(0);
  if (most >= 2n ** 63n) throw new BuiltinError('the bound is too large');
  const bytes = context.random(`rand.intn ${label}-${most}`, RANDOM_BYTES);
  return num(bigOf(bytes) % most);
}

/** Numbers. */
export const NUMBER_BUILTINS: Readonly<Record<string, Builtin>> = {
  'numbers.range_step': { arity: 3, call: rangeStep },
  'rand.intn': { arity: 2, nondeterministic: true, call: randIntn },
};
