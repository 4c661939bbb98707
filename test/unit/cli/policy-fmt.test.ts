import assert from 'node:assert/strict';
import { chmod, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { manifestJson, writeBundle } from '../../../src/core/bundle/write-bundle.ts';
import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

const LOOSE = 'package a\nx   :=  1\n\n\n\ny if {input.z ==   x}\n';
const TIDY = 'package a\n\nx := 1\n\ny if input.z == x\n';

test('policy fmt: the formatted text goes to stdout, and no file is touched', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'a.rego': LOOSE });
  const { code, out } = await sallyport(['policy', 'fmt', folder]);
  assert.deepEqual([code, `${out.join('\n')}\n`], [0, TIDY]);
  assert.equal(await readFile(join(folder, 'a.rego'), 'utf8'), LOOSE);
});

test('policy fmt --check: the files that would change are named, exit 1; none is exit 0', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'a.rego': LOOSE, 'sub/b.rego': TIDY });
  const loose = await sallyport(['policy', 'fmt', folder, '--check']);
  assert.deepEqual([loose.code, loose.out], [1, [join(folder, 'a.rego')]]);
  assert.deepEqual(await sallyport(['policy', 'fmt', join(folder, 'sub'), '--check']), { code: 0, out: [], err: [] });
  assert.equal(await readFile(join(folder, 'a.rego'), 'utf8'), LOOSE);
});

test('policy fmt --diff: what would change, as a unified diff', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'a.rego': LOOSE, 'b.rego': TIDY.replace('package a', 'package b') });
  const { code, out } = await sallyport(['policy', 'fmt', folder, '--diff']);
  assert.equal(code, 0);
  assert.deepEqual(out.slice(0, 2), [`--- ${join(folder, 'a.rego')}`, `+++ ${join(folder, 'a.rego')}`]);
  assert.ok(out.includes('-x   :=  1') && out.includes('+x := 1'));
  assert.ok(!out.join('\n').includes('b.rego'));
  assert.equal((await sallyport(['policy', 'fmt', folder, '--diff', '--check'])).code, 1);
});

test('policy fmt --write: files are replaced whole, with their mode, links followed', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'policy/a.rego': LOOSE, 'elsewhere/b.rego': LOOSE, 'policy/c.rego': TIDY });
  await chmod(join(folder, 'policy/a.rego'), 0o640);
  await symlink('../elsewhere/b.rego', join(folder, 'policy/b.rego'));
  const before = await stat(join(folder, 'policy/c.rego'));
  const { code, out } = await sallyport(['policy', 'fmt', join(folder, 'policy'), '--write']);
  assert.deepEqual([code, out], [0, [join(folder, 'policy/a.rego'), join(folder, 'policy/b.rego')]]);
  assert.equal(await readFile(join(folder, 'policy/a.rego'), 'utf8'), TIDY);
  assert.equal(await readFile(join(folder, 'elsewhere/b.rego'), 'utf8'), TIDY);
  assert.equal((await stat(join(folder, 'policy/a.rego'))).mode & 0o777, 0o640);
  assert.equal((await stat(join(folder, 'policy/c.rego'))).ino, before.ino);
});

test('policy fmt: what does not parse is told with its place, and nothing is written', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'a.rego': LOOSE, 'b.rego': 'package b\n\nx := \n' });
  const { code, err } = await sallyport(['policy', 'fmt', folder, '--write']);
  assert.equal(code, 2);
  assert.match(err.join('\n'), /b\.rego:\d+:\d+: rego_parse_error/);
  assert.equal(await readFile(join(folder, 'a.rego'), 'utf8'), LOOSE);
});

test('policy fmt --write: the members of a bundle are not rewritten', async (context) => {
  const folder = await tempFolder(context);
  const archive = writeBundle({
    manifestJson: manifestJson('1', []),
    files: new Map([['a.rego', new TextEncoder().encode(LOOSE)]]),
  });
  const bundle = join(folder, 'b.tar.gz');
  await writeFiles(folder, { 'b.tar.gz': archive });
  const { code, err } = await sallyport(['policy', 'fmt', bundle, '--write']);
  assert.deepEqual([code, err], [2, [`${bundle}/a.rego: stands in a bundle, which is not rewritten`]]);
  assert.deepEqual(new Uint8Array(await readFile(bundle)), new Uint8Array(archive));
});
