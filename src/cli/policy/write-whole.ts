import { rename, rm, writeFile } from 'node:fs/promises';

import { reasonOf } from '../../io/sources/problem.ts';

/**
 * Writes a file by renaming a new one over it, so that whoever reads it, now or after a failure, sees the old or the new one whole. Rejects with the
 * reason, and leaves nothing behind then.
 */
export async function writeWhole(path: string, content: string | Uint8Array, mode = 0o666): Promise<void> {
  const fresh = `${path}.${process.pid}.new`;
  try {
    await writeFile(fresh, content, { mode, flag: 'wx' });
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw new Error(`${path}: cannot be written: ${whyNot(error)}`, { cause: error });
  }
}

function whyNot(error: unknown): string {
  const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  return missing ? 'its folder is not there; make it first' : reasonOf(error);
}
