import assert from 'node:assert/strict';

import { EvaluationHalt } from '../../src/core/policy/abort.ts';
import { BuiltinError } from '../../src/core/policy/builtin.ts';
import type { BuiltinContext } from '../../src/core/policy/builtin.ts';
import { regoText } from '../../src/core/policy/builtins/go-value.ts';
import { HOST_BUILTINS } from '../../src/core/policy/builtins/table.ts';
import { parseTerm, termText } from '../../src/core/policy/term-text.ts';
import { arr } from '../../src/core/policy/term.ts';
import type { Term } from '../../src/core/policy/term.ts';

/** A decision that costs nothing, at the first nanosecond, with bytes of 7. */
export const FREE: BuiltinContext = {
  nowNs: () => '1',
  random: (_, length) => new Uint8Array(length).fill(7),
  charge: () => undefined,
};

/** A decision that ends after so many steps. */
export function limited(steps: number): BuiltinContext {
  let left = steps;
  const charge = (price: number): void => {
    left -= price;
    if (left < 0) throw new EvaluationHalt('policy_budget_exceeded', 'the step budget is spent');
  };
  return { ...FREE, charge };
}

/** Calls a host built-in by its name, with values. */
export function call(name: string, args: readonly Term[], context: BuiltinContext = FREE): Term {
  const builtin = HOST_BUILTINS.get(name);
  assert.ok(builtin !== undefined, `no built-in ${name}`);
  assert.equal(args.length, builtin.arity, `${name} takes ${builtin.arity} operands`);
  return builtin.call(args, context);
}

/** Calls a host built-in with Rego text, as a policy module does: `ask('indexof_n', '"aXa"', '"a"')` gives `[0,2]`. */
export function ask(name: string, ...texts: readonly string[]): string {
  return termText(call(name, texts.map(parseTerm)));
}

/** Our answer to a call as `opaAnswers` has OPA's: the text of an array with it, `[]` where a built-in error makes it undefined. */
export function ourAnswer({ name, args }: { readonly name: string; readonly args: readonly Term[] }): string {
  try {
    return regoText(arr([call(name, args)]));
  } catch (problem) {
    if (problem instanceof BuiltinError) return '[]';
    throw problem;
  }
}
