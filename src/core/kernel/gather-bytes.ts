/**
 * The bytes of a body that comes in pieces, copied into one place as they come: many small pieces cost no more memory than few large ones. Undefined where there
 * are more than `maxBytes`; then the rest is not read.
 */
export async function gatherBytes(
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  let bytes = new Uint8Array(0);
  let length = 0;
  for await (const piece of pieces) {
    const needed = length + piece.length;
    if (needed > maxBytes) return undefined;
    if (needed > bytes.length) {
      const larger = new Uint8Array(Math.min(maxBytes, Math.max(needed, bytes.length * 2)));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(piece, length);
    length = needed;
  }
  return bytes.length === length ? bytes : bytes.slice(0, length);
}
