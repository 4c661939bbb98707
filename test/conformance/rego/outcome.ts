import type { Case } from './case.ts';
import { EXCEPTIONS } from './exceptions.ts';
import type { Exception } from './exceptions.ts';
import type { Verdict } from './run-case.ts';

/** A verdict in the light of the exceptions; `stale` is an exception that is none any more. */
export type Outcome = { readonly one: Case } & (
  | { readonly kind: 'passed' }
  | { readonly kind: 'excepted'; readonly exception: Exception }
  | { readonly kind: 'stale'; readonly exception: Exception }
  | { readonly kind: 'failed'; readonly wanted: string; readonly got: string }
);

const SHOWN = 300;

export function outcomeOf(one: Case, verdict: Verdict): Outcome {
  const exception = EXCEPTIONS.find(({ place }) => place === one.place);
  if (exception !== undefined) return { one, kind: verdict.kind === 'passed' ? 'stale' : 'excepted', exception };
  return { one, ...verdict };
}

/** For a terminal: every failure with what was wanted and what came, then the counts. */
export function summary(outcomes: readonly Outcome[]): string {
  const lines = outcomes.flatMap((outcome) => {
    const { note, place } = outcome.one;
    if (outcome.kind === 'stale') return [`STALE  ${place} ${note}\n  it holds now: take it off the exceptions`];
    if (outcome.kind !== 'failed') return [];
    const [wanted, got] = [outcome.wanted.slice(0, SHOWN), outcome.got.slice(0, SHOWN)];
    return [`FAILED ${place} ${note}\n  wanted ${wanted}\n  got    ${got}`];
  });
  const counts = (['passed', 'excepted', 'failed', 'stale'] as const).map((kind) => `${count(outcomes, kind)} ${kind}`);
  return [...lines, `${outcomes.length} cases: ${counts.join(', ')}`].join('\n');
}

export function count(outcomes: readonly Outcome[], kind: Outcome['kind']): number {
  return outcomes.filter((one) => one.kind === kind).length;
}
