import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { isWithin, overlap, referencePath } from '../../../src/core/composition/reference.ts';

test("OPA's notation of references: words after dots, everything else quoted in brackets", () => {
  assert.deepEqual(referencePath('data'), []);
  assert.deepEqual(referencePath('data.a.b_1'), ['a', 'b_1']);
  assert.deepEqual(referencePath('data.sallyport["platform"].deny'), ['sallyport', 'platform', 'deny']);
  assert.deepEqual(referencePath(String.raw`data["a.b"]["c\"]d"].e`), ['a.b', 'c"]d', 'e']);
});

test('what is not read for certain is not read at all', () => {
  const unclear = ['', 'input.a', 'database', 'data.', 'data.a[', 'data.a[1]', 'data.a[x]', 'data.a["b"', 'data["b"x'];
  for (const reference of [
    ...unclear,
    String.raw`data["\x07"]`,
    String.raw`data["\a"]`,
    'data.a-b',
    'data a',
    'data..a',
  ])
    assert.equal(referencePath(reference), undefined, reference);
});

test('every path that is written as a reference is read back', () => {
  const path = fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 5 });
  fc.assert(
    fc.property(path, (keys) => {
      assert.deepEqual(referencePath(`data${keys.map((key) => `[${JSON.stringify(key)}]`).join('')}`), keys);
    }),
  );
});

test('one path within another, and two that touch', () => {
  assert.ok(isWithin(['a', 'b'], ['a']) && isWithin(['a'], ['a']) && !isWithin(['a'], ['a', 'b']));
  assert.ok(overlap(['a'], ['a', 'b']) && overlap(['a', 'b'], ['a']) && !overlap(['a', 'c'], ['a', 'b']));
  assert.ok(!overlap(['ab'], ['a']));
});
