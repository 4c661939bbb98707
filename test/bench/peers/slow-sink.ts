/**
 * A disk that is slow, without being root: `node slow-sink.ts PIPE` reads a named pipe as such a disk would take it, 64 KiB at a time with a pause after each,
 * and not at all for a third of a second in each second. On the average it takes more than a target at 1,000 requests a second writes. Says `reading` first.
 */
import { constants, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 65_536;
const PAUSE_MS = 10;
const STALL_MS = 333;
const STALL_EVERY_MS = 1_000;

// For reading and writing, so that opening waits for nobody and the end of a writer is not the end of the pipe.
const pipe = openSync(process.argv[2] ?? '', constants.O_RDWR);
const chunk = Buffer.alloc(CHUNK_BYTES);
const clock = new Int32Array(new SharedArrayBuffer(4));
console.log('reading');
for (let stalledAt = performance.now(); ;) {
  readSync(pipe, chunk);
  const stall = performance.now() - stalledAt > STALL_EVERY_MS;
  if (stall) stalledAt = performance.now() + STALL_MS;
  Atomics.wait(clock, 0, 0, stall ? STALL_MS : PAUSE_MS);
}
