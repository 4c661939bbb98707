import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { compare, passes, type Row, type Verdict } from './compare.ts';
import type { Counts } from './counts.ts';
import { joined } from './counts.ts';
import { updated, type Figures } from './figures.ts';

const FIGURES: Figures = {
  node: 'v1',
  kinds: {
    bytes: { unit: 'bytes', tolerance: 0.1, reason: 'a test', figures: { GET: 100 } },
    steps: { unit: 'steps', tolerance: 0, reason: 'a test', figures: { allowed: 7, denied: 0 } },
  },
};
const AS_COMMITTED: Counts = { bytes: { GET: 100 }, steps: { allowed: 7, denied: 0 } };

function verdicts(rows: readonly Row[]): Readonly<Record<string, Verdict>> {
  return Object.fromEntries(rows.map(({ kind, name, verdict }) => [`${kind} ${name}`, verdict]));
}

/** What is said of the bytes of a GET when so many are counted. */
function ofBytes(counted: number): { readonly verdict: Verdict | undefined; readonly passed: boolean } {
  const rows = compare(FIGURES, { ...AS_COMMITTED, bytes: { GET: counted } });
  return { verdict: verdicts(rows)['bytes GET'], passed: passes(rows) };
}

test('what was committed passes', () => {
  const rows = compare(FIGURES, AS_COMMITTED);
  assert.deepEqual(verdicts(rows), { 'bytes GET': 'same', 'steps allowed': 'same', 'steps denied': 'same' });
  assert.equal(passes(rows), true);
});

test('a count at the edge of its tolerance passes, one beyond fails', () => {
  assert.deepEqual(ofBytes(110), { verdict: 'same', passed: true });
  assert.deepEqual(ofBytes(110.1), { verdict: 'worse', passed: false });
});

test('a count below its tolerance is told as better, and passes', () => {
  assert.deepEqual(ofBytes(90), { verdict: 'same', passed: true });
  assert.deepEqual(ofBytes(89.9), { verdict: 'better', passed: true });
});

test('without tolerance one more fails, also where there were none', () => {
  const rows = compare(FIGURES, { ...AS_COMMITTED, steps: { allowed: 8, denied: 1 } });
  assert.deepEqual(verdicts(rows), { 'bytes GET': 'same', 'steps allowed': 'worse', 'steps denied': 'worse' });
  assert.equal(passes(rows), false);
});

test('what is not a number is worse', () => {
  assert.deepEqual(ofBytes(Number.NaN), { verdict: 'worse', passed: false });
});

test('a count without a figure fails: it would be guarded by nothing', () => {
  const rows = compare(FIGURES, { ...AS_COMMITTED, bytes: { GET: 100, POST: 1 }, sockets: { all: 1 } });
  assert.equal(verdicts(rows)['bytes POST'], 'new');
  assert.equal(verdicts(rows)['sockets all'], 'new');
  assert.equal(passes(rows), false);
});

test('a figure that was not counted fails, unless its kind cannot be counted here', () => {
  const counted = { bytes: { GET: 100 } };
  assert.equal(verdicts(compare(FIGURES, counted))['steps allowed'], 'gone');
  assert.equal(passes(compare(FIGURES, counted)), false);
  assert.equal(verdicts(compare(FIGURES, counted, ['steps']))['steps allowed'], 'skipped');
  assert.equal(passes(compare(FIGURES, counted, ['steps'])), true);
});

test('a kind that cannot be counted here is judged all the same where it was', () => {
  const rows = compare(FIGURES, { ...AS_COMMITTED, steps: { allowed: 9 } }, ['steps']);
  assert.deepEqual(verdicts(rows), { 'bytes GET': 'same', 'steps allowed': 'worse', 'steps denied': 'skipped' });
});

test('written figures are those that were counted; units, tolerances and reasons stay', () => {
  const written = updated(FIGURES, { bytes: { POST: 5 }, steps: { allowed: 6 } }, 'v2', []);
  assert.deepEqual(written, {
    node: 'v2',
    kinds: {
      bytes: { unit: 'bytes', tolerance: 0.1, reason: 'a test', figures: { POST: 5 } },
      steps: { unit: 'steps', tolerance: 0, reason: 'a test', figures: { allowed: 6 } },
    },
  });
});

test('written figures keep those of a kind that cannot be counted here, and lose a kind that is no longer counted', () => {
  const written = updated(FIGURES, { bytes: { GET: 5 } }, 'v2', ['steps']);
  assert.deepEqual(written.kinds['steps'], FIGURES.kinds['steps']);
  assert.deepEqual(Object.keys(updated(FIGURES, { bytes: { GET: 5 } }, 'v2', []).kinds), ['bytes']);
});

test('a kind that nobody has described is not written', () => {
  assert.throws(() => updated(FIGURES, { ...AS_COMMITTED, moons: { all: 1 } }, 'v2', []), /says nothing of moons/);
});

test('what is written passes at once, whatever was counted', () => {
  const count = fc.nat({ max: 1_000_000 });
  const counted = fc.record({ bytes: fc.dictionary(fc.string(), count), steps: fc.dictionary(fc.string(), count) });
  fc.assert(
    fc.property(counted, (counts) => {
      const rows = compare(updated(FIGURES, counts, 'v2', []), counts);
      assert.ok(rows.every(({ verdict }) => verdict === 'same'));
    }),
  );
});

test('the verdict turns from better over same to worse as the count grows, each once', () => {
  const ORDER: readonly (Verdict | undefined)[] = ['better', 'same', 'worse'];
  fc.assert(
    fc.property(fc.nat({ max: 300 }), fc.nat({ max: 300 }), (one, other) => {
      const [less, more] = one < other ? [one, other] : [other, one];
      assert.ok(ORDER.indexOf(ofBytes(less).verdict) <= ORDER.indexOf(ofBytes(more).verdict));
    }),
  );
});

test('counts of several parts are joined kind by kind', () => {
  const parts = [{ bytes: { gate: 1 } }, { bytes: { GET: 2 }, reads: { GET: 3 } }];
  assert.deepEqual(joined(parts), { bytes: { gate: 1, GET: 2 }, reads: { GET: 3 } });
});
