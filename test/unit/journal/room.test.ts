import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Room } from '../../../src/io/journal/room.ts';

const reserved = (bytes: number) => ({ records: 1, bytes, spare: 0, spareBytes: 0 });
const spare = (bytes: number) => ({ records: 0, bytes: 0, spare: 1, spareBytes: bytes });

test('promises and queued records share the bound on records', () => {
  const room = new Room({ queueRecords: 3, queueBytes: 1_000_000 });
  room.promise();
  room.add(reserved(100));
  assert.equal(room.hasRoom(), true);
  room.promise();
  assert.equal(room.hasRoom(), false);
  room.keepPromise();
  assert.equal(room.hasRoom(), true);
  assert.deepEqual([room.promised, room.queued, room.queuedBytes], [1, 1, 100]);
});

test('bytes bound as well: 2 KiB for a promise, the true size once it is queued', () => {
  const room = new Room({ queueRecords: 1_000, queueBytes: 4_096 });
  room.promise();
  assert.equal(room.hasRoom(), true);
  room.promise();
  assert.equal(room.hasRoom(), false);
  room.keepPromise();
  room.add(reserved(2_047));
  assert.equal(room.hasRoom(), true);
  room.add(reserved(1));
  assert.equal(room.hasRoom(), false);
  assert.equal(room.canQueue(), true);
  room.add(reserved(2_048));
  assert.equal(room.canQueue(), false);
});

test('the spare eighth is apart in both directions', () => {
  const room = new Room({ queueRecords: 16, queueBytes: 8_000 });
  room.add(spare(10));
  assert.equal(room.canSpare(), true);
  room.add(spare(10));
  assert.equal(room.canSpare(), false);
  assert.equal(room.hasRoom(), true);
  room.settle(spare(10));
  room.add(spare(990));
  assert.equal(room.canSpare(), false);
  room.settle(spare(990));
  for (let i = 0; i < 16; i += 1) room.add(reserved(500));
  assert.deepEqual([room.hasRoom(), room.canQueue(), room.canSpare()], [false, false, true]);
});

test('the smallest queue still has one spare line', () => {
  assert.equal(new Room({ queueRecords: 1, queueBytes: 65_536 }).canSpare(), true);
});

test('a promise taken back twice does not make room', () => {
  const room = new Room({ queueRecords: 1, queueBytes: 65_536 });
  room.keepPromise();
  assert.equal(room.promised, 0);
  room.promise();
  assert.equal(room.hasRoom(), false);
});

test('property: what is added and settled leaves nothing behind', () => {
  const load = fc.nat(5_000).chain((bytes) => fc.constantFrom(reserved(bytes), spare(bytes)));
  fc.assert(
    fc.property(fc.array(load, { maxLength: 50 }), (loads) => {
      const room = new Room({ queueRecords: 8, queueBytes: 65_536 });
      for (const one of loads) room.add(one);
      assert.equal(room.queued, loads.length);
      for (const one of loads) room.settle(one);
      assert.deepEqual([room.queued, room.queuedBytes, room.hasRoom(), room.canSpare()], [0, 0, true, true]);
    }),
  );
});
