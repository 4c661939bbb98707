import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { bundleFromFiles, readBundle } from '../../src/core/bundle/bundle.ts';
import { writeBundle } from '../../src/core/bundle/write-bundle.ts';
import { needsNativeOpa, opa } from '../support/native-opa.ts';
import { tempFolder, writeFiles } from '../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { Bundle } from '../../src/core/bundle/bundle.ts';

const POLICY = 'package a\n\nallow := data.x.n == input.n\n';
const LONG = `${'long-folder-name-'.repeat(8)}ü`;

async function source(context: TestContext): Promise<string> {
  const folder = await tempFolder(context);
  await writeFiles(folder, {
    'src/a.rego': POLICY,
    'src/x/data.json': '{"n":12345678901234567890,"f":1.10,"e":1e3}',
    [`src/${LONG}/data.yaml`]: 'deep: [1, true, null, text]\n',
    'src/.manifest':
      '{"revision":"r1","roots":["a","x","long-folder-name-long-folder-name-long-folder-name-long-folder-name-long-folder-name-long-folder-name-long-folder-name-long-folder-name-ü"]}',
  });
  return folder;
}

function sound(bundle: ReturnType<typeof readBundle>): Bundle {
  return bundle.ok ? bundle.value : assert.fail(`${bundle.error.code}: ${bundle.error.detail}`);
}

for (const target of ['rego', 'plan', 'wasm']) {
  test(
    `a bundle that opa builds for ${target} is read: revision, roots, data with every digit`,
    needsNativeOpa,
    async (context) => {
      const folder = await source(context);
      await opa(folder, 'build', '-t', target, '-e', 'a/allow', '-b', 'src', '-o', 'b.tar.gz');
      const bundle = sound(readBundle(await readFile(join(folder, 'b.tar.gz'))));
      assert.equal(bundle.revision, 'r1');
      assert.deepEqual([...bundle.manifest.roots].sort(), ['a', LONG, 'x']);
      assert.match(bundle.dataJson, /"n":12345678901234567890/);
      assert.deepEqual((JSON.parse(bundle.dataJson) as Record<string, unknown>)[LONG], {
        deep: [1, true, null, 'text'],
      });
      assert.equal(bundle.module === undefined, target !== 'wasm');
      if (target === 'wasm') assert.deepEqual(bundle.module?.entrypoints, ['a/allow']);
    },
  );
}

test('a bundle that we write is evaluated by opa as it was meant', needsNativeOpa, async (context) => {
  const folder = await source(context);
  const archive = writeBundle({
    manifestJson: '{"revision":"r2","roots":[""]}',
    dataJson: '{"x":{"n":12345678901234567890}}',
    files: new Map([[`${LONG}/a.rego`, Buffer.from(POLICY)]]),
  });
  await writeFile(join(folder, 'ours.tar.gz'), archive);
  await writeFile(join(folder, 'input.json'), '{"n":12345678901234567890}');
  const output = await opa(folder, 'eval', '-b', 'ours.tar.gz', '-i', 'input.json', '-f', 'raw', 'data.a.allow');
  assert.equal(output.trim(), 'true');
});

test('opa and we agree on the data of a folder', needsNativeOpa, async (context) => {
  const folder = await source(context);
  const paths = ['a.rego', 'x/data.json', `${LONG}/data.yaml`, '.manifest'];
  const files = new Map(
    await Promise.all(paths.map(async (path) => [path, await readFile(join(folder, 'src', path))] as const)),
  );
  const { a: _rules, ...theirs } = JSON.parse(await opa(folder, 'eval', '-b', 'src', '-f', 'raw', 'data')) as Record<
    string,
    unknown
  >;
  assert.deepEqual(theirs, JSON.parse(sound(bundleFromFiles(files)).dataJson));
});
