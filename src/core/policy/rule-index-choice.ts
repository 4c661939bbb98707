import type { Test, TestedBlock } from './rule-index-tests.ts';

/** A block and the test by which it is left. */
export type Guard = { readonly at: number; readonly top: number; readonly test: Test };

/** Fewest blocks that are worth looking at a place beforehand, which takes about as long as two of them. */
const LEAST_BLOCKS = 8;
/** Most places that one function looks at beforehand. */
const MOST_PLACES = 8;

/**
 * Chooses for each block the test that fewest blocks share, since that one fails most often: `input.path == "/service/17"` rather than
 * `input.method == "GET"`. Places that decide on few blocks are given up, and their blocks fall to another of their tests, or to none.
 */
export function chooseGuards(blocks: readonly TestedBlock[]): readonly Guard[] {
  const shared = countOf(blocks.flatMap(({ tests }) => tests.map(nameOf)));
  const choose = (usable: (test: Test) => boolean): Guard[] =>
    blocks.flatMap(({ at, top, tests }) => {
      const ranked = tests.filter(usable).sort((a, b) => (shared.get(nameOf(a)) ?? 0) - (shared.get(nameOf(b)) ?? 0));
      return ranked[0] === undefined ? [] : [{ at, top, test: ranked[0] }];
    });
  const users = countOf(choose(() => true).map(({ test }) => test.place.name));
  const kept = [...users].filter(([, count]) => count >= LEAST_BLOCKS).sort(([, a], [, b]) => b - a);
  const places = new Set(kept.slice(0, MOST_PLACES).map(([name]) => name));
  return choose(({ place }) => places.has(place.name));
}

function nameOf({ place, constant }: Test): string {
  return `${place.name}=${constant}`;
}

function countOf(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
