import { BuiltinError } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { sameTerm } from '../term-order.ts';
import { bool } from '../term.ts';
import type { Term } from '../term.ts';

/** Steps of comparing two values. */
const COMPARE_STEPS = 4_000;

type Entries = readonly (readonly [Term, Term])[];

/**
 * `object.subset` as OPA defines it: objects by key, recursively; sets by membership; arrays as a run of elements; a set in an array in any order.
 * Undefined for `nothing in common`: other pairs of types are an error at the top and false below it.
 */
function isSubset(parent: Term, part: Term, context: BuiltinContext): boolean | undefined {
  if (parent.kind === 'object' && part.kind === 'object') return objectSubset(parent.entries, part.entries, context);
  if (parent.kind === 'set' && part.kind === 'set') return setSubset(parent.items, part.items, context);
  if (parent.kind === 'array' && part.kind === 'array') return runOf(parent.items, part.items, context);
  return undefined;
}

function objectSubset(parent: Entries, part: Entries, context: BuiltinContext): boolean {
  return part.every(([key, value]) => {
    const found = parent.find(([name]) => same(name, key, context))?.[1];
    if (found === undefined) return false;
    return same(found, value, context) || isSubset(found, value, context) === true;
  });
}

function setSubset(parent: readonly Term[], part: readonly Term[], context: BuiltinContext): boolean {
  return part.every((item) => parent.some((other) => same(other, item, context)));
}

/** OPA's own search: after a mismatch it starts again one element on. */
function runOf(parent: readonly Term[], part: readonly Term[], context: BuiltinContext): boolean {
  for (let start = 0; start + part.length <= parent.length; start += 1) {
    if (part.every((item, offset) => same(parent[start + offset] as Term, item, context))) return true;
  }
  return false;
}

function same(left: Term, right: Term, context: BuiltinContext): boolean {
  context.charge(COMPARE_STEPS);
  return sameTerm(left, right);
}

/** Objects. */
export const OBJECT_BUILTINS: Readonly<Record<string, Builtin>> = {
  'object.subset': {
    arity: 2,
    call: ([parent, part], context) => {
      if (parent?.kind === 'array' && part?.kind === 'set') return bool(arrayHasAll(parent.items, part.items, context));
      const answer = parent !== undefined && part !== undefined ? isSubset(parent, part, context) : undefined;
      if (answer === undefined) throw new BuiltinError('both arguments must be of the same type or array and set');
      return bool(answer);
    },
  },
};

/** OPA's `arraySetSubset` counts matching elements of the array, so an empty set is in every array but the empty one. */
function arrayHasAll(parent: readonly Term[], part: readonly Term[], context: BuiltinContext): boolean {
  let unmatched = part.length;
  return parent.some((item) => {
    if (part.some((other) => same(item, other, context))) unmatched -= 1;
    return unmatched === 0;
  });
}
