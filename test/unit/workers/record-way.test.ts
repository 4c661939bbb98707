import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { createRecorder } from '../../../src/core/record/recorder.ts';
import type { SoundChain } from '../../../src/core/record/verify.ts';
import { createJournal, type Journal } from '../../../src/io/journal/journal.ts';
import { DEFAULT_JOURNAL, type JournalSettings } from '../../../src/io/journal/settings.ts';
import { RecordDesk } from '../../../src/io/workers/record-desk.ts';
import { Remains, type FromJournal, type ToJournal } from '../../../src/io/workers/record-messages.ts';
import { RecordOutbox } from '../../../src/io/workers/record-outbox.ts';
import { createDrivenClock, type DrivenClock } from '../../support/driven-clock.ts';
import { recordLines, verifyTexts } from '../../support/journal-lines.ts';
import { createMemoryDisk, type MemoryDisk } from '../../support/memory-disk.ts';
import { sampleFacts } from '../../support/record-facts.ts';

const LINGER_MS = 4;

/** One worker and its counterpart, with the messages between them in the test's hands. */
class Way {
  readonly outbox: RecordOutbox;
  readonly desk: RecordDesk;
  readonly remains = new Remains(new SharedArrayBuffer(Remains.BYTES));
  readonly #there: ToJournal[] = [];
  readonly #back: FromJournal[] = [];
  readonly #lines = createRecorder({ labels: {} });

  constructor(world: World, chunk: number) {
    const { journal, clock, chain } = world;
    this.outbox = new RecordOutbox(
      { chunk, lingerMs: LINGER_MS },
      { post: (message) => this.#there.push(message), timer: clock.timer, remains: this.remains },
    );
    this.desk = new RecordDesk({
      journal,
      lost: (records) => journal.lost(records, chain.head),
      seal: (line) => chain.seal(line),
      post: (message) => this.#back.push(message),
    });
  }

  get linesOnTheWay(): number {
    return this.#there.reduce((sum, message) => sum + (message.kind === 'records' ? message.lines.length : 0), 0);
  }

  line(): string {
    return this.#lines.open(sampleFacts()) ?? '';
  }

  /** Delivers what is on the way, and what comes of it. */
  deliver(): void {
    for (;;) {
      const [there, back] = [this.#there.shift(), this.#back.shift()];
      if (there !== undefined) this.desk.heard(structuredClone(there));
      if (back !== undefined) this.outbox.heard(structuredClone(back));
      if (there === undefined && back === undefined) return;
    }
  }

  /** Room for the first requests. */
  begin(): this {
    this.outbox.post();
    this.deliver();
    return this;
  }
}

type World = {
  readonly journal: Journal;
  readonly clock: DrivenClock;
  readonly disk: MemoryDisk;
  readonly chain: ReturnType<typeof createRecorder>;
};

async function world(settings: Partial<JournalSettings> = {}): Promise<World> {
  const [clock, disk] = [createDrivenClock(), createMemoryDisk()];
  const log = { info: () => undefined, error: () => undefined };
  const all = { ...DEFAULT_JOURNAL, queueRecords: 8, sinks: [{ kind: 'file', path: '/log' }] as const, ...settings };
  const journal = createJournal(all, { clock, log, timer: clock.timer, open: () => disk.open });
  const started = journal.start();
  disk.answerOpen();
  await started;
  return { journal, clock, disk, chain: createRecorder({ labels: {} }) };
}

function flush({ clock, disk }: World, ways: readonly Way[]): void {
  clock.advance(LINGER_MS);
  for (const way of ways) way.deliver();
  clock.advance(DEFAULT_JOURNAL.lingerMs);
  while (disk.answerWrite('all'));
  for (const way of ways) way.deliver();
}

const sound = (at: World): SoundChain => {
  const verdict = verifyTexts(at.disk.texts());
  assert.equal(verdict.kind, 'sound', JSON.stringify(verdict));
  return verdict;
};

describe('the way of a record from a worker to the journal', () => {
  test('room is there before the first request, and each record has its own', async () => {
    const at = await world();
    const way = new Way(at, 2).begin();
    assert.equal(at.journal.depth().promised, 2);
    assert.equal(way.outbox.reserve(), true);
    assert.equal(way.remains.records, 1);
    way.outbox.write(way.line());
    assert.equal(way.remains.records, 1, 'it has not left yet');
    flush(at, [way]);
    assert.equal(way.remains.records, 0);
    assert.equal(sound(at).records, 1);
  });

  test('lines of several workers are one chain, those of each in its order', async () => {
    const at = await world();
    const ways = [new Way(at, 1).begin(), new Way(at, 1).begin()];
    for (let round = 0; round < 5; round += 1) {
      for (const way of ways) {
        assert.equal(way.outbox.reserve(), true);
        way.outbox.write(way.line());
      }
      flush(at, ways);
    }
    assert.equal(sound(at).records, 10);
    const numbers = recordLines(at.disk.texts()[0] ?? '').map(
      (line) => (JSON.parse(line) as { req_id: number }).req_id,
    );
    assert.deepEqual(numbers, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  });

  test('promise 3: a full queue makes workers wait, and refuses after the wait of the configuration', async () => {
    const at = await world({ queueRecords: 4, waitMs: 1_000 });
    const way = new Way(at, 1).begin();
    const heard: boolean[] = [];
    for (let i = 0; i < 6; i += 1) {
      if (way.outbox.reserve()) heard.push(true);
      else way.outbox.reserveLater((reserved) => heard.push(reserved));
      way.outbox.post();
      way.deliver();
    }
    assert.deepEqual(heard, [true, true, true, true], 'four have room');
    at.clock.advance(999);
    way.deliver();
    assert.equal(heard.length, 4);
    at.clock.advance(1);
    way.deliver();
    assert.deepEqual(heard.slice(4), [false, false]);
    assert.equal(at.journal.depth().refused, 2);
  });

  test('one that waits is served as soon as a record is written', async () => {
    const at = await world({ queueRecords: 1 });
    const way = new Way(at, 1).begin();
    assert.equal(way.outbox.reserve(), true);
    way.outbox.write(way.line());
    let heard: boolean | undefined;
    way.outbox.reserveLater((reserved) => (heard = reserved));
    way.deliver();
    assert.equal(heard, undefined);
    flush(at, [way]);
    assert.equal(heard, true);
  });

  test('a record that is dropped gives its room to the next request', async () => {
    const at = await world();
    const way = new Way(at, 1).begin();
    assert.equal(way.outbox.reserve(), true);
    way.outbox.release();
    assert.deepEqual([way.outbox.reserve(), way.remains.records], [true, 1]);
  });

  test('room that drops left idle goes back by itself: another worker has none of it otherwise', async () => {
    const at = await world({ queueRecords: 16 });
    const [busy, other] = [new Way(at, 1).begin(), new Way(at, 1)];
    const room = (): boolean => {
      busy.outbox.post();
      busy.deliver();
      return busy.outbox.reserve();
    };
    let open = 0;
    while (room()) open += 1;
    assert.equal(open, 16, 'all there is');
    flush(at, [busy]);
    for (let i = 0; i < open; i += 1) busy.outbox.release();
    flush(at, [busy]);
    assert.equal(other.begin().outbox.reserve(), true);
  });

  test('lines without room go to the reserve, in their place among the others', async () => {
    const at = await world({ queueRecords: 64 });
    const way = new Way(at, 1).begin();
    way.outbox.writeUnreserved(way.line());
    assert.equal(way.outbox.reserve(), true);
    way.outbox.write(way.line());
    way.outbox.writeUnreserved(way.line());
    assert.equal(way.remains.records, 3);
    flush(at, [way]);
    assert.deepEqual([sound(at).records, way.remains.records, at.journal.depth().records], [3, 0, 0]);
  });

  test('promise 8: lines without room do not pile up before a busy journal; those too many are declared', async () => {
    const at = await world({ queueRecords: 80_000, queueBytes: 1_073_741_824 });
    const way = new Way(at, 1).begin();
    const line = way.line();
    for (let i = 0; i < 5_000; i += 1) way.outbox.writeUnreserved(line);
    at.clock.advance(LINGER_MS);
    assert.equal(way.linesOnTheWay, 4_096);
    flush(at, [way]);
    assert.equal(way.remains.records, 0);
    assert.equal(at.journal.depth().lost, 5_000 - 4_096);
    way.outbox.writeUnreserved(line);
    flush(at, [way]);
    const { records, lost } = sound(at);
    assert.deepEqual([records, lost], [4_097, 904]);
  });

  test('many bytes are posted at once', async () => {
    const at = await world({ queueRecords: 1_000 });
    const way = new Way(at, 500).begin();
    let lines = 0;
    for (; lines < 400 && way.remains.records === lines; lines += 1) {
      assert.equal(way.outbox.reserve(), true);
      way.outbox.write(way.line());
    }
    assert.ok(lines < 400, 'they left without any time having passed');
  });

  test('a worker that ended: its room is free, a request of it that waited gets none', async () => {
    const at = await world({ queueRecords: 2 });
    const way = new Way(at, 2).begin();
    assert.equal(way.outbox.reserve(), true);
    assert.equal(at.journal.depth().promised, 2);
    way.desk.close();
    assert.equal(at.journal.depth().promised, 0);
    way.outbox.write(way.line());
    flush(at, [way]);
    assert.equal(at.disk.texts().join(''), '', 'what comes from beyond is not heard');
  });

  test('promise 3: a request that waits for room is owed a record until it has one', async () => {
    const at = await world({ queueRecords: 1 });
    const way = new Way(at, 1).begin();
    assert.equal(way.outbox.reserve(), true);
    assert.equal(way.outbox.reserve(), false);
    let isReserved: boolean | undefined;
    way.outbox.reserveLater((reserved) => (isReserved = reserved));
    assert.equal(way.remains.records, 2);
    way.outbox.write(way.line());
    flush(at, [way]);
    assert.deepEqual([isReserved, way.remains.records], [true, 1]);
    way.outbox.write(way.line());
    flush(at, [way]);
    assert.equal(way.remains.records, 0);
    assert.equal(sound(at).records, 2);
  });

  test('a worker that ended while it waited takes no room with it', async () => {
    const at = await world({ queueRecords: 1 });
    const way = new Way(at, 1).begin();
    assert.equal(way.outbox.reserve(), true);
    way.outbox.write(way.line());
    way.outbox.reserveLater(() => assert.fail('nobody is there'));
    way.outbox.post();
    way.deliver();
    way.desk.close();
    flush(at, []);
    assert.deepEqual([at.journal.depth().promised, at.journal.depth().waiting], [0, 0]);
  });
});

type Step = {
  readonly worker: 0 | 1;
  readonly what: 'request' | 'line' | 'drop' | 'refusal' | 'deliver' | 'disk' | 'time';
};

const step: fc.Arbitrary<Step> = fc.record({
  worker: fc.constantFrom(0, 1),
  what: fc.constantFrom('request', 'request', 'line', 'line', 'drop', 'refusal', 'deliver', 'disk', 'time'),
});

test('property, promise 3: never more lines than room, none lost, none twice, one chain', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 120 }),
      fc.integer({ min: 1, max: 6 }),
      async (steps, queueRecords) => {
        const at = await world({ queueRecords, waitMs: 60_000 });
        const ways = [new Way(at, 1).begin(), new Way(at, 1).begin()] as const;
        const open = [0, 0];
        let written = 0;
        for (const { worker, what } of steps) {
          const way = ways[worker];
          if (what === 'request') {
            const begin = (reserved: boolean): void => void (reserved && (open[worker]! += 1));
            if (way.outbox.reserve()) begin(true);
            else way.outbox.reserveLater(begin);
          } else if (what === 'refusal') {
            if (at.journal.depth().records < queueRecords / 8) {
              way.outbox.writeUnreserved(way.line());
              written += 1;
              flush(at, ways);
            }
          } else if ((what === 'line' || what === 'drop') && open[worker]! > 0) {
            open[worker]! -= 1;
            if (what === 'drop') way.outbox.release();
            else {
              way.outbox.write(way.line());
              written += 1;
            }
          } else if (what === 'deliver') way.deliver();
          else if (what === 'disk') at.disk.answerWrite('all');
          else if (what === 'time') at.clock.advance(LINGER_MS);
          const { records, promised } = at.journal.depth();
          assert.ok(
            records + promised <= queueRecords + 1,
            `${records} lines and ${promised} promises for ${queueRecords}`,
          );
          assert.ok(promised >= open[0]! + open[1]!, 'an open request has its room');
          assert.equal(promised, ways[0].desk.held + ways[1].desk.held, 'what is promised is known to be held by whom');
        }
        for (let i = 0; i < 8; i += 1) flush(at, ways);
        assert.equal(written === 0 ? 0 : sound(at).records, written);
        assert.equal(at.journal.depth().lost, 0);
      },
    ),
  );
});
