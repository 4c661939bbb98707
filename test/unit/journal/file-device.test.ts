import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Device, DeviceError, Opened } from '../../../src/io/journal/device.ts';
import { fileOpener } from '../../../src/io/journal/file-device.ts';
import { createJournal, type Journal } from '../../../src/io/journal/journal.ts';
import { DEFAULT_JOURNAL } from '../../../src/io/journal/settings.ts';
import { createLineMaker, recordLines, verifyTexts } from '../../support/journal-lines.ts';

const clock = { wallMs: () => 1_700_000_000_000, monotonicMs: () => performance.now() };
const log = { info: () => undefined, error: () => undefined };

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-journal-'));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function open(path: string): Promise<{ readonly error: DeviceError | undefined; readonly opened: Opened | undefined }> {
  return new Promise((resolve) => fileOpener(path)((error, opened) => resolve({ error, opened })));
}

function write(
  device: Device,
  text: string,
): Promise<{ readonly error: DeviceError | undefined; readonly count: number }> {
  return new Promise((resolve) => device.write(Buffer.from(text), (error, count) => resolve({ error, count })));
}

function close(device: Device): Promise<void> {
  return new Promise((resolve) => device.close(resolve));
}

async function fileJournal(path: string): Promise<{ readonly journal: Journal; readonly put: () => void }> {
  const journal = createJournal({ ...DEFAULT_JOURNAL, lingerMs: 0, sinks: [{ kind: 'file', path }] }, { clock, log });
  await journal.start();
  const line = createLineMaker(journal.chainStart());
  const put = (): void => {
    assert.equal(journal.reserve(), true);
    journal.write(line());
  };
  return { journal, put };
}

test('a file is created for its owner and group only, and appended to', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'log');
    const { opened } = await open(path);
    assert.ok(opened !== undefined && opened.tail === undefined);
    assert.deepEqual(await write(opened.device, 'a\n'), { error: undefined, count: 2 });
    await writeFile(path, 'from elsewhere\n', { flag: 'a' });
    await write(opened.device, 'b\n');
    await close(opened.device);
    assert.equal(await readFile(path, 'utf8'), 'a\nfrom elsewhere\nb\n');
    assert.equal((await stat(path)).mode & 0o037, 0);
  });
});

test('a copytruncate does not make a hole', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'log');
    const { opened } = await open(path);
    assert.ok(opened !== undefined);
    await write(opened.device, 'aaaa\n');
    await writeFile(path, '');
    await write(opened.device, 'b\n');
    await close(opened.device);
    assert.equal(await readFile(path, 'utf8'), 'b\n');
  });
});

test('what cannot be a log is refused at opening', async () => {
  await inFolder(async (folder) => {
    const missing = await open(join(folder, 'no', 'log'));
    assert.equal(missing.error?.code, 'ENOENT');
    assert.equal((await open(folder)).error?.code, 'EISDIR');
    await symlink(join(folder, 'loop'), join(folder, 'loop'));
    assert.equal((await open(join(folder, 'loop'))).error?.code, 'ELOOP');
  });
});

test('a named pipe is refused and does not hang', { skip: process.platform === 'win32' }, async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    assert.equal((await open(path)).error?.code, 'ENOTFILE');
  });
});

test('a disk that is full says ENOSPC', { skip: !existsSync('/dev/full') }, async () => {
  const { opened } = await open('/dev/full');
  assert.ok(opened !== undefined);
  const { error, count } = await write(opened.device, 'a\n');
  assert.deepEqual([error?.code, count], ['ENOSPC', 0]);
  await close(opened.device);
});

test('write, stop, start again: one chain over both processes', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'log');
    for (let run = 0; run < 3; run += 1) {
      const { journal, put } = await fileJournal(path);
      for (let i = 0; i < 100; i += 1) put();
      assert.equal(await journal.stop(5_000), 0);
    }
    const verdict = verifyTexts([await readFile(path, 'utf8')]);
    assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.joined, verdict.restarts], [300, 0, 0]);
  });
});

test('rotation by rename and SIGHUP while records are written: nothing lost, order kept', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'log');
    const { journal, put } = await fileJournal(path);
    const rotated: string[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      for (let i = 0; i < 200; i += 1) put();
      rotated.push(`${path}.${turn}`);
      await rename(path, `${path}.${turn}`);
      const reopened = journal.reopen();
      for (let i = 0; i < 200; i += 1) put();
      assert.equal(await reopened, true);
    }
    assert.equal(await journal.stop(5_000), 0);
    const texts = await Promise.all([...rotated, path].map((file) => readFile(file, 'utf8')));
    const verdict = verifyTexts(texts);
    assert.deepEqual(
      verdict.kind === 'sound' && [verdict.records, verdict.restarts, verdict.unfinished],
      [1_600, 0, 0],
    );
    assert.ok(texts.every((text) => recordLines(text).length > 0));
  });
});
