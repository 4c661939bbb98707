import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { backOffMs, between } from '../../../src/core/kernel/back-off.ts';

const least = (length: number): Uint8Array => new Uint8Array(length);
const most = (length: number): Uint8Array => new Uint8Array(length).fill(0xff);

test('twice as long each time, up to the bound, half of it at random', () => {
  const steps = [1, 2, 3, 4, 5, 60].map((failures) => backOffMs(failures, 100, 1_000, least));
  assert.deepEqual(steps, [50, 100, 200, 400, 500, 500]);
  assert.deepEqual(
    [1, 5].map((failures) => Math.round(backOffMs(failures, 100, 1_000, most))),
    [100, 1_000],
  );
});

test('property: a number between two is between them, whatever the randomness', () => {
  const bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(fc.nat(1e9), fc.nat(1e9), bytes, (a, b, random) => {
      const [min, max] = a < b ? [a, b] : [b, a];
      const value = between(min, max, () => random);
      assert.ok(value >= min && value <= max);
    }),
  );
});

test('randomness may be a view into a larger buffer', () => {
  const block = new Uint8Array([9, 9, 0x80, 0, 0, 0]);
  assert.equal(
    between(0, 10, () => block.subarray(2)),
    5,
  );
});
