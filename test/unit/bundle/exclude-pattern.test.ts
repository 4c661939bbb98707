import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { matchesPattern } from '../../../src/core/bundle/exclude-pattern.ts';

/** Pattern, paths that match, paths that do not; as Go's documentation of `filepath.Match` has it. */
const PATTERNS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['data.json', ['data.json'], ['x/data.json', 'dataXjson', 'data.json2', '']],
  ['*', ['a', 'a.rego', ''], ['x/a']],
  ['*.rego', ['a.rego', '.rego'], ['x/a.rego', 'a.regoo']],
  ['x/*/data.json', ['x/y/data.json'], ['x/data.json', 'x/y/z/data.json']],
  ['a**b', ['ab', 'axxb'], ['a/b']],
  ['?.txt', ['a.txt', 'é.txt', '😀.txt'], ['.txt', 'ab.txt', '/.txt']],
  ['[a-c]x', ['ax', 'bx', 'cx'], ['dx', 'x', '-x']],
  ['[^a-c]x', ['dx', '-x'], ['ax', 'cx']],
  ['[\\]\\-]x', [']x', '-x'], ['ax']],
  ['a\\*b', ['a*b'], ['axb']],
  ['(a|b)+.$', ['(a|b)+.$'], ['a', 'ab.']],
  ['', [''], ['a']],
  ['*/b*c', ['a/bc', '/bxc', 'a/bcc'], ['a/x/bc', 'bc', 'a/b/c']],
  ['*a*b', ['ab', 'xaxb', 'abab'], ['a/b', 'ba', 'aba']],
  // Backtracking into every star would take hours.
  ['*a*a*a*a*b', [`${'a'.repeat(1_000)}b`], ['a'.repeat(1_000)]],
];
for (const [pattern, yes, no] of PATTERNS) {
  test(`OPA, exclude_files: ${JSON.stringify(pattern)}`, () => {
    for (const path of yes) assert.ok(matchesPattern(pattern, path), path);
    for (const path of no) assert.ok(!matchesPattern(pattern, path), path);
  });
}

for (const pattern of ['[', '[]', '[]a]', '[a', 'a\\', '[-a]', '[c-a]', '[a-]', 'x[']) {
  test(`a malformed pattern excludes nothing: ${JSON.stringify(pattern)}`, () => {
    for (const path of ['a', 'x', '[', '-', '', pattern]) assert.ok(!matchesPattern(pattern, path), path);
  });
}

test('property: a name with its special characters escaped matches itself and nothing longer; no pattern throws', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '.', '*', '?', '[', ']', '\\', '^', '-', '$', 'é', '😀') }),
      (name) => {
        const escaped = name.replaceAll(/[*?[\]\\]/g, '\\$&');
        assert.ok(matchesPattern(escaped, name));
        assert.ok(!matchesPattern(escaped, `${name}x`));
        assert.equal(typeof matchesPattern(name, 'a'), 'boolean');
      },
    ),
  );
});
