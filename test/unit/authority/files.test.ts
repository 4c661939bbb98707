import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { writeWhole } from '../../../src/io/authority/whole-file.ts';
import { tempFolder } from '../../support/temp-folder.ts';

test('a file is written with its mode, whatever stood there before, and nothing else is left', async (context) => {
  const folder = await tempFolder(context);
  const path = join(folder, 'key');
  await writeFile(path, 'old');
  await chmod(path, 0o666);
  await writeWhole(path, 'new', 0o600);
  assert.deepEqual([await readFile(path, 'utf8'), ((await stat(path)).mode & 0o777).toString(8)], ['new', '600']);
  assert.deepEqual(await readdir(folder), ['key']);
});

test('a file that cannot be put in its place leaves nothing behind', async (context) => {
  const folder = await tempFolder(context);
  await mkdir(join(folder, 'taken'));
  await assert.rejects(writeWhole(join(folder, 'taken'), 'x', 0o600));
  assert.deepEqual(await readdir(folder), ['taken']);
  await assert.rejects(writeWhole(join(folder, 'none/key'), 'x', 0o600));
});
