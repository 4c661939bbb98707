import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { reasonOf } from '../../../src/io/sources/problem.ts';
import { readBounded } from '../../../src/io/sources/read-file.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

test('a file is read whole, with its permission bits', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { a: 'hello', empty: '' });
  await chmod(join(folder, 'a'), 0o640);
  const read = await readBounded(join(folder, 'a'), 5);
  assert.ok(read.ok);
  assert.deepEqual([Buffer.from(read.value.bytes).toString(), read.value.mode], ['hello', 0o640]);
  const empty = await readBounded(join(folder, 'empty'), 0);
  assert.ok(empty.ok && empty.value.bytes.length === 0);
});

test('the file at the end of a link is read, with its own permission bits', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'real/key': 'x' });
  await chmod(join(folder, 'real/key'), 0o600);
  await symlink('real/key', join(folder, 'key'));
  const read = await readBounded(join(folder, 'key'), 10);
  assert.ok(read.ok && read.value.mode === 0o600);
});

test('one byte more than allowed is refused, by path', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { a: '123456' });
  assert.deepEqual(await readBounded(join(folder, 'a'), 5), {
    ok: false,
    error: `${join(folder, 'a')}: is larger than 5 bytes`,
  });
});

test('what is no regular file is refused and never waited for', async (context) => {
  const folder = await tempFolder(context);
  await mkdir(join(folder, 'folder'));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await symlink('nowhere', join(folder, 'dangling'));
  await symlink('loop', join(folder, 'loop'));
  const reasons = {
    folder: 'is no regular file',
    pipe: 'is no regular file',
    dangling: 'there is no such file',
    loop: 'too many symbolic links',
    none: 'there is no such file',
  };
  for (const [name, reason] of Object.entries(reasons)) {
    assert.deepEqual(await readBounded(join(folder, name), 10), {
      ok: false,
      error: `${join(folder, name)}: ${reason}`,
    });
  }
  const device = await readBounded('/dev/zero', 10);
  assert.deepEqual(device, { ok: false, error: '/dev/zero: is no regular file' });
});

test('the reason of a failure is said in words, without its path again', () => {
  assert.equal(
    reasonOf(Object.assign(new Error("EACCES: permission denied, open '/x'"), { code: 'EACCES' })),
    'not readable by this process',
  );
  assert.equal(reasonOf(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })), 'EIO');
  assert.equal(reasonOf(new Error('plain')), 'plain');
  assert.equal(reasonOf('thrown text'), 'failed');
});
