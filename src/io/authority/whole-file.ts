import { open, rename, rm } from 'node:fs/promises';

/** Writes a file so that readers see the old or the new content, never a part: a new file beside it, renamed over it. */
export async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const fresh = `${path}.${process.pid}.new`;
  await rm(fresh, { force: true });
  try {
    // `wx`: never into a file or through a link that somebody put there before, and with its mode from the first byte on.
    const handle = await open(fresh, 'wx', mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
