import { test } from 'node:test';
import assert from 'node:assert/strict';
import { fork, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { streamDevice } from '../../../src/io/journal/stdout-device.ts';
import { recordLines, verifyTexts } from '../../support/journal-lines.ts';

const program = join(import.meta.dirname, '../../support/programs/journal-to-stdout.ts');

type Message = {
  readonly kind: string;
  readonly written?: number;
  readonly unwritten?: number;
  readonly code?: string;
};

function start(records: number, stdout: 'pipe' | number = 'pipe'): ChildProcess {
  const stdio: StdioOptions = ['ignore', stdout, 'inherit', 'ipc'];
  return fork(program, [String(records)], { stdio });
}

async function message(child: ChildProcess, kind: string): Promise<Message> {
  for (;;) {
    const [found] = (await once(child, 'message')) as [Message];
    if (found.kind === kind) return found;
  }
}

test('stdout as a pipe that nobody reads: the queue fills; once it is read, every record arrives in order', async () => {
  const child = start(5_000);
  const done = message(child, 'done');
  const ended = once(child, 'exit');
  const full = await message(child, 'full');
  assert.ok((full.written ?? 5_000) < 5_000);
  const pieces: Buffer[] = [];
  child.stdout?.on('data', (piece: Buffer) => pieces.push(piece));
  assert.equal((await done).unwritten, 0);
  assert.deepEqual(await ended, [0, null]);
  const text = Buffer.concat(pieces).toString();
  assert.equal(recordLines(text).length, 5_000);
  assert.equal(verifyTexts([text]).kind, 'sound');
});

test('EPIPE: the reader is gone; the process lives, says so, and tells what it could not write', async () => {
  const child = start(5_000);
  const ended = once(child, 'exit');
  const failing = message(child, 'failing');
  await message(child, 'full');
  child.stdout?.destroy();
  assert.equal((await failing).code, 'EPIPE');
  const stopped = message(child, 'stopped');
  child.send('stop');
  assert.ok(((await stopped).unwritten ?? 0) > 0);
  assert.deepEqual(await ended, [0, null]);
});

test('stdout as a file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-stdout-'));
  const path = join(folder, 'out');
  const fd = openSync(path, 'w');
  try {
    const child = start(1_000, fd);
    const ended = once(child, 'exit');
    assert.equal((await message(child, 'done')).unwritten, 0);
    await ended;
    const text = readFileSync(path, 'utf8');
    assert.equal(recordLines(text).length, 1_000);
    assert.equal(verifyTexts([text]).kind, 'sound');
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
});

test('streamDevice: a write that fails reports the error and counts nothing; the stream’s own error ends nobody', async () => {
  const broken = new Writable({
    write: (_chunk, _encoding, callback) => callback(Object.assign(new Error('gone'), { code: 'EPIPE' })),
  });
  const device = streamDevice(broken);
  const attempt = () =>
    new Promise((resolve) => device.write(Buffer.from('a'), (error, count) => resolve([error?.code, count])));
  assert.deepEqual(await attempt(), ['EPIPE', 0]);
  const [code, count] = (await attempt()) as [string, number];
  assert.match(code, /^E/);
  assert.equal(count, 0);
});
