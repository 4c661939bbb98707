import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import type { TestContext } from 'node:test';

/** Folders into which somebody still wrote when they were to be removed. */
const left: string[] = [];
process.once('exit', () => {
  for (const folder of left) rmSync(folder, { recursive: true, force: true });
});

/**
 * A folder that is gone when the test ends. Hooks run in the order in which they were asked for, so whoever writes there may still run, and one that fails keeps
 * those after it from ending their processes: what cannot be removed yet is removed when all tests have ended.
 */
export async function tempFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
  context.after(() => rm(folder, { recursive: true, force: true }).catch(() => left.push(folder)));
  return folder;
}

/** Writes files by their path below `folder`, folders made as needed. */
export async function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** Replaces a file as careful writers do: a new file, renamed over the old one. */
export async function replaceFile(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  await writeFile(`${path}.new`, content, { mode });
  await rename(`${path}.new`, path);
}
