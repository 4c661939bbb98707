import { open, stat } from 'node:fs/promises';

import { err, ok } from '../../core/kernel/result.ts';

import type { FileHandle } from 'node:fs/promises';
import type { Result } from '../../core/kernel/result.ts';

const MAX_BYTES = 4_096;

/** Reads a passphrase from a file that only its owner (and group) can read, and only its owner write; a line end after it does not count. */
export async function readPassphrase(path: string): Promise<Result<string, string>> {
  try {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if (!(await stat(path)).isFile()) return err(`${path}: the passphrase has to stand in a regular file`);
    await using handle = await open(path, 'r');
    return await read(handle, path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'cannot be read';
    return err(`${path}: the passphrase cannot be read: ${reason}`);
  }
}

async function read(handle: FileHandle, path: string): Promise<Result<string, string>> {
  const { mode } = await handle.stat();
  const bits = (mode & 0o777).toString(8).padStart(4, '0');
  if ((mode & 0o004) !== 0) return err(`${path}: the passphrase can be read by everybody (mode ${bits}); chmod 600 it`);
  if ((mode & 0o022) !== 0) return err(`${path}: the passphrase can be written by others (mode ${bits}); chmod 600 it`);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_BYTES + 1), 0, MAX_BYTES + 1, 0);
  if (bytesRead > MAX_BYTES) return err(`${path}: a passphrase of more than ${MAX_BYTES} bytes`);
  const text = buffer.toString('utf8', 0, bytesRead).replace(/\r?\n$/, '');
  return text === '' ? err(`${path}: holds no passphrase`) : ok(text);
}
