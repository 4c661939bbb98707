import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test, type TestContext } from 'node:test';

import { complete, folder, text, type ImageEntry } from '../../../helm/image/entry.ts';
import { writeTree } from '../../../helm/image/tree.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const ENTRIES = complete([
  folder('/tmp', 0o1777),
  text('/etc/passwd', 'root'),
  { kind: 'file', path: '/usr/bin/node', mode: 0o755, from: { bytes: Buffer.from('program') } },
  { kind: 'link', path: '/bin/node', target: '/usr/bin/node' },
]);

async function laidOut(context: TestContext, entries: readonly ImageEntry[]): Promise<string> {
  const place = join(await tempFolder(context), 'tree');
  writeTree({ name: 'layer', entries }, place);
  return place;
}

test('the tree that the Dockerfile copies has exactly the paths of the archive’s layer', async (context) => {
  const place = await laidOut(context, ENTRIES);
  const found = readdirSync(place, { recursive: true, withFileTypes: true }).map(
    (item) => `/${relative(place, join(item.parentPath, item.name))}`,
  );
  assert.deepEqual(
    found.toSorted(),
    ENTRIES.map(({ path }) => path),
  );
});

test('contents, modes and times are those of the archive', async (context) => {
  const place = await laidOut(context, ENTRIES);
  assert.equal(readFileSync(join(place, 'etc/passwd'), 'utf8'), 'root');
  for (const entry of ENTRIES) {
    const status = lstatSync(join(place, entry.path));
    if (entry.kind === 'link') assert.ok(status.isSymbolicLink());
    else assert.deepEqual([status.mode & 0o7777, status.mtimeMs], [entry.mode, 0], entry.path);
  }
});
