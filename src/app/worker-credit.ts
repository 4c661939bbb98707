import type { Config } from '../core/config/config.ts';
import { mostPromised } from '../io/journal/room.ts';

/** The part of the journal's queue that workers hold in hand while nothing happens is at most a quarter: each up to two chunks. */
const QUEUE_PARTS = 8;

/** More at once brings nothing: a message for so many records costs next to nothing each. */
const MOST_CREDIT = 256;

/** Room in the journal that each of `count` workers asks for at once, by records and by bytes, whichever is less; 0 where the queue is too small for so many. */
export function creditChunk({ records, bytes }: Config['journalQueue'], count: number): number {
  const room = mostPromised({ queueRecords: records, queueBytes: bytes });
  return Math.min(MOST_CREDIT, Math.floor(room / (QUEUE_PARTS * count)));
}

/** How many workers a queue is large enough for: with more, some could have no room while it lies idle with others. At least 1. */
export function mostWorkers({ records, bytes }: Config['journalQueue']): number {
  return Math.max(1, Math.floor(mostPromised({ queueRecords: records, queueBytes: bytes }) / QUEUE_PARTS));
}
