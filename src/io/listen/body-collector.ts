import type { Readable } from 'node:stream';

import type { CollectedBody, Enough } from '../../core/gate/exchange.ts';
import type { Fault } from '../../core/model/faults.ts';
import { BodyCopy } from './body-copy.ts';

/**
 * Reads a body into memory. Stops at the end, when `enough` bytes are there, or past `limit`; then the stream is paused and yields everything again, from the
 * first byte.
 */
export class BodyCollector {
  readonly #stream: Readable;
  readonly #limit: number;
  readonly #copy: BodyCopy;
  readonly #done: (body: CollectedBody | Fault) => void;
  #over = false;

  constructor(
    stream: Readable,
    limit: number,
    enough: Enough | undefined,
    done: (body: CollectedBody | Fault) => void,
  ) {
    this.#stream = stream;
    this.#limit = limit;
    this.#copy = new BodyCopy(limit, enough);
    this.#done = done;
    stream.on('data', this.#onData);
    stream.on('end', this.#onEnd);
  }

  /** Gives up: the body broke off or is too late. */
  fail(fault: Fault): void {
    if (this.#over) return;
    this.#stop();
    this.#done(fault);
  }

  readonly #onData = (chunk: Uint8Array): void => {
    if (this.#copy.add(chunk)) this.#finish(false);
  };

  readonly #onEnd = (): void => {
    this.#finish(true);
  };

  #finish(complete: boolean): void {
    if (this.#over) return;
    this.#stop();
    const read = this.#copy.bytes;
    if (!complete && read.length > 0) {
      this.#stream.pause();
      this.#stream.unshift(read);
    }
    this.#done({ bytes: read.subarray(0, this.#limit), complete });
  }

  #stop(): void {
    this.#over = true;
    this.#stream.removeListener('data', this.#onData);
    this.#stream.removeListener('end', this.#onEnd);
  }
}
