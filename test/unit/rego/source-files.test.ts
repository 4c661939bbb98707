import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  buildFiles,
  isTestFile,
  lengthInCharacters,
  lineAt,
  placeOfByte,
  textOf,
} from '../../../src/io/rego/source-files.ts';

test('files that opa test looks for are left out of a build, others are not', () => {
  assert.ok(isTestFile('a/authz_test.rego'));
  assert.ok(!isTestFile('a/authz_test.rego.txt'));
  assert.ok(!isTestFile('a/test.rego'));
  const kept = buildFiles({ 'a.rego': 'x', 'a_test.rego': 'y', 'data.json': Uint8Array.of(1, 2) });
  assert.deepEqual(kept, { 'a.rego': Uint8Array.of(120), 'data.json': Uint8Array.of(1, 2) });
});

test('a file named __proto__ is a file', () => {
  const kept = buildFiles(JSON.parse('{"__proto__": "x"}') as Record<string, string>);
  assert.deepEqual(Object.keys(kept), ['__proto__']);
});

test('bytes that are not UTF-8 are shown as U+FFFD', () => {
  assert.equal(textOf(Uint8Array.of(97, 0xff, 98)), 'a\ufffdb');
});

test('lines count from 1, and lose their end, LF or CRLF', () => {
  assert.deepEqual(
    [1, 2, 3, 4].map((row) => lineAt('a\r\nb\n', row)),
    ['a', 'b', '', undefined],
  );
  assert.equal(lineAt('a', 0), undefined);
});

test('a line is cut after 1,000 characters', () => {
  assert.equal(lineAt('x'.repeat(5000), 1)?.length, 1000);
});

test('columns are Unicode characters, as OPA counts them', () => {
  assert.equal(lengthInCharacters('aé😀'), 3);
  const content = Buffer.from('é😀x');
  assert.deepEqual(placeOfByte(content, content.length), { row: 1, col: 3 });
});

test('the place of any byte: as many line ends before it as its row says', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '\n', 'é') }), fc.nat(200), (text, at) => {
      const content = Buffer.from(text);
      const bytes = 1 + (at % (content.length + 1));
      const { row, col } = placeOfByte(content, bytes);
      const before = content.subarray(0, bytes - 1);
      assert.equal(row, before.filter((byte) => byte === 10).length + 1);
      assert.ok(col >= 1 && col <= bytes);
    }),
  );
});

test('an offset outside the file is its end or its start', () => {
  assert.deepEqual(placeOfByte(Buffer.from('a\nbc'), 99), { row: 2, col: 3 });
  assert.deepEqual(placeOfByte(Buffer.from('a\nbc'), 0), { row: 1, col: 1 });
});
