import { BuiltinError } from '../../src/core/policy/builtin.ts';
import type { BuiltinContext } from '../../src/core/policy/builtin.ts';
import { goJson } from '../../src/core/policy/builtins/go-json.ts';
import { parseJson } from '../../src/core/policy/builtins/json-term.ts';
import type { Term } from '../../src/core/policy/term.ts';
import { FREE, call } from './builtin-call.ts';

/** A JavaScript value as a Rego value. */
export function term(value: unknown): Term {
  return typeof value === 'bigint' ? parseJson(String(value)) : parseJson(JSON.stringify(value));
}

/** Calls a host built-in with JavaScript values; gives its answer as one, undefined where it fails as a built-in may. */
export function answer(name: string, values: readonly unknown[], context: BuiltinContext = FREE): unknown {
  try {
    return JSON.parse(goJson(call(name, values.map(term), context)));
  } catch (problem) {
    if (problem instanceof BuiltinError) return undefined;
    throw problem;
  }
}
