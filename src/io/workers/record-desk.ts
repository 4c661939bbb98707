import type { JournalPort } from '../../core/gate/ports.ts';
import type { FromJournal, RecordBatch, ToJournal } from './record-messages.ts';

export type DeskDeps = {
  readonly journal: JournalPort;
  /** Declares records that have no line, behind the last that was sealed. */
  readonly lost: (records: number) => void;
  /** Chains a line, in the order in which the lines come. */
  readonly seal: (line: string) => string;
  readonly post: (message: FromJournal) => void;
};

/** What the thread that has the journal does for one worker: grants it room, chains and writes its lines, takes its room back when it has ended. */
export class RecordDesk {
  readonly #deps: DeskDeps;
  /** Room in the journal that the worker holds. */
  #held = 0;
  #isClosed = false;

  constructor(deps: DeskDeps) {
    this.#deps = deps;
  }

  get held(): number {
    return this.#held;
  }

  heard(message: ToJournal): void {
    if (this.#isClosed) return;
    if (message.kind === 'records') this.#take(message);
    else this.#want();
  }

  /** The worker has ended: the room that it held is free again. */
  close(): void {
    this.#isClosed = true;
    this.#giveBack(this.#held);
  }

  #take({ lines, unreserved, lost, ask, giveBack }: RecordBatch): void {
    if (lost > 0) this.#deps.lost(lost);
    let next = 0;
    for (const [index, line] of lines.entries()) {
      const sealed = this.#deps.seal(line);
      if (unreserved[next] === index) {
        next += 1;
        this.#deps.journal.writeUnreserved(sealed);
      } else {
        this.#held -= 1;
        this.#deps.journal.write(sealed);
      }
    }
    this.#giveBack(giveBack);
    if (next > 0) this.#deps.post({ kind: 'taken', lines: next });
    if (ask > 0) this.#deps.post({ kind: 'credit', granted: this.#grant(ask) });
  }

  /** As much as there is room for. */
  #grant(ask: number): number {
    let granted = 0;
    while (granted < ask && this.#deps.journal.reserve()) granted += 1;
    this.#held += granted;
    return granted;
  }

  #want(): void {
    this.#deps.journal.reserveLater((reserved) => {
      if (reserved && this.#isClosed) this.#deps.journal.release();
      if (this.#isClosed) return;
      if (reserved) this.#held += 1;
      this.#deps.post({ kind: 'room', reserved });
    });
  }

  #giveBack(count: number): void {
    this.#held -= count;
    for (let i = 0; i < count; i += 1) this.#deps.journal.release();
  }
}
