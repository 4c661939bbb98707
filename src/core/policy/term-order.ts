import { compareNumbers } from './number-text.ts';
import type { Term } from './term.ts';

const RANK = { null: 0, boolean: 1, number: 2, string: 3, array: 4, object: 5, set: 6 } as const satisfies Record<
  Term['kind'],
  number
>;

/** Rego's order of values (OPA documentation, "Comparison"): null, booleans, numbers, strings, arrays, objects, sets. */
export function compareTerms(left: Term, right: Term): number {
  if (left.kind === 'boolean' && right.kind === 'boolean') return Number(left.value) - Number(right.value);
  if (left.kind === 'number' && right.kind === 'number') return compareNumbers(left.text, right.text);
  if (left.kind === 'string' && right.kind === 'string') return compareStrings(left.value, right.value);
  if (left.kind === 'array' && right.kind === 'array') return compareLists(left.items, right.items);
  if (left.kind === 'set' && right.kind === 'set') return compareLists(sorted(left.items), sorted(right.items));
  if (left.kind === 'object' && right.kind === 'object') {
    return compareLists(sortedEntries(left.entries).flat(), sortedEntries(right.entries).flat());
  }
  return RANK[left.kind] - RANK[right.kind];
}

/** True where two values are the same Rego value. */
export function sameTerm(left: Term, right: Term): boolean {
  return compareTerms(left, right) === 0;
}

/** The elements of a set in Rego's order. */
export function sorted(items: readonly Term[]): Term[] {
  return items.toSorted(compareTerms);
}

/** The entries of an object in Rego's order of keys. */
export function sortedEntries(entries: readonly (readonly [Term, Term])[]): (readonly [Term, Term])[] {
  return entries.toSorted((a, b) => compareTerms(a[0], b[0]));
}

/** Go compares strings by bytes of UTF-8, which is the order of code points, not of UTF-16 units. */
export function compareStrings(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at += 1) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

/** Surrogates stand for code points above all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

function compareLists(left: readonly Term[], right: readonly Term[]): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at += 1) {
    const order = compareTerms(left[at] as Term, right[at] as Term);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}
