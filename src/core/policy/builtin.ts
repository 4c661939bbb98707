import type { Term } from './term.ts';

/** An error of a built-in function as OPA knows it: the expression is undefined (OPA documentation, "Built-in errors"), the decision goes on. */
export class BuiltinError extends Error {}

/** What a built-in may use of the decision that it is part of. */
export interface BuiltinContext {
  /** The time of this decision, nanoseconds since the epoch as decimal text; the same however often it is asked for. */
  nowNs(): string;
  /** `length` random bytes that belong to `label`: the same within this decision, whatever asks; fresh in the next. */
  random(label: string, length: number): Uint8Array;
  /** Takes steps from the budget for work beyond what arguments and result are charged for; ends the evaluation when it is spent. */
  charge(steps: number): void;
}

/** One built-in function of this host. Gives OPA's answer for the same arguments, throws BuiltinError where OPA's fails. */
export type Builtin = {
  readonly arity: 0 | 1 | 2 | 3 | 4;
  /**
   * True where the answer is not a function of the arguments, as time is: such decisions are never cached, the answer is recorded, and within one
   * decision it is given again for the same arguments.
   */
  readonly nondeterministic?: true;
  /**
   * What a record of a nondeterministic call must not show (promise 10): `arguments` that hold keys or tokens are recorded as a digest, which a replay finds
   * again; of a whole `call`, whose answer is a credential too, nothing is recorded.
   */
  readonly confidential?: 'arguments' | 'call';
  readonly call: (args: readonly Term[], context: BuiltinContext) => Term;
};

/** Longest text that a built-in may be given or give, characters of Rego text. */
export const MAX_TEXT = 1024 * 1024;

/** The value of a string argument. */
export function stringArg(args: readonly Term[], index: number): string {
  const term = args[index];
  if (term?.kind === 'string') return term.value;
  throw wrongType(index, 'string', term);
}

/** The elements of an argument that must be an array or a set of strings. */
export function stringsArg(args: readonly Term[], index: number): string[] {
  const term = args[index];
  if (term?.kind !== 'array' && term?.kind !== 'set') throw wrongType(index, 'array or set', term);
  return term.items.map((item) => {
    if (item.kind === 'string') return item.value;
    throw wrongType(index, 'array or set of strings', item);
  });
}

/** An argument that OPA takes as a Go `int` of 64 bits: digits, and a point with nothing but zeros behind it; at most 19 characters. */
export function integerArg(args: readonly Term[], index: number): bigint {
  const term = args[index];
  const digits =
    term?.kind === 'number' ? /^(?=[+-]?[0-9.]{1,19}$)([+-]?[0-9]+)(?:\.0*)?$/.exec(term.text)?.[1] : undefined;
  const value = digits === undefined ? undefined : BigInt(digits);
  if (value === undefined || BigInt.asIntN(64, value) !== value) throw wrongType(index, 'integer number', term);
  return value;
}

/** The error for an argument of the wrong type; `index` counts from 0, the text from 1. */
export function wrongType(index: number, wanted: string, found: Term | undefined): BuiltinError {
  return new BuiltinError(`operand ${index + 1} must be ${wanted} but got ${found?.kind ?? 'nothing'}`);
}
