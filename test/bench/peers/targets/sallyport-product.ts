import { rmSync } from 'node:fs';
import { copyFile, mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { makeProduct } from '../../../../helm/image/contents.ts';
import { artefactUrl, factsUrl } from '../../../../src/io/rego/artefact.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');

let made: Promise<string> | undefined;

/** The command as the container image holds it, compiled and joined into few files; made once in a run, from the sources of this clone. */
export function product(): Promise<string> {
  made ??= make();
  return made;
}

async function make(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-product-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const dist = join(folder, 'dist');
  await makeProduct(ROOT, join(folder, 'work'), dist);
  await symlink(join(ROOT, 'package.json'), join(folder, 'package.json'));
  for (const part of [artefactUrl, factsUrl]) await copyFile(part, join(dist, 'io', 'rego', basename(part.pathname)));
  return join(dist, 'cli', 'main.js');
}
