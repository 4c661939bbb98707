import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import fc from 'fast-check';

import { appendEvent, readEvents } from '../../../src/io/authority/authority-log.ts';
import { writeWhole } from '../../../src/io/authority/whole-file.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const AT = '2026-01-02T03:04:05.000Z';
const ISSUED = { event: 'issued', at: AT, serial: '4a', id: 'spiffe://example.org/a', notAfter: AT } as const;
const REVOKED = { event: 'revoked', at: AT, serial: '4a' } as const;

test('what was appended is read back in its order; a log that is not there is empty', async (context) => {
  const log = join(await tempFolder(context), 'log');
  assert.deepEqual(await readEvents(log), { ok: true, value: [] });
  await appendEvent(log, ISSUED);
  await appendEvent(log, REVOKED);
  assert.deepEqual(await readEvents(log), { ok: true, value: [ISSUED, REVOKED] });
  assert.equal(((await stat(log)).mode & 0o777).toString(8), '600');
});

const DAMAGED = [
  'x',
  '{}',
  'null',
  '[]',
  JSON.stringify({ ...REVOKED, at: 'yesterday' }),
  JSON.stringify({ ...REVOKED, extra: 1 }),
  JSON.stringify({ event: 'renewed' }),
  JSON.stringify(ISSUED).slice(0, -1),
];
for (const line of DAMAGED) {
  test(`the line ${line} is a fault with its place, not a line passed over`, async (context) => {
    const log = join(await tempFolder(context), 'log');
    await writeFile(log, `${JSON.stringify(ISSUED)}\n${line}\n${JSON.stringify(REVOKED)}\n`);
    assert.deepEqual(await readEvents(log), { ok: false, error: `${log}:2: not a line of an authority's log` });
  });
}

test('property: no log throws, whatever stands in it', async (context) => {
  const log = join(await tempFolder(context), 'log');
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
      await writeFile(log, text);
      assert.equal(typeof (await readEvents(log)).ok, 'boolean');
    }),
  );
});

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
