import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { readBundle } from '../../../src/core/bundle/bundle.ts';
import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

test('policy build: Rego and data become a bundle with module, plan, data and source; the same source gives the same bytes', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, {
    'src/authz.rego': 'package sallyport.authz\n\ndecision := input.n == data.limit\n',
    'src/data.json': '{"limit":12345678901234567890}',
    'src/authz_test.rego': 'package sallyport.authz_test\n\ntest_x if nothing.like.that\n',
  });
  const build = (output: string) =>
    sallyport(['policy', 'build', join(folder, 'src'), '-o', join(folder, output), '--revision', 'r7', '--json']);
  const [first, second] = [await build('a.tar.gz'), await build('b.tar.gz')];
  assert.deepEqual([first.code, second.code], [0, 0], first.err.join('\n'));
  const bytes = await readFile(join(folder, 'a.tar.gz'));
  assert.deepEqual(bytes, await readFile(join(folder, 'b.tar.gz')));
  const bundle = readBundle(bytes);
  assert.ok(bundle.ok);
  const { revision, module, planJson, dataJson, rego } = bundle.value;
  assert.deepEqual([...rego.keys()], ['authz.rego']);
  assert.deepEqual(
    [revision, module?.entrypoints, dataJson],
    ['r7', ['sallyport/authz/decision'], '{"limit":12345678901234567890}'],
  );
  assert.ok(planJson?.includes('sallyport/authz/decision'));
  const facts = JSON.parse(first.out[0] ?? '') as Record<string, unknown>;
  assert.deepEqual([facts['revision'], facts['bytes']], ['r7', bytes.length]);
});

test('policy build: Rego with a mistake is exit 2, with file, line and column, and writes nothing', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'src/authz.rego': 'package sallyport.authz\n\ndecision if {\n' });
  const { code, out, err } = await sallyport(['policy', 'build', join(folder, 'src'), '-o', join(folder, 'a.tar.gz')]);
  assert.deepEqual([code, out], [2, []]);
  assert.match(err.join('\n'), /src\/authz\.rego:\d+:\d+: rego_parse_error/);
  await assert.rejects(readFile(join(folder, 'a.tar.gz')));
});

test('policy build: escape sequences in names of rules and revisions do not reach the terminal', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'src/authz.rego': 'package a["\\u001b[31m\\u009b"]\n\nq := 1\n' });
  const decision = 'a/\u001b[31m\u009b/q';
  const { code, out, err } = await sallyport(
    ['policy', 'build', join(folder, 'src'), '-o', join(folder, 'a.tar.gz')].concat(
      '--decision',
      decision,
      '--revision',
      'r\u001b[2J',
    ),
  );
  assert.equal(code, 0, err.join('\n'));
  assert.match(out.join('\n'), /revision r\\u\{1b\}\[2J, .*, a\/\\u\{1b\}\[31m\\u\{9b\}\/q$/);
});

test('a fault that nobody expected is told without escape sequences', async (context) => {
  const output = join(await tempFolder(context), 'none\u001b[31m', 'a.tar.gz');
  const source = await tempFolder(context);
  await writeFiles(source, { 'authz.rego': 'package sallyport.authz\n\ndecision := true\n' });
  const { code, err } = await sallyport(['policy', 'build', source, '-o', output]);
  assert.equal(code, 3);
  assert.match(err.join('\n'), /^sallyport: .*none\\u\{1b\}\[31m.*: cannot be written: /);
});

test('policy build: a folder that is not there is told', async (context) => {
  const { code, err } = await sallyport(['policy', 'build', join(await tempFolder(context), 'none')]);
  assert.equal(code, 2);
  assert.match(err.join(), /there is no such file/);
});
