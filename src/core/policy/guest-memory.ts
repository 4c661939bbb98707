const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The linear memory of one instance, read and written with every address checked: addresses come from the module and prove nothing. */
export class GuestMemory {
  readonly memory: WebAssembly.Memory;
  #bytes: Uint8Array<ArrayBuffer>;

  /** Memory of exactly `pages` of 64 KiB that cannot grow: growing on demand costs a page fault an allocation and never shrinks. */
  constructor(pages: number) {
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#bytes = new Uint8Array(this.memory.buffer);
  }

  /** All bytes. Growing by zero pages, which the module may do, detaches the buffer, so this is never kept across a call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(this.memory.buffer);
    return this.#bytes;
  }

  /** Writes `text` as UTF-8 at `address`, at most `limit` bytes; its length in bytes, or undefined where it does not fit. */
  write(text: string, address: number, limit: number): number | undefined {
    const bytes = this.bytes;
    if (text.length > limit || address + limit > bytes.length) return undefined;
    const { read, written } = encoder.encodeInto(text, bytes.subarray(address, address + limit));
    return read === text.length ? written : undefined;
  }

  /** The NUL-terminated UTF-8 text at `address`, at most `limit` bytes; undefined where there is none. */
  text(address: number, limit: number): string | undefined {
    const start = address >>> 0;
    const bytes = this.bytes;
    const end = bytes.indexOf(0, start);
    if (end < 0 || start >= bytes.length || end - start > limit) return undefined;
    return decoder.decode(bytes.subarray(start, end));
  }
}
