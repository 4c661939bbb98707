import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { createLineSplitter } from '../../../src/io/kube/watch-lines.ts';

/** All lines of `text`, given in pieces that end at `cuts`; undefined where a line was too long. */
function split(text: string, cuts: readonly number[], maxBytes: number): readonly string[] | undefined {
  const bytes = Buffer.from(text);
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  const splitter = createLineSplitter(maxBytes);
  const lines: string[] = [];
  let from = 0;
  for (const end of ends) {
    const taken = splitter.take(bytes.subarray(from, end));
    if (taken === undefined) return undefined;
    lines.push(...taken);
    from = end;
  }
  return lines;
}

const cuts = fc.array(fc.nat(), { maxLength: 20 });
const line = fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replaceAll('\n', ' '));

describe('lines of a watch', () => {
  test('property: whatever the pieces, the lines are the same', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 10 }), line, cuts, (lines, rest, at) => {
        const text = [...lines.map((one) => `${one}\n`), rest].join('');
        assert.deepEqual(split(text, at, 1_000), lines);
      }),
    );
  });

  test('property: a line of as many bytes as are allowed passes, one more does not', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9_000 }), cuts, (size, at) => {
        const text = `${'x'.repeat(size)}\n`;
        assert.deepEqual(split(text, at, size), [text.trimEnd()]);
        assert.equal(split(text, at, size - 1), undefined);
      }),
    );
  });

  test('a line without end is refused before it is complete, and is no line when it ends', () => {
    const splitter = createLineSplitter(10);
    assert.deepEqual(splitter.take(Buffer.from('a\n12345')), ['a']);
    assert.equal(splitter.pending, 5);
    assert.deepEqual(splitter.take(Buffer.from('67890')), []);
    assert.equal(splitter.take(Buffer.from('1')), undefined);
  });

  test('empty lines are lines', () => {
    assert.deepEqual(createLineSplitter(10).take(Buffer.from('\n\na\n')), ['', '', 'a']);
  });
});
