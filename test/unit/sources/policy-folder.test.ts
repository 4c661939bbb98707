import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { listPolicyFolder, readPolicyFolder } from '../../../src/io/sources/policy-folder.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

async function listed(root: string): Promise<readonly string[]> {
  const folder = await listPolicyFolder(root);
  return folder.ok ? folder.value.files : folder.error;
}

test('what belongs to a policy is found at any depth, sorted; other files are not', async (context) => {
  const root = await tempFolder(context);
  const names = [
    '.manifest',
    'a.rego',
    'b/a_test.rego',
    'b/c/data.json',
    'b/data.yaml',
    'b/data.yml',
    'data.json',
    'patch.json',
    'plan.json',
    'policy.wasm',
    '.signatures.json',
  ];
  await writeFiles(
    root,
    Object.fromEntries(
      [...names, 'README.md', 'mydata.json', 'a.rego.bak', 'data.xml', 'b/values.yaml'].map((name) => [name, '']),
    ),
  );
  assert.deepEqual([...(await listed(root))].sort(), names.sort());
});

test('hidden folders are passed over, hidden files that belong to a policy are not', async (context) => {
  const root = await tempFolder(context);
  await writeFiles(root, { '.git/hooks/x.rego': '', '..2026/a.rego': '', '.manifest': '{}', 'a/.manifest': '{}' });
  assert.deepEqual(await listed(root), ['.manifest', 'a/.manifest']);
});

test('links to files and folders are followed; dangling ones are passed over', async (context) => {
  const root = await tempFolder(context);
  await writeFiles(root, { 'out/real.rego': 'package a', 'in/own.rego': '' });
  await symlink('../out/real.rego', join(root, 'in/link.rego'));
  await symlink('../out', join(root, 'in/folder'));
  await symlink('nowhere', join(root, 'in/gone.rego'));
  assert.deepEqual(await listed(join(root, 'in')), ['folder/real.rego', 'link.rego', 'own.rego']);
  const read = await readPolicyFolder(join(root, 'in'));
  assert.ok(read.ok);
  assert.equal(Buffer.from(read.value.get('link.rego') ?? []).toString(), 'package a');
});

test('every folder on the way is named, so that all of them can be watched', async (context) => {
  const root = await tempFolder(context);
  await mkdir(join(root, 'empty'));
  await writeFiles(root, { 'a/b/x.rego': '' });
  const folder = await listPolicyFolder(root);
  const below = ['a', 'a/b', 'empty'].map((name) => join(root, name));
  assert.deepEqual(folder.ok && folder.value.folders.map((path) => path.replace(/\/$/, '')), [root, ...below]);
});

test('a folder that is not there, and a file in its place, are told by path', async (context) => {
  const root = await tempFolder(context);
  await writeFiles(root, { file: '' });
  assert.deepEqual(await listed(join(root, 'none')), [`${join(root, 'none')}: there is no such file`]);
  assert.deepEqual(await listed(join(root, 'file')), [`${join(root, 'file')}: a part of the path is no folder`]);
});

test('a name that is no UTF-8 path for a bundle is refused when the bundle is made, not lost', async (context) => {
  const root = await tempFolder(context);
  await writeFiles(root, { 'a\\b.rego': 'package a' });
  assert.deepEqual(await listed(root), ['a\\b.rego']);
});
