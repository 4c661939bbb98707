/** Bytes of UTF-8 that one UTF-16 unit takes at most. */
const MOST_PER_UNIT = 3;

/**
 * Lines on their way to the sinks, as bytes in one block of memory: each is encoded once, where it will be written from. What was taken is never touched
 * again; the rest of the block goes on being filled.
 */
export class LineBlock {
  readonly #size: number;
  #block: Buffer;
  #begin = 0;
  #end = 0;

  /** `size`: bytes of a block; a longer line gets one of its own. */
  constructor(size: number) {
    this.#size = size;
    this.#block = Buffer.allocUnsafeSlow(size);
  }

  /** True where the line surely fits behind those that are not taken yet. */
  hasRoom(line: string): boolean {
    return this.#block.length - this.#end > line.length * MOST_PER_UNIT;
  }

  /** Adds a line and its line end; gives how many bytes that is. What does not fit begins another block: then everything before must have been taken. */
  add(line: string): number {
    if (!this.hasRoom(line)) this.#renew(line.length * MOST_PER_UNIT + 1);
    const from = this.#end;
    this.#end += this.#block.write(line, from, 'utf8');
    this.#block[this.#end] = 0x0a;
    this.#end += 1;
    return this.#end - from;
  }

  /** The lines that were added since the last time. */
  take(): Uint8Array {
    const taken = this.#block.subarray(this.#begin, this.#end);
    this.#begin = this.#end;
    return taken;
  }

  #renew(needed: number): void {
    if (this.#begin !== this.#end) throw new TypeError('lines in the block were not taken');
    this.#block = Buffer.allocUnsafeSlow(Math.max(this.#size, needed));
    this.#begin = 0;
    this.#end = 0;
  }
}
