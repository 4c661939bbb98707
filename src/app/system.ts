import { randomFillSync } from 'node:crypto';

import type { Clock, Random } from '../core/kernel/clock.ts';

/** The real clocks. */
export const systemClock: Clock = Object.freeze({
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
});

const POOL_BYTES = 8_192;

/** Randomness from the operating system, fetched in blocks: an identifier of 16 bytes costs a copy, not a call. No byte is given out twice. */
export function createRandom(): Random {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return (length) => {
    if (length > POOL_BYTES) return randomFillSync(new Uint8Array(length));
    if (used + length > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const bytes = pool.slice(used, used + length);
    pool.fill(0, used, used + length);
    used += length;
    return bytes;
  };
}
