import type { Term } from '../term.ts';

/** How large a value is: about the characters of its text, and its levels of nesting (a scalar has none). */
export type Weight = { readonly size: number; readonly depth: number };

const known = new WeakMap<Term, Weight>();

/** Weighs a value. Parts that it shares with values weighed before are not walked again, so that a value may be weighed after each change. */
export function weigh(term: Term): Weight {
  if (term.kind === 'array' || term.kind === 'set') return remembered(term, term.items);
  if (term.kind === 'object') return remembered(term, term.entries.flat());
  if (term.kind === 'string') return { size: term.value.length + 3, depth: 0 };
  return { size: term.kind === 'number' ? term.text.length + 1 : 6, depth: 0 };
}

function remembered(term: Term, parts: readonly Term[]): Weight {
  const found = known.get(term);
  if (found !== undefined) return found;
  let size = 3;
  let depth = 0;
  for (const part of parts) {
    const weight = weigh(part);
    size += weight.size;
    depth = Math.max(depth, weight.depth);
  }
  const weight = { size, depth: depth + 1 };
  known.set(term, weight);
  return weight;
}
