import { randomFillSync } from 'node:crypto';

import type { Clock, Random } from '../core/kernel/clock.ts';

/** The real clocks. */
export const systemClock: Clock = Object.freeze({
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
});

const BLOCK_BYTES = 8_192;

/**
 * Randomness from the operating system, fetched in blocks: an identifier of 16 bytes costs a view of the block, neither a call nor a buffer of its
 * own (which costs more than the bytes). No byte is given out twice: a block that is used up is left to those who hold views of it.
 */
export function createRandom(): Random {
  let block = new Uint8Array(0);
  let used = 0;
  return (length) => {
    if (length > BLOCK_BYTES) return randomFillSync(new Uint8Array(length));
    if (used + length > block.length) {
      block = randomFillSync(new Uint8Array(BLOCK_BYTES));
      used = 0;
    }
    used += length;
    return block.subarray(used - length, used);
  };
}
