import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { creditChunk, mostWorkers } from '../../../src/app/worker-credit.ts';
import { mostPromised, Room } from '../../../src/io/journal/room.ts';

const queue = (records: number, bytes: number): Parameters<typeof mostWorkers>[0] => {
  return { records, bytes, wait: 0, whenFull: 'refuse' };
};

test('property: what workers hold idle is at most a quarter of the room, of records and of bytes, and each has some', () => {
  const sizes = fc.record({
    records: fc.integer({ min: 16, max: 100_000 }),
    bytes: fc.integer({ min: 65_536, max: 64_000_000 }),
    wanted: fc.integer({ min: 2, max: 64 }),
  });
  fc.assert(
    fc.property(sizes, ({ records, bytes, wanted }) => {
      const of = queue(records, bytes);
      const count = Math.min(wanted, mostWorkers(of));
      const chunk = creditChunk(of, count);
      const room = mostPromised({ queueRecords: records, queueBytes: bytes });
      assert.ok(chunk >= 1 && chunk <= 256);
      assert.ok(2 * chunk * count <= room / 4 + 1e-9);
    }),
  );
});

test('the room is as much as a queue promises', () => {
  for (const limits of [
    { queueRecords: 16, queueBytes: 65_536 },
    { queueRecords: 100, queueBytes: 65_537 },
    { queueRecords: 100, queueBytes: 65_535 },
  ]) {
    const room = new Room(limits);
    while (room.hasRoom()) room.promise();
    assert.equal(room.promised, mostPromised(limits));
  }
});

test('a large queue gives 256 to each', () => assert.equal(creditChunk(queue(10_000, 33_554_432), 2), 256));
