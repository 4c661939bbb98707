import { Readable } from 'node:stream';

/** What a body tells while it passes. */
export type BodyEvents = {
  readonly progressed: () => void;
  /** The source ended without its end, so the message is not complete. Never followed by `end`. */
  readonly broken: () => void;
};

/**
 * True where the source was reset before its end. Node's HTTP/2 streams say so by `aborted`, and may emit `end` all the same
 * (on RST_STREAM with NO_ERROR or CANCEL, and when the connection closes), which must not pass for the end of the message.
 */
export function wasReset(source: Readable): boolean {
  return 'aborted' in source && source.aborted === true;
}

const ignore = (): void => {};

/**
 * Listens to a body source until it ends, breaks or is let go; exactly one of `onEnd`, `events.broken` or `release` happens.
 * After that the source is paused and its errors are ignored: whoever owns it hears of them.
 */
export class BodySource {
  readonly #source: Readable;
  readonly #onData: (chunk: Uint8Array) => void;
  readonly #onEnd: () => void;
  readonly #events: BodyEvents;
  readonly #ended = (): void => {
    if (wasReset(this.#source)) {
      this.#brokeOff();
      return;
    }
    this.release();
    this.#onEnd();
  };
  readonly #brokeOff = (): void => {
    this.release();
    this.#events.broken();
  };
  #state: 'idle' | 'open' | 'done' = 'idle';

  constructor(source: Readable, onData: (chunk: Uint8Array) => void, onEnd: () => void, events: BodyEvents) {
    this.#source = source;
    this.#onData = onData;
    this.#onEnd = onEnd;
    this.#events = events;
  }

  /** Starts, or goes on after `pause`. */
  resume(): void {
    if (this.#state === 'done') return;
    const source = this.#source;
    if (this.#state === 'idle') this.#open();
    if (this.#state === 'open') source.resume();
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
    source.off('data', this.#onData).off('end', this.#ended).off('error', this.#brokeOff).off('close', this.#brokeOff);
    if (!source.readableEnded) source.pause();
  }

  #open(): void {
    const source = this.#source;
    this.#state = 'open';
    if (source.readableEnded) this.#ended();
    else if (source.destroyed) this.#brokeOff();
    else source.on('data', this.#onData).on('end', this.#ended).on('error', this.#brokeOff).on('close', this.#brokeOff);
  }
}

/**
 * A request's body as undici reads it. undici destroys what it is given as soon as the answer is complete; destroying the listener's
 * stream would take the connection, and with it the answer, along. So it gets this one, and letting go only pauses the source.
 */
export class RequestBodyStream extends Readable {
  readonly #source: BodySource;

  constructor(source: Readable, bufferBytes: number, events: BodyEvents) {
    super({ highWaterMark: bufferBytes });
    this.#source = new BodySource(
      source,
      (chunk) => {
        events.progressed();
        if (!this.push(chunk)) this.#source.pause();
      },
      () => this.push(null),
      events,
    );
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#source.release();
    callback(error);
  }
}
