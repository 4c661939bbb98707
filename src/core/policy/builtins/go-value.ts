import { sorted, sortedEntries } from '../term-order.ts';
import type { Term } from '../term.ts';
import { goQuote } from './go-quote.ts';

/** Kinds that hold other values, by Go's names of them: what `encoding/json` makes of objects and arrays. */
export const GO_MAP = 'map[string]interface {}';
export const GO_LIST = '[]interface {}';

/** A value of Go's `fmt`; `kind` is its type as Go writes it. `sprintf` knows the first three lines (OPA topdown/strings.go, builtinSprintf), templates all but `int64`. */
export type GoValue =
  | { readonly kind: 'int64' | '*big.Int' | 'int' | 'uint8'; readonly value: bigint }
  | { readonly kind: 'float64'; readonly value: number }
  | { readonly kind: 'string' | 'json.Number'; readonly value: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: '<nil>' }
  | GoGroup;

/** What holds values. */
export type GoGroup = GoMap | GoList;

/** Entries in order of their keys. */
export type GoMap = { readonly kind: typeof GO_MAP; readonly entries: ReadonlyMap<string, GoValue> };

/** A slice of an array: elements `from` to `to`; those up to `end` can be sliced back in. */
export type GoList = {
  readonly kind: typeof GO_LIST;
  readonly array: readonly GoValue[];
  readonly from: number;
  readonly to: number;
  readonly end: number;
};

const LEAST = -(2n ** 63n);
const MOST = 2n ** 63n - 1n;
const FLOAT = /[.eE]/;

/** Numbers with a point or exponent are floats, others integers; strings are themselves; everything else is its Rego text. */
export function goValue(term: Term): GoValue {
  if (term.kind === 'string') return { kind: 'string', value: term.value };
  if (term.kind !== 'number') return { kind: 'string', value: regoText(term) };
  if (FLOAT.test(term.text)) {
    const value = Number(term.text);
    return Number.isFinite(value) ? { kind: 'float64', value } : { kind: 'string', value: term.text };
  }
  const value = BigInt(term.text);
  return { kind: value < LEAST || value > MOST ? '*big.Int' : 'int64', value };
}

/** A value as Rego writes it: `{"a": [1, true], "b": {1, 2}}`, keys and members in order. */
export function regoText(term: Term): string {
  switch (term.kind) {
    case 'null':
      return 'null';
    case 'boolean':
      return String(term.value);
    case 'number':
      return term.text;
    case 'string':
      return goQuote(term.value);
    case 'array':
      return `[${term.items.map(regoText).join(', ')}]`;
    case 'set':
      return term.items.length === 0 ? 'set()' : `{${sorted(term.items).map(regoText).join(', ')}}`;
    case 'object':
      return `{${sortedEntries(term.entries)
        .map(([key, value]) => `${regoText(key)}: ${regoText(value)}`)
        .join(', ')}}`;
    default:
      return term satisfies never;
  }
}

/** The elements of a list. */
export function elements(list: GoList): readonly GoValue[] {
  return list.array.slice(list.from, list.to);
}

/** How many values are formatted for one: itself and all in it. */
export function leavesOf(value: GoValue): number {
  if (value.kind === GO_LIST) return elements(value).reduce((sum, item) => sum + leavesOf(item), 1);
  if (value.kind !== GO_MAP) return 1;
  let sum = 1;
  for (const item of value.entries.values()) sum += 1 + leavesOf(item);
  return sum;
}
