import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { UnseenStreams } from '../../../src/io/listen/unseen-streams.ts';

test('streams in order leave no gap', () => {
  const unseen = new UnseenStreams();
  assert.equal(unseen.begun(0), 0);
  for (const streamId of [1, 3, 5, 7]) assert.equal(unseen.seen(streamId), 0);
  assert.equal(unseen.begun(7), 0);
  assert.equal(unseen.begun(undefined), 0);
});

test('each stream that is not seen counts once, wherever it stands', () => {
  const ids = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 40 });
  fc.assert(
    fc.property(ids, fc.integer({ min: 0, max: 60 }), fc.array(fc.boolean()), (picked, last, asks) => {
      const seen = picked.map((n) => 2 * n + 1).sort((a, b) => a - b);
      const highest = Math.max(2 * last + 1, seen.at(-1) ?? 0);
      const unseen = new UnseenStreams();
      let missing = 0;
      for (const [i, streamId] of seen.entries()) {
        missing += unseen.seen(streamId);
        if (asks[i] === true) missing += unseen.begun(streamId);
      }
      missing += unseen.begun(highest);
      missing += unseen.begun(highest);
      assert.equal(missing, (highest + 1) / 2 - seen.length);
    }),
  );
});

test('a stream that was counted as begun and unseen is not counted again by the next', () => {
  const unseen = new UnseenStreams();
  assert.equal(unseen.begun(5), 3);
  assert.equal(unseen.seen(7), 0);
  assert.equal(unseen.seen(11), 1);
});
