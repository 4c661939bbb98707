import type { Readable } from 'node:stream';

import type { CollectedBody, Enough } from '../../core/gate/exchange.ts';
import type { Fault } from '../../core/model/faults.ts';

const FIRST_CAPACITY = 4_096;

/**
 * Reads a body into one array of its own, so that a million tiny chunks cost a copy each and keep no read buffers alive. Stops at the
 * end, when `enough` bytes are there, or past `limit`; then the stream is paused and yields everything again, from the first byte.
 */
export class BodyCollector {
  readonly #stream: Readable;
  readonly #limit: number;
  readonly #enough: Enough | undefined;
  readonly #done: (body: CollectedBody | Fault) => void;
  #bytes: Uint8Array;
  #length = 0;
  /** Bytes wanted in all; asked again once they are there. Infinity: until the end. */
  #wanted = 0;
  #over = false;

  constructor(
    stream: Readable,
    limit: number,
    enough: Enough | undefined,
    done: (body: CollectedBody | Fault) => void,
  ) {
    this.#stream = stream;
    this.#limit = limit;
    this.#enough = enough;
    this.#done = done;
    this.#bytes = Buffer.alloc(Math.min(FIRST_CAPACITY, limit));
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
    this.#append(chunk);
    if (this.#length > this.#limit || this.#hasEnough()) this.#finish(false);
  };

  readonly #onEnd = (): void => {
    this.#finish(true);
  };

  #hasEnough(): boolean {
    if (this.#enough === undefined) return false;
    while (this.#length >= this.#wanted) {
      const wanted = this.#enough(this.#bytes.subarray(0, this.#length)) ?? Infinity;
      if (wanted <= this.#length) return true;
      this.#wanted = wanted;
    }
    return false;
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(length, Math.min(2 * this.#bytes.length, this.#limit)));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  #finish(complete: boolean): void {
    if (this.#over) return;
    this.#stop();
    const read = this.#bytes.subarray(0, this.#length);
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
