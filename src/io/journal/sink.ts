import { readSeal } from '../../core/record/chain.ts';
import { bridge, type Tail } from '../../core/record/tail.ts';
import type { Timer } from '../../core/kernel/clock.ts';
import type { Device, DeviceError, OpenDevice, Opened } from './device.ts';
import type { JournalLog } from './settings.ts';

/** Whole lines, each with its line end, shared by all sinks. */
export type Chunk = {
  readonly bytes: Uint8Array;
  /** Called once by each sink, when the chunk is written. */
  readonly written: () => void;
};

/** One place that gets every line, in order. */
export interface JournalSink {
  readonly name: string;
  readonly state: SinkState;
  /** Records since start in whose place it has a notice. */
  readonly withheld: number;
  /** Begins. Gives how what is already there ends, or the error. */
  start(done: (error: DeviceError | undefined, tail: Tail | undefined) => void): void;
  push(chunk: Chunk): void;
  /** Goes on in a new file, where it is one. Calls back once, with whether that worked. */
  reopen(done: (opened: boolean) => void): void;
  /** The process ends: what is queued goes out without waiting for more. */
  hurry(): void;
  /** Ends; what is queued stays unwritten. Calls back once. */
  close(done: () => void): void;
}

/** How a sink does, for health and metrics. */
export type SinkState = { readonly name: string; readonly ok: boolean; readonly detail: string };

export type SinkDeps = { readonly timer: Timer; readonly log: JournalLog; readonly wallMs: () => number };

/** Bytes written at once. */
const BATCH_BYTES = 262_144;

/** Pauses between attempts while a device fails, milliseconds. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1_000;

const LINE_END = 10;

/** What is being written: `head` bytes that join the file's end to our lines, then lines; the first `offset` bytes are out. */
type Batch = {
  readonly chunks: readonly Chunk[];
  readonly bytes: Uint8Array;
  readonly head: number;
  readonly offset: number;
};

/**
 * Writes chunks to one device, in order, once each, one write at a time. A device that fails is tried again until it works: nothing that was
 * taken is given up but by `close`. States: `closed`, `idle`, `busy` (a call of the device is under way), `failing` (a retry is set).
 */
export class Sink implements JournalSink {
  readonly name: string;
  readonly withheld = 0;
  readonly #open: OpenDevice;
  readonly #deps: SinkDeps;
  #state: 'closed' | 'idle' | 'busy' | 'failing' = 'closed';
  #device: Device | undefined;
  /** How the device's file ended when it was opened; known until the first batch is made for it. */
  #tail: Tail | undefined;
  #queue: Chunk[] = [];
  #batch: Batch | undefined;
  #failure: DeviceError | undefined;
  #retryMs = FIRST_RETRY_MS;
  #cancelRetry: (() => void) | undefined;
  #reopen: ((opened: boolean) => void)[] = [];
  #whenClosed: (() => void) | undefined;

  constructor(name: string, open: OpenDevice, deps: SinkDeps) {
    this.name = name;
    this.#open = open;
    this.#deps = deps;
  }

  get state(): SinkState {
    if (this.#failure === undefined) return { name: this.name, ok: true, detail: 'writing' };
    return { name: this.name, ok: false, detail: `${this.#failure.code} ${this.#failure.message}` };
  }

  /** Opens the device. Gives how it ended, or the error. */
  start(done: (error: DeviceError | undefined, tail: Tail | undefined) => void): void {
    this.#open((error, opened) => {
      if (opened !== undefined) {
        this.#use(opened);
        this.#state = 'idle';
      }
      done(error, opened?.tail);
    });
  }

  push(chunk: Chunk): void {
    this.#queue.push(chunk);
    this.#pump();
  }

  /**
   * Opens the device anew, after its file was renamed. The line that is begun is ended in the old file, unless that one fails: then the line
   * is written whole into the new file. If it cannot be opened, the old one stays in use. Calls back once, with whether it was opened.
   */
  reopen(done: (opened: boolean) => void): void {
    if (this.#state === 'closed') {
      done(false);
      return;
    }
    this.#reopen.push(done);
    if (this.#state !== 'failing') this.#pump();
    else this.#retryNow();
  }

  hurry(): void {
    // Nothing is held back here.
  }

  /** Gives the device back as soon as it is free. What is queued stays unwritten. Calls back once. */
  close(done: () => void): void {
    this.#cancelRetry?.();
    this.#queue = [];
    this.#batch = undefined;
    const busy = this.#state === 'busy';
    this.#state = 'closed';
    if (busy) this.#whenClosed = done;
    else this.#giveBack(done);
  }

  #giveBack(done: () => void): void {
    for (const reopened of this.#reopen.splice(0)) reopened(false);
    if (this.#device === undefined) done();
    else this.#device.close(done);
    this.#device = undefined;
  }

  /** True when the sink was closed while its device was busy: the device is given back now. */
  #closedMeanwhile(): boolean {
    if (this.#state !== 'closed') return false;
    this.#giveBack(this.#whenClosed ?? (() => undefined));
    return true;
  }

  #use(opened: Opened): void {
    this.#device = opened.device;
    this.#tail = opened.tail;
  }

  #pump(): void {
    if (this.#state !== 'idle') return;
    if (this.#reopen.length > 0 && (this.#batch === undefined || this.#failure !== undefined)) this.#openAnew();
    else {
      this.#batch ??= this.#nextBatch();
      if (this.#batch !== undefined) this.#write(this.#batch);
    }
  }

  #nextBatch(): Batch | undefined {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || bytes < BATCH_BYTES)) {
      bytes += this.#queue[count]?.bytes.length ?? 0;
      count += 1;
    }
    if (count === 0) return undefined;
    const chunks = this.#queue.splice(0, count);
    return this.#batchOf(
      chunks,
      chunks.map((chunk) => chunk.bytes),
    );
  }

  /** A batch of these lines, with what joins them to the end of a file that was just opened. */
  #batchOf(chunks: readonly Chunk[], lines: readonly Uint8Array[]): Batch {
    const head = this.#tail === undefined ? '' : bridge(this.#tail, firstPrev(lines), this.#deps.wallMs());
    this.#tail = undefined;
    const only = head === '' && lines.length === 1 ? lines[0] : undefined;
    const headBytes = Buffer.from(head);
    return { chunks, bytes: only ?? Buffer.concat([headBytes, ...lines]), head: headBytes.length, offset: 0 };
  }

  #write(batch: Batch): void {
    this.#state = 'busy';
    this.#device?.write(batch.bytes.subarray(batch.offset), (error, written) => {
      if (this.#closedMeanwhile()) return;
      const offset = batch.offset + written;
      this.#batch = offset < batch.bytes.length ? { ...batch, offset } : undefined;
      if (this.#batch === undefined) for (const chunk of batch.chunks) chunk.written();
      if (error !== undefined) this.#fail(error);
      else {
        this.#recover();
        this.#state = 'idle';
        this.#pump();
      }
    });
  }

  #fail(error: DeviceError): void {
    // EAGAIN says that the other side is slow, which is no failure; it is tried again all the same.
    if (error.code !== 'EAGAIN' && this.#failure?.code !== error.code) {
      this.#deps.log.error(
        { sink: this.name, code: error.code, error: error.message },
        'decision records cannot be written',
      );
      this.#failure = error;
    }
    this.#state = 'failing';
    this.#cancelRetry = this.#deps.timer(this.#retryMs, () => this.#retryNow());
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
    if (this.#reopen.length > 0) this.#retryNow();
  }

  #retryNow(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#state = 'idle';
    this.#pump();
  }

  #recover(): void {
    this.#retryMs = FIRST_RETRY_MS;
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#deps.log.info({ sink: this.name }, 'decision records are written again');
  }

  #openAnew(): void {
    const waiting = this.#reopen.splice(0);
    this.#state = 'busy';
    this.#open((error, opened) => {
      if (opened !== undefined) this.#swap(opened);
      else
        this.#deps.log.error(
          { sink: this.name, code: error?.code, error: error?.message },
          'the sink could not be opened anew; the old one stays in use',
        );
      for (const done of waiting) done(opened !== undefined);
      if (this.#closedMeanwhile()) return;
      this.#state = 'idle';
      this.#pump();
    });
  }

  #swap(opened: Opened): void {
    const old = this.#device;
    this.#use(opened);
    old?.close(() => undefined);
    const batch = this.#batch;
    if (batch === undefined) return;
    const rest = unwritten(batch);
    if (rest.length > 0) this.#batch = this.#batchOf(batch.chunks, [rest]);
    else {
      this.#batch = undefined;
      for (const chunk of batch.chunks) chunk.written();
    }
  }
}

/** The lines of a batch of which not every byte is out. A line that lacks only its line end is whole: the next one brings a line end along. */
function unwritten(batch: Batch): Uint8Array {
  const lines = batch.bytes.subarray(batch.head);
  const out = batch.offset - batch.head;
  if (out <= 0) return lines;
  if (lines[out] === LINE_END) return lines.subarray(out + 1);
  return lines.subarray(lines.lastIndexOf(LINE_END, out - 1) + 1);
}

/** `prev` of the first line; our own lines always have one. */
function firstPrev(lines: readonly Uint8Array[]): string {
  const first = lines[0] ?? new Uint8Array();
  return readSeal(first.subarray(0, first.indexOf(LINE_END)))?.prev ?? '';
}
