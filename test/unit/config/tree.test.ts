import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readTree } from '../../../src/core/config/tree.ts';

import type { ConfigTree } from '../../../src/core/config/tree.ts';

function treeOf(text: string, env: Record<string, string> = {}): ConfigTree {
  const tree = readTree(text, env);
  assert.ok(tree.ok, JSON.stringify(tree));
  return tree.value;
}

function placeOf(tree: ConfigTree, path: string): string | undefined {
  const place = tree.places.get(path);
  return place === undefined ? undefined : `${place.line}:${place.column}`;
}

test('a map has its place at its key, an item at its value, the file at its beginning', () => {
  const tree = treeOf('# comment\na:\n  b: 1\n  "c d": 2\nlist:\n  - x\n  -   y: 1\n');
  assert.deepEqual(
    ['', 'a', 'a.b', 'a["c d"]', 'list[0]', 'list[1]', 'list[1].y'].map((path) => placeOf(tree, path)),
    ['1:1', '2:1', '3:3', '4:3', '6:5', '7:7', '7:7'],
  );
});

test('places in JSON and in flow maps count columns from 1', () => {
  const tree = treeOf('{"a": {"b": [1, {"c": 2}]}}');
  assert.deepEqual(
    ['a', 'a.b', 'a.b[1]', 'a.b[1].c'].map((path) => placeOf(tree, path)),
    ['1:2', '1:8', '1:17', '1:18'],
  );
});

test('scalars are those of YAML 1.2: yes is text, 1.3 a number, null null', () => {
  const tree = treeOf('a: yes\nb: 1.3\nc: ~\nd: true\ne: "1"\nf: 0x10\ng: .inf\nh: 2026-01-01\n');
  assert.deepEqual(tree.value, { a: 'yes', b: 1.3, c: null, d: true, e: '1', f: 16, g: 'Infinity', h: '2026-01-01' });
});

test('a value from the environment remembers how it was written; another does not', () => {
  const tree = treeOf('a: x${V}\nb: plain\nc: $${V}\n', { V: '1' });
  assert.deepEqual(tree.value, { a: 'x1', b: 'plain', c: '${V}' });
  assert.deepEqual([tree.places.get('a')?.written, tree.places.get('b')?.written], ['x${V}', undefined]);
});

test('keys are not expanded, and what a variable holds is no YAML', () => {
  const tree = treeOf('"${V}": "${V}"\n', { V: '{a: 1}' });
  assert.deepEqual(tree.value, { '${V}': '{a: 1}' });
});

test('what cannot be expanded is a mistake with its place, and the rest is read', () => {
  const tree = treeOf('a: 1\nb: ${NO}\nc: 2\n');
  assert.deepEqual(tree.value, { a: 1, b: null, c: 2 });
  assert.deepEqual(tree.mistakes, [
    { path: 'b', expected: 'the environment variable NO to be set', found: '${NO}', line: 2, column: 1 },
  ]);
});

test('an alias is the value of its anchor; each use has its own place', () => {
  const tree = treeOf('a: &x {k: 1}\nb: *x\n');
  assert.deepEqual(tree.value, { a: { k: 1 }, b: { k: 1 } });
  assert.equal(placeOf(tree, 'b'), '2:1');
});

test('an empty file is null, and so is one with comments only', () => {
  assert.deepEqual([treeOf('').value, treeOf('# x\n\n').value], [null, null]);
});
