import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createRandom } from '../../../src/app/system.ts';

describe('randomness in blocks', () => {
  test('no byte is given out twice: what is written into one answer shows in no other', () => {
    const random = createRandom();
    const answers = Array.from({ length: 2_000 }, (_, index) => random((index % 32) + 1));
    const before = answers.map((bytes) => Buffer.from(bytes).toString('hex'));
    answers[700]?.fill(0xff);
    for (const [index, bytes] of answers.entries()) {
      if (index !== 700) assert.equal(Buffer.from(bytes).toString('hex'), before[index]);
    }
  });

  test('each answer has the length asked for, on both sides of the end of a block', () => {
    const random = createRandom();
    for (const length of [0, 1, 8_000, 192, 193, 8_192, 8_193, 65_536]) assert.equal(random(length).length, length);
  });

  test('identifiers differ, and none is left empty', () => {
    const random = createRandom();
    const seen = new Set(Array.from({ length: 4_096 }, () => Buffer.from(random(16)).toString('hex')));
    assert.equal(seen.size, 4_096);
    assert.equal(seen.has('0'.repeat(32)), false);
  });
});
