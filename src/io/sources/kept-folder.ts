import { chmod, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { err, ok } from '../../core/kernel/result.ts';
import { reasonOf } from './problem.ts';

import type { Result } from '../../core/kernel/result.ts';

/** Makes the folder where it is not there. One that others can write to could give us a bundle, or a sequence, of theirs. */
export async function fitFolder(folder: string): Promise<Result<undefined, string>> {
  if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await chmod(folder, 0o700);
  const { mode, uid } = await stat(folder);
  const own = process.getuid?.() ?? uid;
  if (uid !== own && uid !== 0) return err(`${folder}: belongs to another user`);
  if ((mode & 0o022) === 0) return ok(undefined);
  return err(`${folder}: others can write to it (mode ${(mode & 0o777).toString(8)}); chmod 700 it`);
}

/** Writes a file (mode 0600) that is there whole, on the disk, or not at all. */
export async function writeWhole(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const fresh = join(folder, `${name}.new`);
  await rm(fresh, { force: true });
  const handle = await open(fresh, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, join(folder, name));
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Runs what works in `folder`; a failed file operation is an error that begins with the folder. */
export async function guarded<T>(folder: string, action: () => Promise<Result<T, string>>): Promise<Result<T, string>> {
  try {
    return await action();
  } catch (error) {
    return err(`${folder}: ${reasonOf(error)}`);
  }
}

/** JSON of a file of ours; undefined where it is none. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
