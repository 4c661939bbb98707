import type { JournalPort } from '../../core/gate/ports.ts';
import type { Clock, Random, Timer } from '../../core/kernel/clock.ts';
import { hashOf, prevOf } from '../../core/record/chain.ts';
import { noticeLine } from '../../core/record/notice.ts';
import type { OpenDevice } from './device.ts';
import { fileOpener } from './file-device.ts';
import { LineBlock } from './line-block.ts';
import { Room, type Load } from './room.ts';
import type { JournalLog, JournalSettings, Receiver, ReceiverSink, SinkTarget } from './settings.ts';
import { Sink, type JournalSink, type SinkState } from './sink.ts';
import { openStdout } from './stdout-device.ts';
import { UploadSink } from './upload-sink.ts';
import { Waiters } from './waiters.ts';

export type JournalDeps = {
  readonly clock: Clock;
  readonly log: JournalLog;
  /** Default: the system's. */
  readonly timer?: Timer | undefined;
  /** How a sink's device is opened; default: stdout and files as they are. */
  readonly open?: ((target: PlainTarget) => OpenDevice) | undefined;
  /** Who posts to a receiver; needed where a sink is one. */
  readonly receiver?: ((target: ReceiverSink) => Receiver) | undefined;
  /** For pauses that differ from process to process. Default: none of them does. */
  readonly random?: Random | undefined;
};

type PlainTarget = Exclude<SinkTarget, ReceiverSink>;

/** For metrics and health. */
export type JournalDepth = {
  /** Lines and bytes that are queued; records that have room but are not made yet; requests that wait for room. */
  readonly records: number;
  readonly bytes: number;
  readonly promised: number;
  readonly waiting: number;
  /** Since start: requests that got no room, and records that are in no sink. */
  readonly refused: number;
  readonly lost: number;
  /** Since start: records that a receiver has a notice in place of; other sinks may have them. */
  readonly withheld: number;
  readonly sinks: readonly SinkState[];
};

export interface Journal extends JournalPort {
  /** Opens all sinks. Rejects with an error that names the sink that could not be opened; then none is open. */
  start(): Promise<void>;
  /** After `start`: the hash that the first record has to follow, from the first file that holds a chain; undefined to begin a new one. */
  chainStart(): string | undefined;
  /**
   * After files were renamed (SIGHUP): ends the lines that are begun in the old files and goes on in new ones. Nothing is lost, order is kept.
   * Resolves with false where a file could not be opened: then the old one stays in use.
   */
  reopen(): Promise<boolean>;
  /** Declares `records` decisions that have no line, because whoever was to make it is gone: they stand between the line whose hash is `head` and the next. */
  lost(records: number, head: string): void;
  /** Writes what is queued, for at most `graceMs`, then closes. Resolves with the number of records that are not in every sink. */
  stop(graceMs: number): Promise<number>;
  depth(): JournalDepth;
}

/** Lines are handed to the sinks at the latest when this many bytes have gathered. */
const CHUNK_BYTES = 262_144;

/** Memory that lines are gathered in: a chunk, and the line that makes it full. */
const BLOCK_BYTES = CHUNK_BYTES + 65_536;

/** How long devices may take to flush and close, milliseconds. */
const CLOSE_MS = 1_000;

/**
 * Creates the journal: a bounded queue before one or more sinks. A record keeps its room until every sink has written it, so the slowest sink
 * sets the pace. Throws for settings that cannot be served (a start-up fault).
 */
export function createJournal(settings: JournalSettings, deps: JournalDeps): Journal {
  return new QueuedJournal(settings, deps);
}

class QueuedJournal implements Journal {
  readonly #settings: JournalSettings;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #log: JournalLog;
  readonly #sinks: readonly JournalSink[];
  readonly #room: Room;
  readonly #waiters: Waiters;
  #chainStart: string | undefined;
  /** Lines that no sink has yet, and what they take up. */
  readonly #lines = new LineBlock(BLOCK_BYTES);
  #load: Load = EMPTY;
  #cancelFlush: (() => void) | undefined;
  #refused = 0;
  #lost = 0;
  /** True from the first lost record until the queue was empty again: the log is told once. */
  #losing = false;
  /** Lost since the last notice: how many, and where the chain is interrupted. */
  #gap: { readonly records: number; readonly prev: string; readonly next: string } | undefined;
  #state: 'open' | 'stopping' | 'closed' = 'open';
  #whenEmpty: (() => void) | undefined;

  constructor(settings: JournalSettings, deps: JournalDeps) {
    checkTargets(settings.sinks);
    this.#settings = settings;
    this.#clock = deps.clock;
    this.#timer = deps.timer ?? systemTimer;
    this.#log = deps.log;
    this.#sinks = settings.sinks.map((target) => createSink(target, settings, { ...deps, timer: this.#timer }));
    this.#room = new Room(settings);
    this.#waiters = new Waiters(settings.waitMs, settings.queueRecords, this.#timer, () => deps.clock.monotonicMs());
  }

  async start(): Promise<void> {
    const failures: string[] = [];
    for (const sink of this.#sinks) {
      // oxlint-disable-next-line no-await-in-loop -- the first file that holds a chain is the one to go on from
      await new Promise<void>((resolve) => {
        sink.start((error, tail) => {
          if (error !== undefined) failures.push(`${sink.name}: ${error.code} ${error.message}`);
          this.#chainStart ??= tail?.next;
          resolve();
        });
      });
    }
    if (failures.length === 0) return;
    await this.#closeAll();
    throw new Error(`the journal could not be opened: ${failures.join('; ')}`);
  }

  chainStart(): string | undefined {
    return this.#chainStart;
  }

  reserve(): boolean {
    if (this.#state !== 'open' || (this.#settings.whenFull === 'refuse' && !this.#room.hasRoom())) return false;
    this.#room.promise();
    return true;
  }

  reserveLater(done: (reserved: boolean) => void): void {
    if (this.#waiters.count === 0 && this.reserve()) {
      done(true);
      return;
    }
    const counted = (reserved: boolean): void => {
      if (!reserved) this.#refused += 1;
      done(reserved);
    };
    if (this.#state !== 'open') counted(false);
    else this.#waiters.add(counted);
  }

  release(): void {
    this.#room.keepPromise();
    this.#roomCameFree();
  }

  write(line: string): void {
    this.#room.keepPromise();
    if (this.#settings.whenFull === 'drop' && !this.#room.canQueue()) this.#lose(line);
    else this.#enqueue(line, false);
  }

  writeUnreserved(line: string): void {
    if (this.#room.canSpare()) this.#enqueue(line, true);
    else this.#lose(line);
  }

  lost(records: number, head: string): void {
    this.#widenGap(records, head, head);
    if (this.#state !== 'closed' && this.#room.canSpare()) this.#declareGap();
  }

  async reopen(): Promise<boolean> {
    this.#flush();
    const files = this.#sinks.filter((_, index) => this.#settings.sinks[index]?.kind === 'file');
    const opened = await Promise.all(files.map((sink) => new Promise<boolean>((resolve) => sink.reopen(resolve))));
    return opened.every(Boolean);
  }

  async stop(graceMs: number): Promise<number> {
    this.#state = 'stopping';
    this.#waiters.dismiss();
    this.#declareGap();
    this.#flush();
    for (const sink of this.#sinks) sink.hurry();
    await this.#emptyOr(graceMs);
    this.#state = 'closed';
    this.#cancelFlush?.();
    await this.#closeAll();
    return this.#room.queued + (this.#gap?.records ?? 0);
  }

  depth(): JournalDepth {
    return {
      records: this.#room.queued,
      bytes: this.#room.queuedBytes,
      promised: this.#room.promised,
      waiting: this.#waiters.count,
      refused: this.#refused,
      lost: this.#lost,
      withheld: this.#sinks.reduce((count, sink) => count + sink.withheld, 0),
      sinks: this.#sinks.map((sink) => sink.state),
    };
  }

  #enqueue(line: string, spare: boolean): void {
    if (this.#state === 'closed') {
      this.#lose(line);
      return;
    }
    this.#declareGap();
    this.#append(line, spare);
  }

  #append(line: string, spare: boolean): void {
    if (!this.#lines.hasRoom(line)) this.#flush();
    const bytes = this.#lines.add(line);
    const load = spare
      ? { records: 0, bytes: 0, spare: 1, spareBytes: bytes }
      : { records: 1, bytes, spare: 0, spareBytes: 0 };
    this.#room.add(load);
    this.#load = sum(this.#load, load);
    if (this.#load.bytes + this.#load.spareBytes >= CHUNK_BYTES) this.#flush();
    else this.#cancelFlush ??= this.#timer(this.#settings.lingerMs, () => this.#flush());
  }

  /** Counts a line that finds no room; where it would have stood is said by a notice before the next line, or as soon as there is room. */
  #lose(line: string): void {
    this.#widenGap(1, prevOf(line), hashOf(line));
  }

  #widenGap(records: number, prev: string, next: string): void {
    if (!this.#losing) this.#log.error({ journal: this.#state }, 'decision records are lost');
    this.#losing = true;
    this.#lost += records;
    this.#gap = { records: (this.#gap?.records ?? 0) + records, prev: this.#gap?.prev ?? prev, next };
  }

  #declareGap(): void {
    const gap = this.#gap;
    if (gap === undefined) return;
    this.#gap = undefined;
    const notice = { kind: 'lost', records: gap.records } as const;
    this.#append(noticeLine(notice, { prev: gap.prev, next: gap.next }, this.#clock.wallMs()).line, true);
  }

  /** Hands the gathered lines to every sink. */
  #flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    const bytes = this.#lines.take();
    if (bytes.length === 0) return;
    const load = this.#load;
    this.#load = EMPTY;
    let left = this.#sinks.length;
    const written = (): void => {
      left -= 1;
      if (left === 0) this.#settled(load);
    };
    for (const sink of this.#sinks) sink.push({ bytes, written });
  }

  #settled(load: Load): void {
    this.#room.settle(load);
    if (this.#room.canSpare()) this.#declareGap();
    this.#roomCameFree();
    if (this.#room.queued > 0) return;
    this.#losing = false;
    this.#whenEmpty?.();
  }

  #roomCameFree(): void {
    if (this.#waiters.count > 0) this.#waiters.serve(() => this.reserve());
  }

  async #emptyOr(graceMs: number): Promise<void> {
    if (this.#room.queued === 0) return;
    await this.#within(graceMs, (done) => {
      this.#whenEmpty = done;
    });
  }

  async #closeAll(): Promise<void> {
    await this.#within(CLOSE_MS, (done) => {
      let open = this.#sinks.length;
      for (const sink of this.#sinks) {
        sink.close(() => {
          open -= 1;
          if (open === 0) done();
        });
      }
    });
  }

  /** Resolves when `begin` has called back, or after `graceMs`: a device that hangs must not keep the process. */
  async #within(graceMs: number, begin: (done: () => void) => void): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#timer(graceMs, resolve);
      begin(() => {
        cancel();
        resolve();
      });
    });
  }
}

const EMPTY: Load = Object.freeze({ records: 0, bytes: 0, spare: 0, spareBytes: 0 });

function sum(a: Load, b: Load): Load {
  return {
    records: a.records + b.records,
    bytes: a.bytes + b.bytes,
    spare: a.spare + b.spare,
    spareBytes: a.spareBytes + b.spareBytes,
  };
}

function systemTimer(ms: number, action: () => void): () => void {
  const timer = setTimeout(action, ms);
  return () => clearTimeout(timer);
}

/** A receiver's upload is full, too, when this part of the queue waits for it: it must not wait for more while requests wait for room. */
const FULL_PART = 4;

function createSink(
  target: SinkTarget,
  settings: JournalSettings,
  deps: JournalDeps & { readonly timer: Timer },
): JournalSink {
  const { timer, log, clock, random = NOT_RANDOM } = deps;
  const name = sinkName(target);
  const wallMs = (): number => clock.wallMs();
  if (target.kind !== 'http') return new Sink(name, (deps.open ?? openTarget)(target), { timer, log, wallMs });
  if (deps.receiver === undefined) throw new TypeError('a decision-log receiver needs somebody who posts');
  const { maxBytes, minDelay, maxDelay } = target;
  const full = { records: settings.queueRecords / FULL_PART, bytes: settings.queueBytes / FULL_PART };
  const pace = { maxBytes, minDelayMs: minDelay, maxDelayMs: maxDelay, full };
  return new UploadSink(name, deps.receiver(target), pace, { timer, log, wallMs, random });
}

const NOT_RANDOM: Random = (length) => new Uint8Array(length).fill(0x80);

function openTarget(target: PlainTarget): OpenDevice {
  return target.kind === 'file' ? fileOpener(target.path) : openStdout;
}

/** For people and metrics; the query of a URL can hold a secret. */
function sinkName(target: SinkTarget): string {
  if (target.kind === 'file') return `file:${target.path}`;
  if (target.kind === 'stdout') return target.kind;
  const { origin, pathname } = new URL(target.url);
  return `${origin}${pathname}`;
}

function checkTargets(targets: readonly SinkTarget[]): void {
  const names = targets.map(sinkName);
  if (names.length === 0) throw new TypeError('the journal needs a sink');
  if (new Set(names).size < names.length) throw new TypeError('the journal has a sink twice');
}
