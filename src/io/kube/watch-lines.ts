/** Splits a stream of bytes into its lines; what ends without a line end is no line. */
export interface LineSplitter {
  /** The lines that a piece completed, or undefined where one is too long: nothing may be read after that. */
  take(piece: Uint8Array): readonly string[] | undefined;
  /** Bytes of the line that has begun. */
  readonly pending: number;
}

const LINE_END = 0x0a;
const FIRST_BYTES = 4_096;

/** A splitter for lines of at most `maxBytes`. What it holds grows with the line that is open, however small the pieces are, and is given back after a long one. */
export function createLineSplitter(maxBytes: number): LineSplitter {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let buffer = new Uint8Array(0);
  let size = 0;
  const add = (part: Uint8Array): boolean => {
    const needed = size + part.length;
    if (needed > maxBytes) return false;
    if (needed > buffer.length) {
      const larger = new Uint8Array(Math.min(maxBytes, Math.max(needed, buffer.length * 2, FIRST_BYTES)));
      larger.set(buffer.subarray(0, size));
      buffer = larger;
    }
    buffer.set(part, size);
    size = needed;
    return true;
  };
  const close = (): string => {
    const line = decoder.decode(buffer.subarray(0, size));
    if (buffer.length > FIRST_BYTES) buffer = new Uint8Array(0);
    size = 0;
    return line;
  };
  return {
    take(piece) {
      const lines: string[] = [];
      let from = 0;
      for (let end = piece.indexOf(LINE_END); end !== -1; end = piece.indexOf(LINE_END, from)) {
        if (!add(piece.subarray(from, end))) return undefined;
        lines.push(close());
        from = end + 1;
      }
      return add(piece.subarray(from)) ? lines : undefined;
    },
    get pending() {
      return size;
    },
  };
}
