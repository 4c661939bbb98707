import { readFile, stat } from 'node:fs/promises';

import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';

const MAX_BYTES = 4_096;

/** Reads a passphrase from a file that only its owner (and group) can read; a line end after it does not count. */
export async function readPassphrase(path: string): Promise<Result<string, string>> {
  try {
    const { mode, size } = await stat(path);
    const bits = (mode & 0o777).toString(8).padStart(4, '0');
    if ((mode & 0o004) !== 0)
      return err(`${path}: the passphrase can be read by everybody (mode ${bits}); chmod 600 it`);
    if (size > MAX_BYTES) return err(`${path}: a passphrase of more than ${MAX_BYTES} bytes`);
    const text = (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
    return text === '' ? err(`${path}: holds no passphrase`) : ok(text);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'cannot be read';
    return err(`${path}: the passphrase cannot be read: ${reason}`);
  }
}
