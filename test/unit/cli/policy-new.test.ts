import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

test('policy new: what it writes checks, passes its tests and builds', async (context) => {
  const folder = join(await tempFolder(context), 'demo');
  const made = await sallyport(['policy', 'new', folder]);
  assert.equal(made.code, 0, made.err.join('\n'));
  assert.equal(made.out[0], `${folder}: a policy with tests. Next:`);
  const tested = await sallyport(['policy', 'test', folder]);
  assert.equal(tested.code, 0, tested.out.join('\n'));
  assert.match(tested.out.at(-1) ?? '', /^\d+ passed; /);
  assert.equal((await sallyport(['policy', 'check', folder])).code, 0);
  assert.equal((await sallyport(['policy', 'fmt', folder, '--check'])).code, 0);
  const built = await sallyport(['policy', 'build', folder, '-o', `${folder}.tar.gz`, '--json']);
  assert.equal(built.code, 0, built.err.join('\n'));
});

test('policy new: an edit with a typo in an input path is found with its line', async (context) => {
  const folder = join(await tempFolder(context), 'demo');
  await sallyport(['policy', 'new', folder]);
  const file = join(folder, 'sallyport/authz.rego');
  const rego = await readFile(file, 'utf8');
  await writeFiles(folder, { 'sallyport/authz.rego': rego.replace('input.attributes.', 'input.atributes.') });
  const line = rego.split('\n').findIndex((text) => text.includes('input.attributes.')) + 1;
  const { code, err } = await sallyport(['policy', 'check', folder]);
  assert.equal(code, 2);
  assert.ok(err.join('\n').startsWith(`${file}:${line}:`), err.join('\n'));
});

test('policy new: a folder with files in it is left alone, and with --force nothing in it is replaced', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'notes.txt': 'mine' });
  const refused = await sallyport(['policy', 'new', folder]);
  assert.deepEqual([refused.code, refused.err], [2, [`${folder}: is not empty; --force writes beside what is there`]]);
  assert.equal((await sallyport(['policy', 'new', folder, '--force'])).code, 0);
  assert.equal(await readFile(join(folder, 'notes.txt'), 'utf8'), 'mine');
  const again = await sallyport(['policy', 'new', folder, '--force']);
  assert.deepEqual(
    [again.code, again.err],
    [2, [`${folder}: has README.md already, and nothing is replaced; name another folder`]],
  );
});

test('policy bench: the dearest test first, and rules with their share', async (context) => {
  const folder = await tempFolder(context);
  const rego = 'package p\n\ncheap if 1 == 1\n\ndear if count([1 | some i in numbers.range(1, 2000); i > 3]) > 5\n';
  const tests = 'package p_test\n\ntest_a if data.p.cheap\n\ntest_b if data.p.dear\n\ntodo_test_c if data.p.dear\n';
  await writeFiles(folder, { 'p.rego': rego, 'p_test.rego': tests });
  const { code, out } = await sallyport(['policy', 'bench', folder, '--rules', '1']);
  assert.equal(code, 0, out.join('\n'));
  assert.match(out[1] ?? '', /^ +[\d,]+ +[\d.]+ {2}data\.p_test\.test_b {2}\(.*p_test\.rego:5\)$/);
  assert.match(out[2] ?? '', /data\.p_test\.test_a/);
  assert.match(out[5] ?? '', /^ +[\d,]+ +(?:9\d\.\d|100\.0) % +1 {2}data\.p\.dear$/);
  assert.equal(out.length, 6);
  const json = await sallyport(['policy', 'bench', folder, '--json', '--filter', 'test_a']);
  const { tests: told } = JSON.parse(json.out[0] ?? '') as { tests: readonly { path: string; steps: number }[] };
  assert.deepEqual(
    told.map(({ path, steps }) => [path, steps > 0]),
    [['data.p_test.test_a', true]],
  );
});
