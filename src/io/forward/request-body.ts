import { Readable } from 'node:stream';

import type { Flushable, FlushQueue } from './flush-queue.ts';

/** Who takes a body, piece by piece. After `bodyEnded` or `bodyBroken` nothing more is called. */
export interface BodySink {
  bodyData(chunk: Uint8Array): void;
  bodyEnded(): void;
  /** The source ended without its end, so the message is not complete. */
  bodyBroken(): void;
}

/** Who wants to know how a body gets on: the answer, whose deadline depends on it. */
export interface BodyWatcher {
  progressed(): void;
  requestBroken(): void;
}

/**
 * True where the source was reset before its end. Node's HTTP/2 streams say so by `aborted`, and may emit `end` all the same
 * (on RST_STREAM with NO_ERROR or CANCEL, and when the connection closes), which must not pass for the end of the message.
 */
export function wasReset(source: Readable): boolean {
  return 'aborted' in source && source.aborted === true;
}

const ignore = (): void => {};

/**
 * Listens to a body source until it ends, breaks or is let go. After that the source is paused and its errors are ignored: whoever owns it
 * hears of them.
 */
export class BodySource {
  readonly #source: Readable;
  readonly #sink: BodySink;
  #state: 'idle' | 'open' | 'done' = 'idle';

  constructor(source: Readable, sink: BodySink) {
    this.#source = source;
    this.#sink = sink;
  }

  /** Starts, or goes on after `pause`. */
  resume(): void {
    if (this.#state === 'idle') this.#open();
    if (this.#state === 'open') this.#source.resume();
  }

  pause(): void {
    if (this.#state === 'open') this.#source.pause();
  }

  release(): void {
    if (this.#state === 'done') return;
    const opened = this.#state === 'open';
    this.#state = 'done';
    const source = this.#source;
    source.on('error', ignore);
    if (!opened) return;
    source.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onBroken).off('close', this.#onBroken);
    if (!source.readableEnded) source.pause();
  }

  #open(): void {
    const source = this.#source;
    this.#state = 'open';
    if (source.readableEnded) this.#onEnd();
    else if (source.destroyed) this.#onBroken();
    else source.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onBroken).on('close', this.#onBroken);
  }

  readonly #onData = (chunk: Uint8Array): void => this.#sink.bodyData(chunk);

  readonly #onEnd = (): void => {
    if (wasReset(this.#source)) {
      this.#onBroken();
      return;
    }
    this.release();
    this.#sink.bodyEnded();
  };

  readonly #onBroken = (): void => {
    this.release();
    this.#sink.bodyBroken();
  };
}

/** Pieces from this size on are passed on as they come, bytes. */
const LARGE_PIECE = 1_024;

/** Small pieces are gathered up to this size, bytes. */
const GATHERED = 16_384;

/**
 * A request's body as undici reads it. undici destroys what it is given as soon as the answer is complete; destroying the listener's
 * stream would take the connection, and with it the answer, along. So it gets this one, and letting go only pauses the source.
 *
 * Small pieces that come in one turn of the event loop are passed on as one: each costs undici a chunk and three writes, so that a peer who sends one
 * byte a chunk would keep all others waiting for a quarter of a second.
 */
export class RequestBodyStream extends Readable implements BodySink, Flushable {
  readonly #source: BodySource;
  readonly #watcher: BodyWatcher;
  readonly #flushes: FlushQueue;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;

  constructor(source: Readable, bufferBytes: number, flushes: FlushQueue, watcher: BodyWatcher) {
    super({ highWaterMark: bufferBytes });
    this.#watcher = watcher;
    this.#flushes = flushes;
    this.#source = new BodySource(source, this);
  }

  bodyData(chunk: Uint8Array): void {
    this.#watcher.progressed();
    if (this.#gatheredBytes === 0 && chunk.length >= LARGE_PIECE) {
      this.#passOn(chunk);
      return;
    }
    if (this.#gatheredBytes === 0) this.#flushes.add(this);
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.length;
    if (this.#gatheredBytes >= GATHERED) this.flush();
  }

  bodyEnded(): void {
    this.flush();
    this.push(null);
  }

  bodyBroken(): void {
    this.#watcher.requestBroken();
  }

  /** For the flush queue: the loop turn is over. */
  flush(): void {
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#passOn(gathered.length === 1 ? (gathered[0] as Uint8Array) : Buffer.concat(gathered));
  }

  #passOn(chunk: Uint8Array): void {
    if (!this.destroyed && !this.push(chunk)) this.#source.pause();
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#source.release();
    callback(error);
  }
}
