import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { frame, FrameReader, MAX_MESSAGE_BYTES } from '../../../src/io/workload-api/framing.ts';
import { within } from '../../support/within.ts';

describe('gRPC over HTTP/2, Length-Prefixed-Message', () => {
  test('messages come out as they went in, however they are cut', () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 });
    fc.assert(
      fc.property(parts, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (messages, sizes) => {
        const reader = new FrameReader();
        const whole = Buffer.concat(messages.map((message) => frame(message)));
        const read: string[] = [];
        for (let at = 0, turn = 0; at < whole.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          const got = reader.push(whole.subarray(at, at + size));
          assert.ok(got.ok);
          read.push(...got.value.map((message) => Buffer.from(message).toString('hex')));
          at += size;
        }
        assert.deepEqual(
          read,
          messages.map((message) => Buffer.from(message).toString('hex')),
        );
        assert.equal(reader.isWithin, false);
      }),
    );
  });

  test('the prefix: no compression, length in big-endian', () => {
    assert.equal(Buffer.from(frame(new Uint8Array(258))).toString('hex', 0, 5), '0000000102');
  });

  test('any bytes never throw', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (chunks) => {
        const reader = new FrameReader(20);
        for (const chunk of chunks) if (!reader.push(chunk).ok) return;
      }),
    );
  });

  for (const flag of [1, 2, 255]) {
    test(`flag ${flag} is compression, and refused before the message has come`, () => {
      const read = new FrameReader().push(Uint8Array.of(flag, 0, 0, 0, 9));
      assert.equal(read.ok ? undefined : read.error.kind, 'compressed');
    });
  }

  test('the largest message is taken, one byte more is refused by its prefix alone', () => {
    const reader = new FrameReader();
    const read = reader.push(frame(new Uint8Array(MAX_MESSAGE_BYTES)));
    assert.equal(read.ok && read.value[0]?.length, MAX_MESSAGE_BYTES);
    const over = reader.push(Uint8Array.of(0, 0, 0x40, 0, 1));
    assert.deepEqual(over.ok ? undefined : over.error.kind, 'too-large');
  });

  test('a message is known to be cut off', () => {
    const reader = new FrameReader();
    reader.push(frame(new Uint8Array(9)).subarray(0, 8));
    assert.equal(reader.isWithin, true);
  });

  test('many tiny messages in one chunk, and one message in many chunks, take no time', () => {
    within(2_000, () => {
      assert.ok(new FrameReader().push(new Uint8Array(5 * 100_000)).ok);
      const reader = new FrameReader();
      const whole = frame(new Uint8Array(1_000_000));
      for (let at = 0; at < whole.length; at += 100) assert.ok(reader.push(whole.subarray(at, at + 100)).ok);
      assert.equal(reader.isWithin, false);
    });
  });
});
