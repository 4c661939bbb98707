import { sorted, sortedEntries } from '../term-order.ts';
import type { Term } from '../term.ts';
import { goQuote } from './go-quote.ts';

/** A value of Go's `fmt` that a Rego value becomes in `sprintf` (OPA topdown/strings.go, builtinSprintf). */
export type GoValue =
  | { readonly kind: 'int64' | '*big.Int'; readonly value: bigint }
  | { readonly kind: 'float64'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string };

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
