import type { Enough } from '../../core/gate/exchange.ts';

const FIRST_CAPACITY = 4_096;

/** The beginning of a body in one array of its own, so that a million tiny chunks cost a copy each and keep no read buffers alive. */
export class BodyCopy {
  readonly #limit: number;
  readonly #enough: Enough | undefined;
  #bytes: Uint8Array;
  #length = 0;
  /** Bytes wanted in all; asked again once they are there. Infinity: until the end. */
  #wanted = 0;

  constructor(limit: number, enough: Enough | undefined) {
    this.#limit = limit;
    this.#enough = enough;
    this.#bytes = Buffer.alloc(Math.min(FIRST_CAPACITY, limit));
  }

  /** All that was added. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Adds what came next; true when there is enough of it, or more than the limit. */
  add(chunk: Uint8Array): boolean {
    this.#append(chunk);
    return this.#length > this.#limit || this.#hasEnough();
  }

  #hasEnough(): boolean {
    if (this.#enough === undefined) return false;
    while (this.#length >= this.#wanted) {
      const wanted = this.#enough(this.bytes) ?? Infinity;
      if (wanted <= this.#length) return true;
      this.#wanted = wanted;
    }
    return false;
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(length, Math.min(2 * this.#bytes.length, this.#limit)));
      larger.set(this.bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }
}
