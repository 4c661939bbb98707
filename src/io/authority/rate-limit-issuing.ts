import { sourceOf } from './rate-limit-source.ts';
import { createRateLimit } from './rate-limit.ts';

import type { Clock } from '../../core/kernel/clock.ts';
import type { IssuingLimits } from './issuing-authority.ts';
import type { Rate } from './rate-limit.ts';

export type IssuingRates = {
  /** Calls of one source, however many IDs it asks for: what one node with its many pods may need. Default 50 a second, 200 at once. */
  readonly source: Rate;
  /**
   * Certificates of one ID. All replicas of a workload share one: 1 a second is 1,800 of them that renew each half hour. Default 1 a second, 60 at once.
   */
  readonly id: Rate;
  /** Sources, and IDs, that are remembered at once. Default 16,384. */
  readonly keys: number;
};

export const DEFAULT_ISSUING_RATES: IssuingRates = Object.freeze({
  source: { perSecond: 50, burst: 200 },
  id: { perSecond: 1, burst: 60 },
  keys: 16_384,
});

/**
 * The limits that an authority asks before it signs, whichever door a caller came by. The HTTPS service has stricter ones of its own for callers
 * who have not yet proven anything. A source that is no address (a local socket) is limited under its own name.
 */
export function createIssuingLimits(rates: IssuingRates, clock: Pick<Clock, 'monotonicMs'>): IssuingLimits {
  const sources = createRateLimit({ ...rates.source, keys: rates.keys }, clock);
  const ids = createRateLimit({ ...rates.id, keys: rates.keys }, clock);
  return {
    takeSource: (source) => {
      const key = sourceOf(source);
      return sources.take(key === 'unknown' ? `other ${source.slice(0, 256)}` : key) === 0;
    },
    takeId: (spiffeId) => ids.take(spiffeId) === 0,
  };
}
