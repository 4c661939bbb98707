import type { ClientHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';

import type { Shared } from './answer.ts';
import type { Flushable } from './flush-queue.ts';
import { wasReset, type BodyWatcher } from './request-body.ts';

const PUMP = Symbol('pump');

/** The way back from a source's events to whoever reads it now, without a closure for each. */
type Source = Readable & { [PUMP]?: RequestPump | undefined };

/**
 * Moves a request's body into a stream to the agent: each message as soon as the loop turn that brought it is over, the last one together with
 * END_STREAM, no faster than the agent takes it. Keeps the first bytes at hand, so that a stream that was refused can be opened again.
 */
export class RequestPump implements Flushable {
  readonly #source: Source;
  #reading: 'idle' | 'open' | 'done' = 'idle';
  readonly #watcher: BodyWatcher;
  readonly #shared: Shared;
  #stream: ClientHttp2Stream | undefined = undefined;
  /** The stream whose `drain` is listened to: only one that was full. */
  #drained: ClientHttp2Stream | undefined = undefined;
  #held: Uint8Array | undefined = undefined;
  #flushDue = false;
  #ended = false;
  /** What was written so far; undefined once it is more than may be kept. */
  #written: Uint8Array[] | undefined = [];
  #writtenBytes = 0;

  constructor(source: Readable, shared: Shared, watcher: BodyWatcher) {
    this.#shared = shared;
    this.#watcher = watcher;
    this.#source = source;
  }

  /** True while all that was read of the body could be sent again. */
  get replayable(): boolean {
    return this.#written !== undefined;
  }

  /** Starts to fill `stream`; what was written to an earlier one comes first. */
  attach(stream: ClientHttp2Stream): void {
    this.#stream = stream;
    for (const chunk of this.#written ?? []) stream.write(chunk);
    if (this.#ended) this.#finish(stream);
    else {
      if (this.#held !== undefined) this.#flushSoon();
      this.#resume();
    }
  }

  /** Lets the stream go and waits for another. */
  detach(): void {
    this.#stream = undefined;
    if (this.#reading === 'open') this.#source.pause();
  }

  /** Stops for good. */
  release(): void {
    this.#stream = undefined;
    this.#held = undefined;
    this.#written = undefined;
    this.#drained = undefined;
    this.#letGo();
  }

  flush(): void {
    this.#flushDue = false;
    const chunk = this.#held;
    if (chunk === undefined || this.#stream === undefined) return;
    this.#held = undefined;
    this.#write(chunk, this.#stream);
  }

  sourceData(chunk: Uint8Array): void {
    this.#watcher.progressed();
    if (this.#held !== undefined && this.#stream !== undefined) this.#write(this.#held, this.#stream);
    this.#held = chunk;
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#shared.flushes.add(this);
  }

  #write(chunk: Uint8Array, stream: ClientHttp2Stream): void {
    this.#keep(chunk);
    // A stream that was reset ends its writable side by itself; its `close` is about to tell.
    if (stream.writable && !stream.write(chunk)) this.#waitForRoom(stream);
  }

  #waitForRoom(stream: ClientHttp2Stream): void {
    if (this.#reading === 'open') this.#source.pause();
    if (this.#drained === stream) return;
    this.#drained = stream;
    stream.on('drain', () => {
      if (this.#stream === stream) this.#resume();
    });
  }

  #keep(chunk: Uint8Array): void {
    this.#writtenBytes += chunk.length;
    if (this.#writtenBytes > this.#shared.limits.bufferBytes) this.#written = undefined;
    this.#written?.push(chunk);
  }

  /** The source says that it has ended, which it also does where it was reset. */
  sourceEnded(): void {
    if (wasReset(this.#source)) {
      this.sourceBroken();
      return;
    }
    this.#letGo();
    this.#ended = true;
    if (this.#stream !== undefined) this.#finish(this.#stream);
  }

  sourceBroken(): void {
    this.#letGo();
    this.#watcher.requestBroken();
  }

  /** Starts to read, or goes on. */
  #resume(): void {
    if (this.#reading === 'idle') this.#open();
    if (this.#reading === 'open') this.#source.resume();
  }

  #open(): void {
    const source = this.#source;
    this.#reading = 'open';
    if (source.readableEnded) this.sourceEnded();
    else if (source.destroyed) this.sourceBroken();
    else listen(source, this);
  }

  /** From here on nothing is read, and errors of the source are ignored: whoever owns it hears of them. */
  #letGo(): void {
    if (this.#reading === 'done') return;
    const source = this.#source;
    this.#reading = 'done';
    if (source[PUMP] !== this) {
      // Never listened to: not begun, or over before that.
      source.on('error', ignore);
      return;
    }
    source[PUMP] = undefined;
    if (!source.readableEnded) leave(source);
  }

  #finish(stream: ClientHttp2Stream): void {
    const last = this.#held;
    this.#held = undefined;
    if (last !== undefined) this.#keep(last);
    if (stream.writable) stream.end(last);
  }
}

const ignore = (): void => {};

/**
 * Ties a source to its reader. The listeners are the same for all, and at the end of the source they stay: to take them off, with the events that
 * node:http2 then emits about it, costs more than to let them find no reader.
 */
function listen(source: Source, reader: RequestPump): void {
  source[PUMP] = reader;
  source.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
}

/** Stops reading before the end; the listener of errors stays. */
function leave(source: Source): void {
  source.off('data', onData).off('end', onEnd).off('close', onBroken);
  source.pause();
}

function onData(this: Source, chunk: Uint8Array): void {
  this[PUMP]?.sourceData(chunk);
}

function onEnd(this: Source): void {
  this[PUMP]?.sourceEnded();
}

function onBroken(this: Source): void {
  this[PUMP]?.sourceBroken();
}
