import { open, stat } from 'node:fs/promises';

import { err, ok } from '../../core/kernel/result.ts';
import { reasonOf } from './problem.ts';

import type { Result } from '../../core/kernel/result.ts';

/** A file as it was read. `mode` are its permission bits. */
export type ReadFile = { readonly bytes: Uint8Array; readonly mode: number };

/** Reads a regular file of at most `maxBytes`; whatever grows while it is read is refused as well. The error begins with the path. */
export async function readBounded(path: string, maxBytes: number): Promise<Result<ReadFile, string>> {
  try {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if (!(await stat(path)).isFile()) return err(`${path}: is no regular file`);
    const handle = await open(path, 'r');
    try {
      const { size, mode } = await handle.stat();
      if (size > maxBytes) return err(`${path}: is larger than ${maxBytes} bytes`);
      const buffer = new Uint8Array(size + 1);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
      if (bytesRead !== size) return err(`${path}: changed while it was read`);
      return ok({ bytes: buffer.subarray(0, size), mode: mode & 0o777 });
    } finally {
      await handle.close();
    }
  } catch (error) {
    return err(`${path}: ${reasonOf(error)}`);
  }
}
