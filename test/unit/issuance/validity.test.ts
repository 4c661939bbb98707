import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { MAX_TTL_MS, MIN_CLAMPED_MS, MIN_TTL_MS, validityWithin } from '../../../src/core/issuance/validity.ts';
import { DAY, HOUR, kindOf, MINUTE, NOW, valueOf } from './making.ts';

const issuer = { notBeforeMs: NOW - HOUR, notAfterMs: NOW + HOUR };

test('a minute back, and as long as was asked', () => {
  assert.deepEqual(valueOf(validityWithin(undefined, NOW + 1, HOUR)), {
    notBeforeMs: NOW - MINUTE,
    notAfterMs: NOW + HOUR,
  });
  assert.deepEqual(valueOf(validityWithin(issuer, NOW, MINUTE)), {
    notBeforeMs: NOW - MINUTE,
    notAfterMs: NOW + MINUTE,
  });
});

const LIVES: readonly (readonly [ttlMs: number, verdict: string])[] = [
  [MIN_TTL_MS - 1, 'lifetime_refused'],
  [MIN_TTL_MS, 'issued'],
  [MAX_TTL_MS, 'issued'],
  [MAX_TTL_MS + 1, 'lifetime_refused'],
  [Number.NaN, 'lifetime_refused'],
  [Number.POSITIVE_INFINITY, 'lifetime_refused'],
  [-HOUR, 'lifetime_refused'],
];
for (const [ttlMs, verdict] of LIVES) {
  test(`a life of ${ttlMs} ms: ${verdict}`, () => {
    assert.equal(kindOf(validityWithin(undefined, NOW, ttlMs)), verdict);
    assert.equal(kindOf(validityWithin({ notBeforeMs: 0, notAfterMs: NOW + 1 + MAX_TTL_MS }, NOW, ttlMs)), verdict);
  });
}

const ISSUERS: readonly (readonly [what: string, nowMs: number, ttlMs: number, verdict: string])[] = [
  ['ends after what was asked', NOW, HOUR, 'issued'],
  ['ends before it', NOW, DAY, 'issued'],
  ['has a minute left', NOW + HOUR - MIN_CLAMPED_MS, DAY, 'issued'],
  ['has less than a minute left', NOW + HOUR - MIN_CLAMPED_MS + 1, DAY, 'issuer_unavailable'],
  ['has less than a minute left, and less was asked', NOW + HOUR - 20_000, 10_000, 'issued'],
  ['has ended', NOW + HOUR + 1, MIN_TTL_MS, 'issuer_unavailable'],
  ['has not begun', NOW - HOUR - 1, MINUTE, 'issuer_unavailable'],
  ['begins now', NOW - HOUR, MINUTE, 'issued'],
];
for (const [what, nowMs, ttlMs, verdict] of ISSUERS) {
  test(`an issuer that ${what}: ${verdict}`, () => {
    assert.equal(kindOf(validityWithin(issuer, nowMs, ttlMs)), verdict);
  });
}

test('property: never outside the issuer, never longer than asked, never over already', () => {
  const moment = fc.integer({ min: NOW - 2 * HOUR, max: NOW + 2 * HOUR });
  fc.assert(
    fc.property(moment, fc.integer({ min: 1, max: DAY }), (nowMs, ttlMs) => {
      const validity = validityWithin(issuer, nowMs, ttlMs);
      if (!validity.ok) return;
      const { notBeforeMs, notAfterMs } = validity.value;
      assert.ok(notBeforeMs >= issuer.notBeforeMs && notAfterMs <= issuer.notAfterMs);
      assert.ok(notBeforeMs <= nowMs && notBeforeMs > nowMs - MINUTE - 1_000);
      assert.ok(notAfterMs <= nowMs + ttlMs && notAfterMs >= nowMs);
      assert.ok(notBeforeMs % 1_000 === 0 && notAfterMs % 1_000 === 0);
    }),
    { numRuns: 2_000 },
  );
});
