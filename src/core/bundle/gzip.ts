import { gunzipSync, gzipSync } from 'node:zlib';

import { ok } from '../kernel/result.ts';
import { refuse } from './fault.ts';
import { isZero } from './zero.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';

/** Decompresses at most `maxBytes`: a bomb stops there, not at the end of memory. Bytes after the stream are a fault (zeros excepted, as gzip itself has it). */
export function gunzip(bytes: Uint8Array, maxBytes: number): Result<Uint8Array, BundleFault> {
  try {
    const { buffer, engine } = gunzipSync(bytes, { maxOutputLength: maxBytes, info: true }) as unknown as WithInfo;
    // Node reads no further than a zero byte; others skip zeros and find the member behind them.
    if (!isZero(bytes.subarray(engine.bytesWritten)))
      return refuse('gzip_malformed', 'something stands behind the compressed bytes');
    return ok(buffer);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') return refuse('too_large', `more than ${maxBytes} bytes after decompression`);
    return refuse('gzip_malformed', error instanceof Error ? error.message : 'not gzip');
  }
}

/** What `info: true` makes of the answer; `bytesWritten` is what was read of the input. */
type WithInfo = { readonly buffer: Uint8Array; readonly engine: { readonly bytesWritten: number } };

/** Compresses to the same bytes on every system: no time, and "unknown" as operating system (RFC 1952 2.3.1). */
export function gzip(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const compressed = new Uint8Array(gzipSync(bytes, { level: 9 }));
  compressed[9] = 255;
  return compressed;
}
