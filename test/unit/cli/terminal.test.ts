import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { inert } from '../../../src/cli/terminal.ts';

const SHOWN = {
  'plain text, ümläute, 日本語 and 🚪': 'plain text, ümläute, 日本語 and 🚪',
  '\u001b[2J\u001b]0;title\u0007': '\\u{1b}[2J\\u{1b}]0;title\\u{7}',
  'a\r\nb\tc': 'a\\u{d}\\u{a}b\\u{9}c',
  '\u009b31m': '\\u{9b}31m',
  'user\u202egnp.exe': 'user\\u{202e}gnp.exe',
  '\u2066x\u2069': '\\u{2066}x\\u{2069}',
};
for (const [text, shown] of Object.entries(SHOWN)) {
  test(`${JSON.stringify(text)} is shown inert`, () => assert.equal(inert(text), shown));
}

test('property: nothing that a terminal obeys is left', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(inert(text), /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/);
    }),
  );
});
