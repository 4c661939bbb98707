import { concat } from '../../core/kernel/bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';

/** The largest message that is taken, in bytes; gRPC's own default, which SPIRE keeps. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Compressed flag and message length (gRPC over HTTP2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5;

/** Why a sequence of messages cannot be read on. */
export type FrameFault = { readonly kind: 'compressed' | 'too-large'; readonly detail: string };

/** One message with its prefix, uncompressed. */
export function frame(message: Uint8Array): Uint8Array {
  const prefix = new Uint8Array(PREFIX_BYTES);
  new DataView(prefix.buffer).setUint32(1, message.length);
  return concat([prefix, message]);
}

/** Puts messages together from the bytes as they come. What is held never exceeds one message and one chunk. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #held = 0;
  /** How many bytes make the next look worthwhile. */
  #wanted = PREFIX_BYTES;

  /** `maxBytes`: the largest message. */
  constructor(maxBytes: number = MAX_MESSAGE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** True while the beginning of a message has come and its end has not. */
  get isWithin(): boolean {
    return this.#held > 0;
  }

  /** The messages that `chunk` completes. After a fault nothing more can be read: where the next message begins is unknown. */
  push(chunk: Uint8Array): Result<readonly Uint8Array[], FrameFault> {
    if (chunk.length > 0) this.#chunks.push(chunk);
    this.#held += chunk.length;
    const messages: Uint8Array[] = [];
    while (this.#held >= this.#wanted) {
      const bytes = this.#joined();
      const length = this.#lengthIn(bytes);
      if (!length.ok) return length;
      const end = PREFIX_BYTES + length.value;
      const isWhole = bytes.length >= end;
      if (isWhole) messages.push(bytes.subarray(PREFIX_BYTES, end));
      this.#hold(isWhole ? bytes.subarray(end) : bytes, isWhole ? PREFIX_BYTES : end);
    }
    return ok(messages);
  }

  #joined(): Uint8Array {
    const [only, another] = this.#chunks;
    return only !== undefined && another === undefined ? only : concat(this.#chunks);
  }

  #hold(bytes: Uint8Array, wanted: number): void {
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#held = bytes.length;
    this.#wanted = wanted;
  }

  #lengthIn(bytes: Uint8Array): Result<number, FrameFault> {
    if (bytes[0] !== 0) return err({ kind: 'compressed', detail: 'a compressed message, which nobody asked for' });
    const length = new DataView(bytes.buffer, bytes.byteOffset + 1, 4).getUint32(0);
    if (length <= this.#maxBytes) return ok(length);
    return err({ kind: 'too-large', detail: `a message of ${length} bytes; ${this.#maxBytes} are allowed` });
  }
}
