import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Sink, type Chunk } from '../../../src/io/journal/sink.ts';
import { createDrivenClock, type DrivenClock } from '../../support/driven-clock.ts';
import { createLineMaker, recordLines, verifyTexts } from '../../support/journal-lines.ts';
import { createMemoryDisk, type MemoryDisk } from '../../support/memory-disk.ts';

type World = {
  readonly sink: Sink;
  readonly disk: MemoryDisk;
  readonly clock: DrivenClock;
  readonly logged: string[];
  readonly written: string[];
  readonly reopened: boolean[];
  /** Pushes a chunk of so many lines; gives them. */
  readonly push: (count?: number) => readonly string[];
  readonly reopen: () => void;
};

function world(): World {
  const [disk, clock, line] = [createMemoryDisk(), createDrivenClock(), createLineMaker()];
  const logged: string[] = [];
  const log = {
    info: (_: unknown, message: string) => logged.push(message),
    error: (_: unknown, message: string) => logged.push(message),
  };
  const sink = new Sink('file:/log', disk.open, { timer: clock.timer, log, wallMs: () => clock.wallMs() });
  sink.start(() => undefined);
  disk.answerOpen();
  const written: string[] = [];
  const reopened: boolean[] = [];
  const push = (count = 1): readonly string[] => {
    const lines = Array.from({ length: count }, line);
    const text = lines.map((one) => `${one}\n`).join('');
    const chunk: Chunk = { bytes: Buffer.from(text), written: () => written.push(...lines) };
    sink.push(chunk);
    return lines;
  };
  return { sink, disk, clock, logged, written, reopened, push, reopen: () => sink.reopen((ok) => reopened.push(ok)) };
}

test('SIGHUP after a rename: what is begun ends in the old file, the rest goes to the new one', () => {
  const at = world();
  const first = at.push();
  at.disk.rename();
  at.reopen();
  const second = at.push(2);
  at.disk.answerWrite(100);
  assert.equal(at.disk.answerOpen(), false);
  at.disk.answerWrite('all');
  assert.deepEqual(at.written, first);
  at.disk.answerOpen();
  at.disk.answerWrite('all');
  assert.deepEqual(at.disk.texts(), [`${first[0]}\n`, `${second.join('\n')}\n`]);
  assert.deepEqual(at.reopened, [true]);
  assert.equal(at.disk.closed, 1);
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.restarts, verdict.unfinished], [3, 0, 0]);
});

test('SIGHUP with nothing under way opens at once; without a rename the file simply goes on', () => {
  const at = world();
  at.push();
  at.disk.answerWrite('all');
  at.reopen();
  assert.equal(at.disk.answerOpen(), true);
  at.push();
  at.disk.answerWrite('all');
  assert.equal(at.disk.texts().length, 1);
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.joined, verdict.torn], [2, 0, 0]);
});

test('SIGHUP while the old file fails within a line: the line is whole in the new file', () => {
  const at = world();
  const lines = at.push(3);
  at.disk.answerWrite(Buffer.byteLength(lines[0] ?? '') + 50);
  at.disk.answerWrite({ error: 'ENOSPC' });
  at.disk.rename();
  at.reopen();
  at.disk.answerOpen();
  at.disk.answerWrite('all');
  assert.deepEqual(at.written, lines);
  assert.equal(at.disk.texts()[1], `${lines[1]}\n${lines[2]}\n`);
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.unfinished], [3, 1], JSON.stringify(verdict));
  assert.equal(at.sink.state.ok, true);
});

test('SIGHUP while the same file fails within a line: the rest of it is declared torn, the line written again', () => {
  const at = world();
  const lines = at.push(2);
  at.disk.answerWrite(50);
  at.disk.answerWrite({ error: 'EIO' });
  at.reopen();
  at.disk.answerOpen();
  at.disk.answerWrite('all');
  assert.deepEqual(recordLines(at.disk.texts()[0] ?? ''), lines);
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.torn], [2, 1], JSON.stringify(verdict));
});

test('SIGHUP where a line lacked only its line end: it is not written twice', () => {
  for (const renamed of [true, false]) {
    const at = world();
    const lines = at.push(2);
    at.disk.answerWrite(Buffer.byteLength(lines[0] ?? ''));
    at.disk.answerWrite({ error: 'EIO' });
    if (renamed) at.disk.rename();
    at.reopen();
    at.disk.answerOpen();
    at.disk.answerWrite('all');
    assert.deepEqual(at.disk.texts().flatMap(recordLines), lines);
    assert.equal(verifyTexts(at.disk.texts()).kind, 'sound');
  }
});

test('SIGHUP where only the last line end was missing: the batch is done', () => {
  const at = world();
  const lines = at.push();
  at.disk.answerWrite(Buffer.byteLength(lines[0] ?? ''));
  at.disk.answerWrite({ error: 'EIO' });
  at.disk.rename();
  at.reopen();
  at.disk.answerOpen();
  assert.deepEqual(at.written, lines);
  assert.equal(at.disk.writing, 0);
});

test('a failing write and a SIGHUP while it is under way: the new file is opened without waiting', () => {
  const at = world();
  at.push();
  at.disk.rename();
  at.reopen();
  at.disk.answerWrite({ error: 'ENOSPC' });
  assert.equal(at.disk.answerOpen(), true);
  at.disk.answerWrite('all');
  assert.equal(at.written.length, 1);
  assert.deepEqual(at.disk.texts()[0], '');
});

test('promise 7: a new file that cannot be opened leaves the old one in use, and is told', () => {
  const at = world();
  at.reopen();
  at.disk.answerOpen('EACCES');
  const lines = at.push();
  at.disk.answerWrite('all');
  assert.equal(at.disk.texts()[0], `${lines[0]}\n`);
  assert.deepEqual(at.reopened, [false]);
  assert.equal(at.logged.length, 1);
});

test('promise 7: neither file works: the old one goes on being tried where it stopped', () => {
  const at = world();
  const lines = at.push();
  at.disk.answerWrite(70);
  at.disk.answerWrite({ error: 'ENOSPC' });
  at.reopen();
  at.disk.answerOpen('ENOSPC');
  at.disk.answerWrite('all');
  assert.equal(at.disk.texts()[0], `${lines[0]}\n`);
});

test('a notice cut short by a failing disk is made anew after the next opening', () => {
  const at = world();
  const lines = at.push(2);
  at.disk.answerWrite(50);
  for (let i = 0; i < 3; i += 1) {
    at.disk.answerWrite({ error: 'EIO' });
    at.reopen();
    at.disk.answerOpen();
    at.disk.answerWrite(100);
  }
  at.disk.answerWrite('all');
  assert.deepEqual(recordLines(at.disk.texts()[0] ?? ''), lines);
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && verdict.records, 2, JSON.stringify(verdict));
});

test('a notice that is whole while its lines are not: the chain still goes on from it', () => {
  const at = world();
  const lines = at.push();
  at.disk.answerWrite(50);
  at.disk.answerWrite({ error: 'EIO' });
  at.reopen();
  at.disk.answerOpen();
  const head = at.disk.writing - Buffer.byteLength(lines[0] ?? '') - 1;
  at.disk.answerWrite(head);
  at.disk.answerWrite({ error: 'EIO' });
  at.reopen();
  at.disk.answerOpen();
  at.disk.answerWrite('all');
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.torn, verdict.joined], [1, 1, 0]);
});

test('two rotations while the disk fails: a file that holds only a begun line still fits between the others', () => {
  const at = world();
  at.push();
  at.disk.answerWrite('all');
  at.disk.rename();
  at.reopen();
  at.disk.answerOpen();
  at.push();
  at.disk.answerWrite(9);
  at.disk.answerWrite({ error: 'EIO' });
  at.reopen();
  at.disk.answerOpen();
  at.disk.answerWrite('all');
  const verdict = verifyTexts(at.disk.texts());
  const counts = verdict.kind === 'sound' && [verdict.records, verdict.torn, verdict.restarts];
  assert.deepEqual(counts, [2, 1, 0], JSON.stringify(verdict));
});

test('retries: the pause doubles up to a second, and begins anew after a success', () => {
  const at = world();
  at.push();
  for (const ms of [50, 100, 200, 400, 800, 1_000, 1_000]) {
    at.disk.answerWrite({ error: 'EIO' });
    at.clock.advance(ms - 1);
    assert.equal(at.disk.writing, 0);
    at.clock.advance(1);
    assert.ok(at.disk.writing > 0);
  }
  at.disk.answerWrite('all');
  at.push();
  at.disk.answerWrite({ error: 'EIO' });
  at.clock.advance(50);
  assert.ok(at.disk.writing > 0);
});

test('close: answers a reopen that waits, and gives a busy device back when it is free', () => {
  const at = world();
  at.push();
  at.reopen();
  let closed = 0;
  at.sink.close(() => {
    closed += 1;
  });
  assert.deepEqual([at.reopened, closed], [[], 0]);
  at.disk.answerWrite('all');
  assert.deepEqual([at.reopened, closed, at.disk.closed], [[false], 1, 1]);
  at.reopen();
  assert.deepEqual(at.reopened, [false, false]);
});
