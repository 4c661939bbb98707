import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { RefusalSearch } from '../../../src/io/journal/refusal-search.ts';

const first = (count: number) => ({ kind: 'first', count });

test('halves from the front: what is taken is done with, until one line is refused alone', () => {
  const search = new RefusalSearch(8);
  assert.deepEqual(search.trial, first(4));
  assert.equal(search.taken(4), true);
  assert.deepEqual(search.trial, first(2));
  assert.equal(search.refused(2), true);
  assert.deepEqual(search.trial, first(1));
  assert.equal(search.refused(1), true);
  assert.deepEqual(search.trial, { kind: 'notice' });
  assert.equal(search.taken(1), false);
});

test('nothing was taken yet: a control first, then the line once more, then the notice', () => {
  const search = new RefusalSearch(1);
  assert.deepEqual(search.trial, { kind: 'control' });
  search.taken(0);
  assert.deepEqual(search.trial, first(1));
  search.refused(1);
  assert.deepEqual(search.trial, { kind: 'notice' });
  assert.equal(search.taken(1), false);
});

test('a control or a notice that is refused: no more now, and all is to be shown again', () => {
  for (const before of ['control', 'notice'] as const) {
    const search = new RefusalSearch(1);
    if (before === 'notice') {
      search.taken(0);
      search.refused(1);
    }
    assert.equal(search.trial.kind, before);
    assert.equal(search.refused(0), false);
    assert.deepEqual([search.trial, search.rounds], [first(1), 1]);
    search.refused(1);
    assert.deepEqual(search.trial, { kind: 'control' });
  }
});

test('property: a notice is never tried unless something was taken before the last refusal of the line alone', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.array(fc.boolean(), { maxLength: 60 }), (count, answers) => {
      const search = new RefusalSearch(count);
      let [takes, left] = [false, count];
      for (const taken of answers) {
        const { trial } = search;
        const lines = trial.kind === 'first' ? trial.count : Number(trial.kind === 'notice');
        assert.ok(lines <= left);
        if (trial.kind === 'notice') assert.ok(takes);
        if (trial.kind !== 'first' && !taken) takes = false;
        takes ||= taken;
        if (!taken) search.refused(lines);
        else if (!search.taken(lines)) return;
        else left -= lines;
      }
    }),
  );
});
