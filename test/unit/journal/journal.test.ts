import { test } from 'node:test';
import assert from 'node:assert/strict';
import { hashOf } from '../../../src/core/record/chain.ts';
import type { SoundChain } from '../../../src/core/record/verify.ts';
import { createJournal, type Journal } from '../../../src/io/journal/journal.ts';
import { DEFAULT_JOURNAL, type JournalSettings, type SinkTarget } from '../../../src/io/journal/settings.ts';
import { createDrivenClock, type DrivenClock } from '../../support/driven-clock.ts';
import { createLineMaker, recordLines, verifyTexts } from '../../support/journal-lines.ts';
import { createMemoryDisk, type MemoryDisk } from '../../support/memory-disk.ts';

type World = {
  readonly journal: Journal;
  readonly clock: DrivenClock;
  readonly disk: MemoryDisk;
  readonly second: MemoryDisk;
  readonly logged: string[];
  readonly line: () => string;
};

const one = [{ kind: 'file', path: '/log' }] as const;
const two = [{ kind: 'file', path: '/log' }, { kind: 'stdout' }] as const;

/** A journal over disks in memory, started. */
async function world(settings: Partial<JournalSettings> = {}, before?: string): Promise<World> {
  const [clock, disk, second] = [createDrivenClock(), createMemoryDisk(), createMemoryDisk()];
  const logged: string[] = [];
  const log = {
    info: (_: unknown, message: string) => logged.push(message),
    error: (fields: Readonly<Record<string, unknown>>, message: string) =>
      logged.push(`${String(fields['code'])} ${message}`),
  };
  if (before !== undefined) disk.place(before);
  const all = { ...DEFAULT_JOURNAL, queueRecords: 4, sinks: one, ...settings };
  const open = (target: { kind: string }) => (target.kind === 'file' ? disk : second).open;
  const journal = createJournal(all, { clock, log, timer: clock.timer, open });
  const started = journal.start();
  disk.answerOpen();
  await Promise.resolve();
  second.answerOpen();
  await started;
  return { journal, clock, disk, second, logged, line: createLineMaker(journal.chainStart()) };
}

/** Takes room and writes one record; gives its line. */
function put({ journal, line }: World): string {
  assert.equal(journal.reserve(), true);
  const text = line();
  journal.write(text);
  return text;
}

/** Hands over what has gathered and answers every write. */
function drain({ clock, disk, second }: World): void {
  clock.advance(10);
  while (disk.answerWrite('all') || second.answerWrite('all'));
}

test('lines of one turn are written together, in order, each with its line end', async () => {
  const at = await world();
  const lines = [put(at), put(at), put(at)];
  assert.equal(at.disk.writing, 0);
  at.clock.advance(5);
  assert.equal(at.disk.writing, Buffer.byteLength(lines.join('\n')) + 1);
  drain(at);
  assert.equal(at.disk.texts()[0], `${lines.join('\n')}\n`);
  assert.equal(at.journal.depth().records, 0);
  assert.equal(at.clock.timers, 0);
});

test('many bytes are handed over at once, without waiting', async () => {
  const at = await world({ queueRecords: 1_000 });
  for (let i = 0; i < 400 && at.disk.writing === 0; i += 1) put(at);
  assert.ok(at.disk.writing > 262_000);
});

test('room: taken by reserve, given back by release and by the finished write, bounded by queueRecords', async () => {
  const at = await world({ queueRecords: 2 });
  put(at);
  assert.equal(at.journal.reserve(), true);
  assert.equal(at.journal.reserve(), false);
  at.journal.release();
  assert.equal(at.journal.reserve(), true);
  at.clock.advance(5);
  assert.equal(at.journal.reserve(), false);
  drain(at);
  assert.equal(at.journal.reserve(), true);
});

test('room: bounded by queueBytes, promised records counted with 2 KiB', async () => {
  const at = await world({ queueRecords: 1_000, queueBytes: 10_000 });
  let taken = 0;
  while (at.journal.reserve()) taken += 1;
  assert.equal(taken, 5);
});

test('a full queue: a request waits for room and gets it in the order of coming', async () => {
  const at = await world({ queueRecords: 2 });
  put(at);
  assert.equal(at.journal.reserve(), true);
  const answers: string[] = [];
  at.journal.reserveLater((reserved) => answers.push(`first ${reserved}`));
  at.journal.reserveLater((reserved) => answers.push(`second ${reserved}`));
  assert.equal(at.journal.depth().waiting, 2);
  at.clock.advance(100);
  assert.deepEqual(answers, []);
  at.journal.release();
  assert.deepEqual(answers, ['first true']);
  drain(at);
  assert.deepEqual(answers, ['first true', 'second true']);
  assert.equal(at.journal.depth().refused, 0);
  assert.equal(at.clock.timers, 0);
});

test('a full queue: a request that waited long enough is refused, and only that one', async () => {
  const at = await world({ queueRecords: 2, waitMs: 1_000 });
  put(at);
  put(at);
  const answers: string[] = [];
  at.journal.reserveLater((reserved) => answers.push(`first ${reserved}`));
  at.clock.advance(600);
  at.journal.reserveLater((reserved) => answers.push(`second ${reserved}`));
  at.clock.advance(400);
  assert.deepEqual(answers, ['first false']);
  at.clock.advance(599);
  assert.deepEqual(answers, ['first false']);
  at.clock.advance(1);
  assert.deepEqual(answers, ['first false', 'second false']);
  assert.equal(at.journal.depth().refused, 2);
});

test('a full queue: no wait means refused at once; room there means taken at once', async () => {
  const at = await world({ queueRecords: 1, waitMs: 0 });
  const answers: boolean[] = [];
  at.journal.reserveLater((reserved) => answers.push(reserved));
  at.journal.reserveLater((reserved) => answers.push(reserved));
  assert.deepEqual(answers, [true, false]);
});

test('a full queue: those who wait are bounded as well', async () => {
  const at = await world({ queueRecords: 2 });
  put(at);
  put(at);
  const answers: boolean[] = [];
  for (let i = 0; i < 3; i += 1) at.journal.reserveLater((reserved) => answers.push(reserved));
  assert.deepEqual(answers, [false]);
  assert.equal(at.journal.depth().waiting, 2);
});

for (const error of ['ENOSPC', 'EIO', 'EPIPE']) {
  test(`${error}: nothing accepted is lost; the queue fills, refuses, and drains when the sink recovers`, async () => {
    const at = await world({ queueRecords: 2 });
    const lines = [put(at), put(at)];
    at.clock.advance(5);
    at.disk.answerWrite({ error });
    assert.equal(at.journal.reserve(), false);
    assert.deepEqual(at.journal.depth().sinks, [{ name: 'file:/log', ok: false, detail: `${error} no` }]);
    for (let i = 0; i < 5; i += 1) {
      at.clock.advance(1_000);
      assert.equal(at.disk.answerWrite({ error }), true);
    }
    assert.deepEqual(at.logged, [`${error} decision records cannot be written`]);
    at.clock.advance(1_000);
    at.disk.answerWrite('all');
    assert.equal(at.disk.texts()[0], `${lines.join('\n')}\n`);
    assert.deepEqual(at.journal.depth().sinks, [{ name: 'file:/log', ok: true, detail: 'writing' }]);
    assert.equal(at.logged.at(-1), 'decision records are written again');
    assert.equal(at.journal.reserve(), true);
  });
}

test('EAGAIN is a slow reader, no failure', async () => {
  const at = await world();
  put(at);
  at.clock.advance(5);
  at.disk.answerWrite({ error: 'EAGAIN' });
  assert.equal(at.journal.depth().sinks[0]?.ok, true);
  at.clock.advance(50);
  at.disk.answerWrite('all');
  assert.deepEqual(at.logged, []);
});

test('a disk that takes half a line is given the rest of it', async () => {
  const at = await world();
  const lines = [put(at), put(at)];
  at.clock.advance(5);
  at.disk.answerWrite(700);
  at.disk.answerWrite({ error: 'ENOSPC' });
  at.clock.advance(50);
  at.disk.answerWrite('all');
  assert.equal(at.disk.texts()[0], `${lines.join('\n')}\n`);
});

test('two sinks get the same lines; room comes back when the slower one has them', async () => {
  const at = await world({ sinks: two, queueRecords: 1 });
  const first = put(at);
  at.clock.advance(5);
  at.second.answerWrite('all');
  assert.equal(at.journal.reserve(), false);
  at.disk.answerWrite('all');
  assert.equal(at.disk.texts()[0], `${first}\n`);
  assert.equal(at.second.texts()[0], `${first}\n`);
  const second = put(at);
  drain(at);
  assert.equal(at.disk.texts()[0], `${first}\n${second}\n`);
  assert.equal(at.second.texts()[0], at.disk.texts()[0]);
});

test('lines without room have a reserve of their own, and never take a request’s', async () => {
  const at = await world({ queueRecords: 16 });
  for (let i = 0; i < 10; i += 1) at.journal.writeUnreserved(at.line());
  assert.equal(at.journal.depth().records, 2);
  assert.equal(at.journal.depth().lost, 8);
  for (let i = 0; i < 16; i += 1) assert.equal(at.journal.reserve(), true);
  assert.deepEqual(at.logged, ['undefined decision records are lost']);
});

test('promise 3: what was lost is counted, and the count is written as soon as there is room', async () => {
  const at = await world();
  for (let i = 0; i < 4; i += 1) at.journal.writeUnreserved(at.line());
  drain(at);
  drain(at);
  const text = at.disk.texts()[0] ?? '';
  assert.equal(recordLines(text).length, 1);
  assert.match(text, /\{"notice":\{"kind":"lost","records":3\}/);
  assert.equal(at.journal.depth().lost, 3);
  put(at);
  drain(at);
  const verdict = verifyTexts(at.disk.texts());
  assert.equal(verdict.kind === 'sound' && verdict.lost, 3, JSON.stringify(verdict));
});

test('promise 3: the notice stands where the lost records would, whoever comes next', async () => {
  const at = await world({ queueRecords: 8 });
  put(at);
  for (let i = 0; i < 3; i += 1) at.journal.writeUnreserved(at.line());
  put(at);
  at.journal.writeUnreserved(at.line());
  put(at);
  drain(at);
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.lost], [4, 3], JSON.stringify(verdict));
});

test('promise 3: decisions whose lines nobody can make any more are declared between the lines around them', async () => {
  const at = await world();
  put(at);
  const head = hashOf(put(at));
  at.journal.lost(3, head);
  put(at);
  drain(at);
  const text = at.disk.texts()[0] ?? '';
  assert.match(text.split('\n')[2] ?? '', /^{"notice":{"kind":"lost","records":3}/);
  const { kind, ...found } = verifyTexts([text]) as SoundChain;
  assert.deepEqual([kind, found.records, found.lost], ['sound', 3, 3]);
  assert.equal(at.journal.depth().lost, 3);
});

test('promise 3: what a thread owed and what found no room are one gap where they meet', async () => {
  const at = await world({ queueRecords: 8 });
  const lines = [at.line(), at.line(), at.line()];
  for (const line of lines) at.journal.writeUnreserved(line);
  at.journal.lost(2, hashOf(lines[2] ?? ''));
  drain(at);
  put(at);
  drain(at);
  const { kind, records, lost } = verifyTexts(at.disk.texts()) as SoundChain;
  assert.deepEqual([kind, records, lost], ['sound', 2, 4]);
});

test('whenFull drop: requests always get room; what does not fit is counted and said', async () => {
  const at = await world({ queueRecords: 2, whenFull: 'drop' });
  for (let i = 0; i < 5; i += 1) put(at);
  at.journal.reserveLater((reserved) => assert.equal(reserved, true));
  assert.equal(at.journal.depth().lost, 3);
  drain(at);
  drain(at);
  put(at);
  drain(at);
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.lost], [3, 3], JSON.stringify(verdict));
});

test('restart: the chain goes on from the last line of the file', async () => {
  const before = createLineMaker();
  const at = await world({}, `${before()}\n${before()}\n`);
  put(at);
  drain(at);
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.joined], [3, 0]);
});

test('restart after a crash: a line cut short is ended and declared torn', async () => {
  const before = createLineMaker();
  const at = await world({}, `${before()}\n${before().slice(0, 100)}`);
  put(at);
  drain(at);
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.torn], [2, 1], JSON.stringify(verdict));
});

test('restart after a crash: a line that lacks only its line end counts', async () => {
  const before = createLineMaker();
  const at = await world({}, `${before()}\n${before()}`);
  put(at);
  drain(at);
  const verdict = verifyTexts(at.disk.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.torn, verdict.joined], [3, 0, 0]);
});

test('a file that holds another chain than the first one is joined to it by a notice', async () => {
  const [clock, first, second] = [createDrivenClock(), createMemoryDisk(), createMemoryDisk()];
  const [ours, theirs] = [createLineMaker(), createLineMaker('e'.repeat(64))];
  first.place(`${ours()}\n`);
  second.place(`${theirs()}\n`);
  const sinks = [
    { kind: 'file', path: '/a' },
    { kind: 'file', path: '/b' },
  ] as const;
  const log = { info: () => undefined, error: () => undefined };
  const open = (target: SinkTarget) => (target.kind === 'file' && target.path === '/a' ? first : second).open;
  const journal = createJournal({ ...DEFAULT_JOURNAL, sinks }, { clock, log, timer: clock.timer, open });
  const started = journal.start();
  first.answerOpen();
  await Promise.resolve();
  second.answerOpen();
  await started;
  journal.reserve();
  journal.write(ours());
  clock.advance(5);
  first.answerWrite('all');
  second.answerWrite('all');
  assert.equal(verifyTexts(first.texts()).kind, 'sound');
  const verdict = verifyTexts(second.texts());
  assert.deepEqual(verdict.kind === 'sound' && [verdict.records, verdict.joined], [2, 1], JSON.stringify(verdict));
});

test('start: a sink that cannot be opened is named, and the others are closed again', async () => {
  const [clock, disk, second] = [createDrivenClock(), createMemoryDisk(), createMemoryDisk()];
  const log = { info: () => undefined, error: () => undefined };
  const open = (target: { kind: string }) => (target.kind === 'file' ? disk : second).open;
  const journal = createJournal({ ...DEFAULT_JOURNAL, sinks: two }, { clock, log, timer: clock.timer, open });
  const started = journal.start();
  disk.answerOpen('EACCES');
  await Promise.resolve();
  second.answerOpen();
  await assert.rejects(started, /could not be opened: file:\/log: EACCES no$/);
  assert.equal(second.closed, 1);
});

test('settings that cannot be served are refused', () => {
  const clock = createDrivenClock();
  const log = { info: () => undefined, error: () => undefined };
  const create = (sinks: JournalSettings['sinks']) => () =>
    createJournal({ ...DEFAULT_JOURNAL, sinks }, { clock, log });
  assert.throws(create([]), /needs a sink/);
  const receiver = { kind: 'http', url: 'https://logs.test/?a', maxBytes: 1, minDelay: 1, maxDelay: 1 } as const;
  assert.throws(create([receiver]), /needs somebody who posts/);
  assert.throws(create([receiver, { ...receiver, url: 'https://logs.test/?b' }]), /twice/);
  assert.throws(create([{ kind: 'stdout' }, { kind: 'stdout' }]), /twice/);
});

test('stop: everything queued is written, waiting requests are refused, the device is closed', async () => {
  const at = await world({ queueRecords: 2 });
  const lines = [put(at), put(at)];
  const answers: boolean[] = [];
  at.journal.reserveLater((reserved) => answers.push(reserved));
  const stopped = at.journal.stop(5_000);
  assert.deepEqual(answers, [false]);
  assert.equal(at.journal.reserve(), false);
  at.disk.answerWrite('all');
  assert.equal(await stopped, 0);
  assert.equal(at.disk.texts()[0], `${lines.join('\n')}\n`);
  assert.equal(at.disk.closed, 1);
  assert.equal(at.clock.timers, 0);
});

test('stop: a sink that stays broken costs the grace period, and what is not written is told', async () => {
  const at = await world();
  put(at);
  put(at);
  const stopped = at.journal.stop(5_000);
  at.disk.answerWrite({ error: 'ENOSPC' });
  at.clock.advance(5_000);
  assert.equal(at.disk.answerWrite({ error: 'ENOSPC' }), true);
  assert.equal(await stopped, 2);
  assert.equal(at.disk.closed, 1);
});

test('stop: a write that hangs does not keep the process, and its device is given back when it returns', async () => {
  const at = await world();
  put(at);
  const stopped = at.journal.stop(100);
  at.clock.advance(100);
  await Promise.resolve();
  await Promise.resolve();
  await Promise.resolve();
  at.clock.advance(1_000);
  assert.equal(await stopped, 1);
  assert.equal(at.disk.closed, 0);
  at.disk.answerWrite('all');
  assert.equal(at.disk.closed, 1);
});

test('after stop: a record that comes late is counted as lost, and the log is told', async () => {
  const at = await world();
  await at.journal.stop(0);
  at.journal.write(at.line());
  at.journal.writeUnreserved(at.line());
  assert.equal(at.journal.depth().lost, 2);
  assert.equal(at.logged.length, 1);
  at.journal.reserveLater((reserved) => assert.equal(reserved, false));
});
