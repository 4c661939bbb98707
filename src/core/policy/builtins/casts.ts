import { wrongType } from '../builtin.ts';
import type { Builtin } from '../builtin.ts';
import { sorted } from '../term-order.ts';
import { arr, bool } from '../term.ts';
import type { Term } from '../term.ts';

/** A cast that lets one kind of value pass and is an error for all others. */
function only(kind: Term['kind']): Builtin {
  return {
    arity: 1,
    call: ([value]) => {
      if (value?.kind !== kind) throw wrongType(0, kind, value);
      return value;
    },
  };
}

/** The elements of an array or a set; a set's in order. */
function elements(value: Term | undefined): readonly Term[] {
  if (value?.kind === 'array') return value.items;
  if (value?.kind === 'set') return sorted(value.items);
  throw wrongType(0, 'array or set', value);
}

/** Built-ins that only older policies call, and those that `print` and `test.case` are compiled to, which have no effect in this host. */
export const CAST_BUILTINS: Readonly<Record<string, Builtin>> = {
  cast_array: { arity: 1, call: ([value]) => arr(elements(value)) },
  cast_set: { arity: 1, call: ([value]) => ({ kind: 'set', items: elements(value) }) },
  cast_string: only('string'),
  cast_boolean: only('boolean'),
  cast_null: only('null'),
  cast_object: only('object'),
  'internal.print': { arity: 1, call: () => bool(true) },
  'internal.test_case': { arity: 1, call: () => bool(true) },
};
