import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { removeAt, setAt, step } from '../../../src/core/record/json-edit.ts';

function at(pointer: string): ReturnType<typeof step>[] {
  return pointer === '' ? [] : pointer.split('/').map(step);
}

const removals: readonly (readonly [string, unknown, string, unknown])[] = [
  ['a member', { a: 1, b: 2 }, 'a', { b: 2 }],
  ['a nested member', { a: { b: 1, c: 2 } }, 'a/b', { a: { c: 2 } }],
  ['an element, the rest moves up', { a: [1, 2, 3] }, 'a/1', { a: [1, 3] }],
  ['an element of a root array', [1, 2], '0', [2]],
  ['inside an array in an array', [[{ x: 1 }]], '0/0/x', [[{}]]],
  ['a member that is null', { a: null }, 'a', {}],
  ['an index as Go reads it', [1, 2], '+01', [1]],
  ['minus zero, which Go reads as 0', [1, 2], '-0', [2]],
  ['nothing, where the path is empty: the whole is the caller’s to remove', { a: 1 }, '', undefined],
];

for (const [what, value, pointer, expected] of removals) {
  test(`removeAt: ${what}`, () => {
    assert.deepEqual(removeAt(value, at(pointer)), expected === undefined ? undefined : { value: expected });
  });
}

const nowhere: readonly (readonly [string, unknown, string])[] = [
  ['a missing member', { a: 1 }, 'b'],
  ['below a scalar', { a: 1 }, 'a/b'],
  ['below null', { a: null }, 'a/b'],
  ['an index past the end', [1], '1'],
  ['a negative index', [1], '-1'],
  ['an index that is no number', [1], 'a'],
  ['a length', [1], 'length'],
  ['an inherited member', {}, 'constructor/name'],
];

for (const [what, value, pointer] of nowhere) {
  test(`removeAt leads nowhere: ${what}`, () => {
    assert.equal(removeAt(value, at(pointer)), undefined);
  });
}

test('setAt: sets, replaces and makes the objects on the way, but no array elements', () => {
  assert.deepEqual(setAt({ a: 1 }, at('b/c/d'), 2), { value: { a: 1, b: { c: { d: 2 } } } });
  assert.deepEqual(setAt({ a: 1 }, at('a'), 2), { value: { a: 2 } });
  assert.deepEqual(setAt({ a: [1, 2] }, at('a/1'), null), { value: { a: [1, null] } });
  assert.deepEqual(setAt(5, at(''), 'whole'), { value: 'whole' });
  assert.equal(setAt({ a: [1] }, at('a/1'), 2), undefined);
  assert.equal(setAt({ a: 5 }, at('a/b'), 2), undefined);
  assert.equal(setAt('text', at('a'), 2), undefined);
});

test('the spelling that is there wins; the first one is made', () => {
  const path = [{ names: ['a%20b', 'a b'] as const }];
  assert.deepEqual(removeAt({ 'a b': 1 }, path), { value: {} });
  assert.deepEqual(setAt({}, path, 1), { value: { 'a%20b': 1 } });
});

test('a member named __proto__ is a member, and nobody’s prototype', () => {
  const value = JSON.parse('{"a":{"__proto__":{"b":1}}}') as unknown;
  const edited = setAt(value, at('a/__proto__/b'), 2);
  assert.equal(JSON.stringify(edited?.value), '{"a":{"__proto__":{"b":2}}}');
  assert.equal(JSON.stringify(setAt({}, at('__proto__/x'), 1)?.value), '{"__proto__":{"x":1}}');
  assert.equal(({} as { x?: unknown }).x, undefined);
});

test('property: an edit never changes the value that it is given', () => {
  const path = fc.array(fc.constantFrom('a', 'b', '0', '1', '__proto__', ''), { maxLength: 4 });
  const value = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<unknown>;
  fc.assert(
    fc.property(value, path, fc.boolean(), (given, names, removes) => {
      const before = JSON.stringify(given);
      const edited = removes ? removeAt(given, names.map(step)) : setAt(given, names.map(step), 'set');
      assert.equal(JSON.stringify(given), before);
      if (edited !== undefined && removes) assert.notEqual(JSON.stringify(edited.value), before);
    }),
    { numRuns: 500 },
  );
});
