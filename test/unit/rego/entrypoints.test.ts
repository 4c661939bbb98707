import assert from 'node:assert/strict';
import { test } from 'node:test';

import { entrypointExists, unknownEntrypoint } from '../../../src/io/rego/entrypoints.ts';

import type { ModuleFacts } from '../../../src/io/rego/entrypoints.ts';

function module(file: string, name: string, ...rules: readonly string[]): ModuleFacts {
  return { file, package: name, row: 2, rules: rules.map((path, at) => ({ path, row: at + 4, col: 1 })) };
}

const modules = [module('a.rego', 'a', 'a/allow', 'a/allow', 'a/t/deep'), module('ab.rego', 'a/b', 'a/b/mask')];
const files = { 'a.rego': '# title\npackage a\n', 'ab.rego': '# title\npackage a.b\n' };

test('a rule, a package with rules and a part of a rule exist', () => {
  for (const name of ['a/allow', 'a', 'a/b', 'a/b/mask', 'a/t', 'a/allow/part']) {
    assert.ok(entrypointExists(name, modules), name);
  }
});

test('a name that only begins like an existing one does not exist', () => {
  for (const name of ['a/allo', 'a/allowed', 'b', 'a/bb', 'mask']) assert.ok(!entrypointExists(name, modules), name);
});

test('a package without rules does not exist', () => {
  assert.ok(!entrypointExists('e', [module('e.rego', 'e')]));
});

test('an unknown entrypoint is placed at the package that comes nearest to it', () => {
  assert.deepEqual(unknownEntrypoint('a/b/drop', modules, files), {
    code: 'rego_unknown_entrypoint',
    message: 'no rule or package is at entrypoint "a/b/drop"; the files define a/b/mask, a/allow, a/t/deep',
    file: 'ab.rego',
    row: 2,
    col: 1,
    line: 'package a.b',
  });
});

test('where no package is near there is no place', () => {
  const found = unknownEntrypoint('z/y', modules, files);
  assert.deepEqual(Object.keys(found), ['code', 'message']);
});

test('long lists are cut and the rest is counted', () => {
  const many = Array.from({ length: 20 }, (_, at) => `m/r${at}`);
  const { message } = unknownEntrypoint('z', [module('m.rego', 'm', ...many)], {});
  assert.match(message, /define m\/r0, .*m\/r5 and 14 more$/);
});

test('no rules at all is said so', () => {
  assert.match(unknownEntrypoint('z', [], {}).message, /the files define no rules$/);
});
