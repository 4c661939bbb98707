/** Memory for a count that threads share. */
export function sharedCount(): SharedArrayBuffer {
  return new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
}

/** Numbers from 1 on, none twice, whichever thread asks. */
export function numbersOf(memory: SharedArrayBuffer): () => number {
  const count = new BigInt64Array(memory);
  return () => Number(Atomics.add(count, 0, 1n)) + 1;
}
