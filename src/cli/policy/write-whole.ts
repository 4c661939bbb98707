import { rename, rm, writeFile } from 'node:fs/promises';

/**
 * Writes a file by renaming a new one over it, so that whoever reads it, now or after a failure, sees the old or the new one whole. Rejects as `writeFile`
 * does, and leaves nothing behind then.
 */
export async function writeWhole(path: string, content: string | Uint8Array, mode = 0o666): Promise<void> {
  const fresh = `${path}.${process.pid}.new`;
  try {
    await writeFile(fresh, content, { mode, flag: 'wx' });
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
