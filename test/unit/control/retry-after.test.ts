import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { retryAfterMs } from '../../../src/io/control/retry-after.ts';

test('RFC 9110 10.2.3: a date that is over is no pause', () => {
  assert.equal(retryAfterMs('Thu, 01 Jan 1970 00:00:00 GMT', 1_000_000), 0);
  assert.equal(retryAfterMs('0', 5), 0);
});

test('property: whatever a server says, the pause is none or from 0 to ten minutes', () => {
  const field = fc.option(
    fc.oneof(
      fc.string(),
      fc.nat().map(String),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    ),
    { nil: undefined },
  );
  fc.assert(
    fc.property(field, fc.integer({ min: 0, max: 4e12 }), (text, nowMs) => {
      const ms = retryAfterMs(text, nowMs);
      assert.ok(ms === undefined || (ms >= 0 && ms <= 600_000));
    }),
  );
});
