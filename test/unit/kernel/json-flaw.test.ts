import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { jsonFlaw } from '../../../src/core/kernel/json-flaw.ts';

describe('jsonFlaw', () => {
  test('RFC 8259 4: a key that stands twice in one object is a flaw, however it is written', () => {
    const twice = 'a key stands twice in one object';
    assert.equal(jsonFlaw('{"a":1,"a":1}', 10), twice);
    assert.equal(jsonFlaw('{"a":1,"\\u0061":1}', 10), twice);
    assert.equal(jsonFlaw('[{"b":{"x":[],"y":"x","x":1}}]', 10), twice);
  });

  test('a key may stand in several objects, and as a value', () => {
    assert.equal(jsonFlaw('{"a":{"a":[{"a":"a"},{"a":"\\"a\\":"}]},"b":"a"}', 10), undefined);
  });

  test('nesting is bounded', () => {
    assert.equal(jsonFlaw('[[[]]]', 3), undefined);
    assert.equal(jsonFlaw('[[{"a":[]}]]', 3), 'nested deeper than 3 levels');
    assert.equal(jsonFlaw('['.repeat(1_000_000), 64), 'nested deeper than 64 levels');
  });

  test('what JSON.stringify writes has no flaw, and no text throws', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => jsonFlaw(JSON.stringify(value), 100) === undefined),
    );
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void jsonFlaw(text, 3)));
  });
});
