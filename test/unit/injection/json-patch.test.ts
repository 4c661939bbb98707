import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { jsonPatch } from '../../../src/core/injection/json-patch.ts';
import { applied } from './apply.ts';

const named = (...names: readonly string[]) => names.map((name) => ({ name, image: `${name}:1` }));

describe('jsonPatch', () => {
  test('RFC 6902 4: what is the same needs no operation', () => {
    assert.deepEqual(jsonPatch({ a: [1, { b: null }] }, { a: [1, { b: null }] }), []);
  });

  test('RFC 6902 4.1: what is new is added, 4.2 what is gone removed, 4.3 what differs replaced, at the deepest place', () => {
    assert.deepEqual(jsonPatch({ a: { b: 1, c: 2 }, d: [] }, { a: { b: 3, e: 4 }, d: [] }), [
      { op: 'remove', path: '/a/c' },
      { op: 'replace', path: '/a/b', value: 3 },
      { op: 'add', path: '/a/e', value: 4 },
    ]);
  });

  test('RFC 6901 3: ~ and / in keys are written ~0 and ~1', () => {
    assert.deepEqual(jsonPatch({}, { 'sallyport.dev/a~b': 'x' }), [
      { op: 'add', path: '/sallyport.dev~1a~0b', value: 'x' },
    ]);
  });

  test('an entry that is put in front of named ones costs one operation', () => {
    assert.deepEqual(jsonPatch({ list: named('b', 'c') }, { list: named('a', 'b', 'c') }), [
      { op: 'add', path: '/list/0', value: { name: 'a', image: 'a:1' } },
    ]);
  });

  test('a named entry that moved is taken from where it stood', () => {
    assert.deepEqual(jsonPatch(named('x', 'a', 'b', 'c'), named('c', 'a', 'b')), [
      { op: 'remove', path: '/0' },
      { op: 'remove', path: '/2' },
      { op: 'add', path: '/0', value: { name: 'c', image: 'c:1' } },
    ]);
  });

  test('a named entry that differs is changed inside', () => {
    const after = [{ name: 'a', image: 'a:2' }, ...named('b')];
    assert.deepEqual(jsonPatch(named('a', 'b'), after), [{ op: 'replace', path: '/0/image', value: 'a:2' }]);
  });

  test('lists without names are changed in their middle alone', () => {
    assert.deepEqual(jsonPatch([1, 2, 3, 4], [1, 9, 4]), [
      { op: 'replace', path: '/1', value: 9 },
      { op: 'remove', path: '/2' },
    ]);
    assert.deepEqual(jsonPatch([1, 4], [1, 2, 3, 4]), [
      { op: 'add', path: '/1', value: 2 },
      { op: 'add', path: '/2', value: 3 },
    ]);
  });

  test('a list of which two have one name is a plain list', () => {
    assert.deepEqual(applied(named('a', 'a'), jsonPatch(named('a', 'a'), named('a'))), named('a'));
  });

  test('another kind of value is replaced as a whole, also at the root', () => {
    assert.deepEqual(jsonPatch({ a: [] }, { a: {} }), [{ op: 'replace', path: '/a', value: {} }]);
    assert.deepEqual(jsonPatch([], {}), [{ op: 'replace', path: '', value: {} }]);
  });

  test('an independent applier makes the second of the first, whatever both are', () => {
    const key = fc.constantFrom('a', 'b', 'c/d', 'e~f', 'name');
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 4 }, fc.constantFrom(1, 'x', null, true), tie('list'), tie('entries'), tie('map')),
      list: fc.array(tie('tree'), { maxLength: 5 }),
      entries: fc
        .uniqueArray(fc.constantFrom('p', 'q', 'r', 's', 't'), { maxLength: 5 })
        .chain((names) => fc.tuple(...names.map((name) => tie('tree').map((value) => ({ name, value }))))),
      map: fc.dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
    }));
    fc.assert(
      fc.property(tree, tree, (first, second) => {
        const [before, after] = [{ root: first }, { root: second }];
        assert.deepEqual(applied(before, jsonPatch(before, after)), after);
      }),
      { numRuns: 500 },
    );
  });
});
