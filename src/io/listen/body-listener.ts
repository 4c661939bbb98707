import type { CollectedBody, Enough } from '../../core/gate/exchange.ts';
import { BodyCopy } from './body-copy.ts';

/** Hears a body as the parser hands it on, and copies its beginning; it holds nothing up and asks for nothing. `done` is called once, or never. */
export class BodyListener {
  readonly #limit: number;
  readonly #copy: BodyCopy;
  #done: ((body: CollectedBody) => void) | undefined;

  constructor(limit: number, enough: Enough | undefined, done: (body: CollectedBody) => void) {
    this.#limit = limit;
    this.#copy = new BodyCopy(limit, enough);
    this.#done = done;
  }

  /** The next bytes. What would go beyond the limit is not copied but for one byte, which shows that there is more. */
  hear(chunk: Uint8Array): void {
    if (this.#done === undefined) return;
    const room = this.#limit + 1 - this.#copy.bytes.length;
    if (this.#copy.add(chunk.subarray(0, room))) this.#finish(false);
  }

  /** There are no more. */
  end(): void {
    this.#finish(true);
  }

  #finish(complete: boolean): void {
    const done = this.#done;
    this.#done = undefined;
    done?.({ bytes: this.#copy.bytes.subarray(0, this.#limit), complete });
  }
}
