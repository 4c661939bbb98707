import { backOffMs } from '../../core/kernel/back-off.ts';

import type { Clock, Random, Timer } from '../../core/kernel/clock.ts';

/** How one question about trust ended. */
export type TrustAnswer =
  | { readonly kind: 'news' | 'unchanged' }
  /** `retryAfterMs`: not to be asked again before, as the authority said. */
  | { readonly kind: 'failed'; readonly retryAfterMs: number | undefined };

/** Asks without end, one question after the other. */
export interface TrustLoop {
  start(): void;
  stop(): void;
  /** Asks now where it would have waited. */
  hurry(): void;
}

/** How long the authority may hold a question until there is news, milliseconds. */
export const TRUST_WAIT_MS = 30_000;

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
const LONGEST_REST_MS = 600_000;
/** After news: more of it comes soon, and a revocation must arrive within the second. */
const NEWS_GAP_MS = 250;
/** After an answer that there is none, though we would have waited: an authority without room for us, or one that lies. */
const HASTY_GAP_MS = 1_000;
/** Trust is read on the event loop: the authority is left alone so many times as long as that took. */
const REST = 4;

/**
 * Follows the trust of an authority by long poll. `ask` asks, judges and takes what came, and gives how long the judging took; it does not throw. Pauses after
 * failures double from half a second to ten seconds, so that a revocation is not far behind the end of an outage; `Retry-After` is kept, up to ten minutes.
 */
export function createTrustLoop(
  ask: () => Promise<TrustAnswer & { readonly judgedMs: number }>,
  deps: { readonly clock: Clock; readonly random: Random; readonly timer: Timer },
): TrustLoop {
  const { clock, random, timer } = deps;
  let cancel: (() => void) | undefined;
  let failures = 0;
  let state: 'new' | 'running' | 'stopped' = 'new';

  const pauseAfter = (answer: Awaited<ReturnType<typeof ask>>, elapsedMs: number): number => {
    failures = answer.kind === 'failed' ? failures + 1 : 0;
    const rest = REST * answer.judgedMs;
    switch (answer.kind) {
      case 'news':
        return Math.max(rest, NEWS_GAP_MS);
      case 'unchanged':
        return elapsedMs < TRUST_WAIT_MS / 2 ? HASTY_GAP_MS : 0;
      case 'failed':
        return Math.max(
          rest,
          backOffMs(failures, FIRST_RETRY_MS, LAST_RETRY_MS, random),
          Math.min(answer.retryAfterMs ?? 0, LONGEST_REST_MS),
        );
      default:
        return answer satisfies never;
    }
  };
  const turn = (): void => {
    cancel = undefined;
    const askedMs = clock.monotonicMs();
    void ask().then((answer) => {
      if (state === 'running') cancel = timer(pauseAfter(answer, clock.monotonicMs() - askedMs), turn);
    });
  };
  return {
    start: () => {
      if (state !== 'new') return;
      state = 'running';
      turn();
    },
    stop: () => {
      state = 'stopped';
      cancel?.();
    },
    hurry: () => {
      if (cancel === undefined) return;
      cancel();
      turn();
    },
  };
}
