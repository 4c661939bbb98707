import type { Clock } from '../../core/kernel/clock.ts';

/** How often something may happen for one key. */
export type Rate = {
  /** Sustained, a second; above 0, fractions are fine: 1 / 60 is once a minute. */
  readonly perSecond: number;
  /** How many may come at once after a quiet while; at least 1. */
  readonly burst: number;
};

export type RateLimitSettings = Rate & {
  /** Keys that are remembered at once; at least 1. */
  readonly keys: number;
};

/** A limit for each key, over one rate. */
export interface RateLimit {
  /** Takes one from the allowance of the key: 0 where there was one, otherwise how long to wait, milliseconds. What is refused costs nothing. */
  take(key: string): number;
  /** Takes `cost` more whether they are there or not: what failed counts for more than what went well. The debt is bounded by a second burst. */
  charge(key: string, cost: number): void;
  /** Keys that are remembered. */
  readonly size: number;
}

/** Part of a full table that is forgotten at once, so that its search is paid by many newcomers. */
const FORGOTTEN_PART = 8;

/**
 * The generic cell rate algorithm (ITU-T I.371): for each key the time at which its allowance would be whole again. A key whose time has come is as
 * good as absent and is dropped first. Where the table is full of others, those nearest to being whole are forgotten, an eighth of the table: they
 * lose the least. So nobody resets a limit of their own that counts, unless they have as many other keys (addresses) deeper in debt as the table
 * holds, and with so many addresses they would not need to. Pure but for the clock.
 */
export function createRateLimit(settings: RateLimitSettings, clock: Pick<Clock, 'monotonicMs'>): RateLimit {
  const intervalMs = 1_000 / settings.perSecond;
  const toleranceMs = settings.burst * intervalMs;
  const wholeAt = new Map<string, number>();

  function remember(key: string, at: number): void {
    if (!wholeAt.has(key) && wholeAt.size >= settings.keys) makeRoom(wholeAt, clock.monotonicMs());
    wholeAt.set(key, at);
  }

  return {
    take(key) {
      const now = clock.monotonicMs();
      const next = Math.max(now, wholeAt.get(key) ?? now) + intervalMs;
      const waitMs = next - now - toleranceMs;
      // A thousandth of a millisecond: what sums of fractions may be off by.
      if (waitMs > 0.001) return waitMs;
      remember(key, next);
      return 0;
    },
    charge(key, cost) {
      const now = clock.monotonicMs();
      const next = Math.max(now, wholeAt.get(key) ?? now) + cost * intervalMs;
      remember(key, Math.min(next, now + 2 * toleranceMs));
    },
    get size() {
      return wholeAt.size;
    },
  };
}

function makeRoom(wholeAt: Map<string, number>, now: number): void {
  const before = wholeAt.size;
  for (const [key, at] of wholeAt) if (at <= now) wholeAt.delete(key);
  if (wholeAt.size < before) return;
  const nearest = [...wholeAt].sort(([, a], [, b]) => a - b);
  for (const [key] of nearest.slice(0, Math.ceil(before / FORGOTTEN_PART))) wholeAt.delete(key);
}
