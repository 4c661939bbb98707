import { Readable } from 'node:stream';

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

/**
 * A request's body as undici reads it. undici destroys what it is given as soon as the answer is complete; destroying the listener's
 * stream would take the connection, and with it the answer, along. So it gets this one, and letting go only pauses the source.
 */
export class RequestBodyStream extends Readable implements BodySink {
  readonly #source: BodySource;
  readonly #watcher: BodyWatcher;

  constructor(source: Readable, bufferBytes: number, watcher: BodyWatcher) {
    super({ highWaterMark: bufferBytes });
    this.#watcher = watcher;
    this.#source = new BodySource(source, this);
  }

  bodyData(chunk: Uint8Array): void {
    this.#watcher.progressed();
    if (!this.push(chunk)) this.#source.pause();
  }

  bodyEnded(): void {
    this.push(null);
  }

  bodyBroken(): void {
    this.#watcher.requestBroken();
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#source.release();
    callback(error);
  }
}
