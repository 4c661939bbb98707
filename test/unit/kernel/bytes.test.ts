import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { concat } from '../../../src/core/kernel/bytes.ts';

test('concat: every byte of every part, in order, in memory of its own', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (parts) => {
      assert.deepEqual(
        [...concat(parts)],
        parts.flatMap((part) => [...part]),
      );
    }),
  );
  const part = Uint8Array.of(1);
  const whole = concat([part]);
  part[0] = 2;
  assert.deepEqual([...whole], [1]);
});
