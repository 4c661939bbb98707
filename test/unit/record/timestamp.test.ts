import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';

import { timestamp } from '../../../src/core/record/timestamp.ts';

const LAST_MS = 8_640_000_000_000_000;

test('property: RFC 3339, as a date writes itself, whatever was asked before', () => {
  const near = fc.tuple(fc.constantFrom(0, 1_700_000_000_000, LAST_MS - 3_000), fc.nat(3_000)).map(([a, b]) => a + b);
  fc.assert(
    fc.property(fc.array(fc.oneof(near, fc.nat(LAST_MS)), { maxLength: 20 }), (moments) => {
      for (const atMs of moments) assert.equal(timestamp(atMs), new Date(atMs).toISOString());
    }),
  );
});

test('after the last date there is the last date', () => {
  assert.equal(timestamp(Number.MAX_SAFE_INTEGER), new Date(LAST_MS).toISOString());
});
