/** Bytes counted for a record that has room but is not made yet. */
const PROMISED_BYTES = 2_048;

/** The part of the bounds for lines that nobody took room for: an eighth beside the queue, so that they never cost a request its room. */
const SPARE = 8;

/** How many records an empty queue has room for at once. */
export function mostPromised({ queueRecords, queueBytes }: Bounds): number {
  return Math.min(queueRecords, Math.ceil(queueBytes / PROMISED_BYTES));
}

type Bounds = { readonly queueRecords: number; readonly queueBytes: number };

/** What one line, or several, take up. `spare`: it came without room taken before. */
export type Load = {
  readonly records: number;
  readonly bytes: number;
  readonly spare: number;
  readonly spareBytes: number;
};

/**
 * The books of a bounded queue: what is promised (room taken, record not made yet), what is queued, and the spare room beside it.
 * Memory is bounded by `queueBytes` and its spare eighth, plus what records in progress turn out larger than 2 KiB.
 */
export class Room {
  readonly #limits: Bounds;
  #promised = 0;
  #records = 0;
  #bytes = 0;
  #spare = 0;
  #spareBytes = 0;

  constructor(limits: Bounds) {
    this.#limits = limits;
  }

  get promised(): number {
    return this.#promised;
  }

  /** Lines queued, of either kind. */
  get queued(): number {
    return this.#records + this.#spare;
  }

  get queuedBytes(): number {
    return this.#bytes + this.#spareBytes;
  }

  /** True when one more record can be promised. */
  hasRoom(): boolean {
    const { queueRecords, queueBytes } = this.#limits;
    return this.#records + this.#promised < queueRecords && this.#bytes + this.#promised * PROMISED_BYTES < queueBytes;
  }

  /** True when one more line may be queued, promises aside. */
  canQueue(): boolean {
    return this.#records < this.#limits.queueRecords && this.#bytes < this.#limits.queueBytes;
  }

  /** True when a line without promise may be queued. */
  canSpare(): boolean {
    const { queueRecords, queueBytes } = this.#limits;
    return this.#spare < Math.ceil(queueRecords / SPARE) && this.#spareBytes < queueBytes / SPARE;
  }

  promise(): void {
    this.#promised += 1;
  }

  /** Takes a promise back; a promise that nobody made is not counted below zero. */
  keepPromise(): void {
    this.#promised = Math.max(0, this.#promised - 1);
  }

  add(load: Load): void {
    this.#records += load.records;
    this.#bytes += load.bytes;
    this.#spare += load.spare;
    this.#spareBytes += load.spareBytes;
  }

  settle(load: Load): void {
    this.#records -= load.records;
    this.#bytes -= load.bytes;
    this.#spare -= load.spare;
    this.#spareBytes -= load.spareBytes;
  }
}
