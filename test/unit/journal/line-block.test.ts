import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';

import { LineBlock } from '../../../src/io/journal/line-block.ts';

test('property: lines come out as the bytes that they are, in order, and what was taken is never touched again', () => {
  const line = fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), fc.constant('世'.repeat(40)), fc.constant(''));
  fc.assert(
    fc.property(fc.array(fc.tuple(line, fc.boolean())), (lines) => {
      const block = new LineBlock(64);
      const taken: Uint8Array[] = [];
      for (const [text, takes] of lines) {
        if (takes || !block.hasRoom(text)) taken.push(block.take());
        assert.equal(block.add(text), Buffer.byteLength(text) + 1);
      }
      taken.push(block.take());
      assert.equal(Buffer.concat(taken).compare(Buffer.from(lines.map(([text]) => `${text}\n`).join(''))), 0);
      assert.equal(block.take().length, 0);
    }),
  );
});

test('a block is not given up while lines in it were not taken', () => {
  const block = new LineBlock(64);
  block.add('kept');
  assert.throws(() => block.add('x'.repeat(64)), TypeError);
  assert.equal(Buffer.from(block.take()).toString(), 'kept\n');
});
