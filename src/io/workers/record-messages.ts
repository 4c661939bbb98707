/** From a worker to whoever holds the journal. */
export type RecordBatch = {
  readonly kind: 'records';
  /** Lines without their seal, in the order in which they were made. */
  readonly lines: readonly string[];
  /** Places in `lines` for which no room was taken. */
  readonly unreserved: readonly number[];
  /** Records before these that are in no line: made without room, while too many such were on their way. */
  readonly lost: number;
  /** Credit that is asked for; answered by `credit`. */
  readonly ask: number;
  readonly giveBack: number;
};

/** A request waits for room; answered by `room`. */
export type RoomWanted = { readonly kind: 'want' };

/** Back to the worker. */
export type CreditGranted = { readonly kind: 'credit'; readonly granted: number };
export type RoomAnswer = { readonly kind: 'room'; readonly reserved: boolean };
/** So many lines without room have arrived. */
export type UnreservedTaken = { readonly kind: 'taken'; readonly lines: number };

export type ToJournal = RecordBatch | RoomWanted;
export type FromJournal = CreditGranted | RoomAnswer | UnreservedTaken;

/**
 * What a thread leaves behind, in memory that outlives it: records that were promised or made, and have not left it. Written by the worker, read by the other side once it has
 * ended.
 */
export class Remains {
  readonly #counts: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#counts = new Int32Array(memory);
  }

  static readonly BYTES = Int32Array.BYTES_PER_ELEMENT;

  set records(count: number) {
    Atomics.store(this.#counts, 0, count);
  }

  get records(): number {
    return Atomics.load(this.#counts, 0);
  }
}
