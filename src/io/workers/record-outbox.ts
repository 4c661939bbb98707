import type { JournalPort } from '../../core/gate/ports.ts';
import type { Timer } from '../../core/kernel/clock.ts';
import { Credit } from './credit.ts';
import type { FromJournal, Remains, ToJournal } from './record-messages.ts';

export type OutboxSettings = {
  /** Credit in hand while nothing happens (`Credit`). */
  readonly chunk: number;
  /** How long lines are gathered before they are posted together, milliseconds: a message costs as much as several lines. */
  readonly lingerMs: number;
};

export type OutboxDeps = {
  readonly post: (message: ToJournal) => void;
  readonly timer: Timer;
  readonly remains: Remains;
};

/** Lines are posted at once when so many UTF-16 units have gathered. */
const BATCH_LENGTH = 131_072;

/**
 * Lines without room that may be on their way, or gathered: room bounds all others. Peers that are refused make them, and nothing slows a worker down while the thread
 * that has the journal is busy with something else.
 */
const MOST_UNRESERVED = 4_096;

/**
 * The journal as a worker thread sees it: room is credit that was granted before, lines gather and go to the thread that has the journal. Lines are to be without their seal:
 * a chain is made in one place.
 */
export class RecordOutbox implements JournalPort {
  readonly #settings: OutboxSettings;
  readonly #deps: OutboxDeps;
  readonly #credit: Credit;
  #lines: string[] = [];
  #unreserved: number[] = [];
  #length = 0;
  /** Lines without room that have not arrived. */
  #onTheWay = 0;
  /** Records that nobody was told of yet. */
  #lost = 0;
  #cancelPost: (() => void) | undefined;

  constructor(settings: OutboxSettings, deps: OutboxDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#credit = new Credit(settings.chunk);
  }

  /** Room in hand for records to come. */
  get idleRoom(): number {
    return this.#credit.inHand;
  }

  reserve(): boolean {
    const isTaken = this.#credit.take();
    if (isTaken) this.#tally();
    if (this.#credit.isShort) this.#postSoon();
    return isTaken;
  }

  reserveLater(done: (reserved: boolean) => void): void {
    this.#credit.wait(done);
    this.#tally();
    this.#deps.post({ kind: 'want' });
  }

  release(): void {
    this.#credit.putBack();
    this.#tally();
    if (this.#credit.isPlenty) this.#postSoon();
  }

  write(line: string): void {
    this.#add(line);
  }

  writeUnreserved(line: string): void {
    if (this.#onTheWay < MOST_UNRESERVED) {
      this.#onTheWay += 1;
      this.#unreserved.push(this.#lines.length);
      this.#add(line);
    } else {
      this.#lost += 1;
      this.#postSoon();
    }
    this.#tally();
  }

  /** What the other side says. */
  heard(message: FromJournal): void {
    if (message.kind === 'credit') this.#credit.granted(message.granted);
    else if (message.kind === 'taken') this.#onTheWay -= message.lines;
    else if (message.reserved) this.#credit.served();
    else this.#credit.denied();
    this.#tally();
    if (this.#credit.isPlenty) this.#postSoon();
  }

  /** Posts what has gathered, and what is due of credit. */
  post(): void {
    this.#cancelPost?.();
    this.#cancelPost = undefined;
    const { ask, giveBack } = this.#credit.due();
    const [lines, unreserved, lost] = [this.#lines, this.#unreserved, this.#lost];
    if (lines.length === 0 && lost === 0 && ask === 0 && giveBack === 0) return;
    this.#lines = [];
    this.#unreserved = [];
    this.#length = 0;
    this.#lost = 0;
    this.#deps.post({ kind: 'records', lines, unreserved, lost, ask, giveBack });
    this.#credit.left(lines.length - unreserved.length);
    this.#tally();
  }

  #add(line: string): void {
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#length >= BATCH_LENGTH) this.post();
    else this.#postSoon();
  }

  #postSoon(): void {
    this.#cancelPost ??= this.#deps.timer(this.#settings.lingerMs, () => this.post());
  }

  /** Requests that wait for room are owed a record, too. */
  #tally(): void {
    const { taken, waiting } = this.#credit;
    this.#deps.remains.records = taken + waiting + this.#unreserved.length + this.#lost;
  }
}
