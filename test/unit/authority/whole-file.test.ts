import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { mock, test } from 'node:test';

import { writeWhole } from '../../../src/io/authority/whole-file.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { FileHandle } from 'node:fs/promises';

test('a file that was written is there after a loss of power: its bytes are on the disk, then its name', async (context) => {
  const folder = await tempFolder(context);
  const probe = await open(folder, 'r');
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  await probe.close();
  const synced: string[] = [];
  const sync = mock.method(prototype, 'sync', async function (this: FileHandle) {
    synced.push((await this.stat()).isDirectory() ? 'folder' : 'file');
  });
  context.after(() => sync.mock.restore());
  await writeWhole(join(folder, 'a.key'), 'x', 0o600);
  assert.deepEqual(synced, ['file', 'folder']);
});
