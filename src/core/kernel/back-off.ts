import type { Random } from './clock.ts';

/** A number from `min` (inclusive) to `max`, evenly spread; `min` where the two are equal. */
export function between(min: number, max: number, random: Random): number {
  const bytes = random(4);
  const part = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
  return min + (max - min) * part;
}

/**
 * How long to wait before the next attempt after `failures` (at least 1) in a row: twice as long each time from `firstMs` to `lastMs`, of which
 * a random part between half and all, so that many clients of one server that failed do not come back together.
 */
export function backOffMs(failures: number, firstMs: number, lastMs: number, random: Random): number {
  const full = Math.min(lastMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return between(full / 2, full, random);
}
