import { moveRecordsToLog } from './issuance-log.ts';
import { appendLost, countPending } from './record-rows.ts';

import type { Clock } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore, Transaction } from './authority-store.ts';
import type { IssuanceRecord } from './issuance-record.ts';

/** Records that may wait in the database for a log file that cannot be written; more, and nothing is issued. */
const MAX_PENDING = 10_000;

/** Keeps the books of a running authority: every answer has its record, on the disk before it is given. */
export interface RecordKeeper {
  /** Records that were lost since start, because the database could not be written; a notice in the log says so once it can. */
  readonly lost: number;
  readonly pending: number;
  /** False while too many records wait for the log file. */
  hasRoom(): boolean;
  /** Stores what an action stores, in one transaction; what was lost before is said first. */
  write<T>(action: (transaction: Transaction) => T): Result<T, string>;
  /** Stores a record that goes with nothing else. Those of one turn of the event loop share a transaction. Resolves when it is stored, or counted as lost. */
  add(record: IssuanceRecord): Promise<void>;
  /** Moves what is stored to the log file. Gives what went wrong. */
  move(): string | undefined;
}

export function createRecordKeeper(store: AuthorityStore, clock: Pick<Clock, 'wallMs'>): RecordKeeper {
  return new Keeper(store, clock);
}

type Waiting = { readonly record: IssuanceRecord; readonly done: () => void };

class Keeper implements RecordKeeper {
  readonly #store: AuthorityStore;
  readonly #clock: Pick<Clock, 'wallMs'>;
  #waiting: Waiting[] = [];
  /** Lost and not yet said in the log. */
  #unsaid: { readonly records: number; readonly last: IssuanceRecord } | undefined;
  lost = 0;
  pending = 0;

  constructor(store: AuthorityStore, clock: Pick<Clock, 'wallMs'>) {
    this.#store = store;
    this.#clock = clock;
    this.#count();
  }

  hasRoom(): boolean {
    return this.pending < MAX_PENDING;
  }

  write<T>(action: (transaction: Transaction) => T): Result<T, string> {
    const unsaid = this.#unsaid;
    let added = 0;
    const written = this.#store.write((transaction) => {
      if (unsaid !== undefined) {
        appendLost(transaction.database, unsaid.records, unsaid.last, this.#clock.wallMs());
        added += 1;
      }
      const record = (one: IssuanceRecord): void => {
        transaction.record(one);
        added += 1;
      };
      return action({ database: transaction.database, record });
    });
    if (written.ok) {
      this.#unsaid = undefined;
      this.pending += added;
    }
    return written;
  }

  add(record: IssuanceRecord): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ record, done });
      if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    });
  }

  move(): string | undefined {
    const moved = moveRecordsToLog(this.#store, this.#clock.wallMs());
    if (moved.ok) this.pending = 0;
    else this.#count();
    return moved.ok ? undefined : moved.error;
  }

  #flush(): void {
    const waiting = this.#waiting.splice(0);
    const fits = this.hasRoom();
    const written = fits && this.write(({ record }) => waiting.forEach((one) => record(one.record))).ok;
    const last = waiting.at(-1)?.record;
    if (!written && last !== undefined) {
      this.lost += waiting.length;
      this.#unsaid = { records: (this.#unsaid?.records ?? 0) + waiting.length, last };
    }
    for (const { done } of waiting) done();
  }

  #count(): void {
    const counted = this.#store.read(countPending);
    if (counted.ok) this.pending = counted.value;
  }
}
