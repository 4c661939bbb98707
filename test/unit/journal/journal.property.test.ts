import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createJournal } from '../../../src/io/journal/journal.ts';
import { DEFAULT_JOURNAL, type SinkTarget } from '../../../src/io/journal/settings.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { createLineMaker, recordLines, verifyTexts } from '../../support/journal-lines.ts';
import { createMemoryDisk, type WriteResult } from '../../support/memory-disk.ts';

type Step =
  | { readonly kind: 'request' | 'finish' | 'release' | 'connection' | 'rename' | 'hup' | 'time' }
  | { readonly kind: 'open'; readonly disk: 0 | 1; readonly error: boolean }
  | { readonly kind: 'write'; readonly disk: 0 | 1; readonly result: WriteResult };

const disk = fc.constantFrom(0 as const, 1 as const);
const result: fc.Arbitrary<WriteResult> = fc.oneof(
  { weight: 4, arbitrary: fc.constant('all' as const) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 4_000 }) },
  { weight: 2, arbitrary: fc.constantFrom('ENOSPC', 'EIO', 'EAGAIN').map((error) => ({ error })) },
);
const plain = fc.constantFrom('request', 'finish', 'finish', 'release', 'connection', 'rename', 'hup', 'time', 'time');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: plain }) as fc.Arbitrary<Step> },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('write' as const), disk, result }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const), disk, error: fc.boolean() }) },
);

const QUEUE = 8;

/** Plays the steps, then lets both disks work until everything is written. Gives what was accepted and what stands on the disks. */
async function play(steps: readonly Step[], whenFull: 'refuse' | 'drop') {
  const [clock, line] = [createDrivenClock(), createLineMaker()];
  const disks = [createMemoryDisk(), createMemoryDisk()] as const;
  const log = { info: () => undefined, error: () => undefined };
  const sinks = [
    { kind: 'file', path: '0' },
    { kind: 'file', path: '1' },
  ] as const;
  const open = (target: SinkTarget) => disks[target.kind === 'file' && target.path === '1' ? 1 : 0].open;
  const settings = { ...DEFAULT_JOURNAL, queueRecords: QUEUE, waitMs: 20, whenFull, sinks };
  const journal = createJournal(settings, { clock, log, timer: clock.timer, open });
  const started = journal.start();
  disks[0].answerOpen();
  await Promise.resolve();
  disks[1].answerOpen();
  await started;

  const reserved: string[] = [];
  const count = { room: 0, made: 0, answered: 0, asked: 0 };
  const answer = (got: boolean): void => {
    count.answered += 1;
    count.room += got ? 1 : 0;
  };
  const actions: Record<Exclude<Step['kind'], 'open' | 'write'>, () => void> = {
    request: () => {
      count.asked += 1;
      if (journal.reserve()) answer(true);
      else journal.reserveLater(answer);
    },
    finish: () => {
      if (count.room === 0) return;
      count.room -= 1;
      count.made += 1;
      const text = line();
      reserved.push(text);
      journal.write(text);
    },
    release: () => {
      if (count.room === 0) return;
      count.room -= 1;
      journal.release();
    },
    connection: () => {
      count.made += 1;
      journal.writeUnreserved(line());
    },
    rename: () => disks[0].rename(),
    hup: () => void journal.reopen(),
    time: () => clock.advance(7),
  };
  for (const one of steps) {
    if (one.kind === 'open') disks[one.disk].answerOpen(one.error ? 'EACCES' : undefined);
    else if (one.kind === 'write') disks[one.disk].answerWrite(one.result);
    else actions[one.kind]();
    if (whenFull === 'refuse') assert.ok(journal.depth().promised + journal.depth().records <= QUEUE * 3 + 8);
  }
  while (count.room > 0) actions.finish();
  for (let quiet = 0; quiet < 4;) {
    const worked = disks.map((one) => one.answerOpen() || one.answerWrite('all')).some(Boolean);
    if (!worked) clock.advance(1_000);
    quiet = worked ? 0 : quiet + 1;
    while (count.room > 0) actions.finish();
  }
  return { journal, disks, reserved, ...count };
}

for (const whenFull of ['refuse', 'drop'] as const) {
  test(`property (${whenFull}): no line is lost, doubled or moved, whatever disks, renames and time do`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 150, size: 'max' }), async (steps) => {
        const { journal, disks, reserved, made, asked, answered } = await play(steps, whenFull);
        const { records, promised, waiting, lost, bytes } = journal.depth();
        assert.deepEqual({ records, promised, waiting, bytes }, { records: 0, promised: 0, waiting: 0, bytes: 0 });
        assert.equal(answered, asked);
        for (const one of disks) {
          const lines = one.texts().flatMap(recordLines);
          assert.equal(new Set(lines).size, lines.length, 'a line twice');
          assert.equal(lines.length + lost, made, 'every record is written or counted');
          if (whenFull === 'refuse')
            assert.ok(
              reserved.every((text) => lines.includes(text)),
              'a reserved record is missing',
            );
          const verdict = verifyTexts(one.texts());
          assert.ok(verdict.kind === 'sound', JSON.stringify(verdict));
          assert.deepEqual([verdict.records, verdict.lost, verdict.restarts], [lines.length, lost, 0]);
        }
      }),
      { numRuns: 300 },
    );
  });
}
