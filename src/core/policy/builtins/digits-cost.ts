import type { BuiltinContext } from '../builtin.ts';

/** Steps of one digit of a short number, and what longer ones make of it: JavaScript reads and writes digits in more than linear time, a million of them in 0.3 s. */
const DIGIT_STEPS = 12;

/** Pays for reading a whole number of so many digits from text, working with it and writing it again; to be called before it is read. */
export function chargeDigits(digits: number, context: BuiltinContext): void {
  context.charge(digits * Math.sqrt(digits) * DIGIT_STEPS);
}
