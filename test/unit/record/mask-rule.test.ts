import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readMaskRules } from '../../../src/core/record/mask-rule.ts';

const unsound: readonly (readonly [string, unknown, RegExp])[] = [
  ['an object', { '/input/a': true }, /not a set/],
  ['a string', '/input/a', /not a set/],
  ['null', null, /not a set/],
  ['a number among the rules', [7], /rule 0: neither/],
  ['an array among the rules', ['/input', []], /rule 1: neither/],
  ['an empty pointer', [''], /slash/],
  ['a pointer without slash', ['input/a'], /slash/],
  ['a pointer elsewhere', ['/decision_id'], /only \/input/],
  ['a pointer to our own part', ['/sallyport/peer'], /only \/input/],
  ['a pointer to a namesake', ['/inputs'], /only \/input/],
  ['an unknown op', [{ op: 'replace', path: '/input/a', value: 1 }], /op is neither/],
  ['a missing op', [{ path: '/input/a' }], /op is neither/],
  ['a missing path', [{ op: 'remove' }], /path is no string/],
  ['a bad percent-escape', ['/input/%zz'], /percent/],
  ['a cut percent-escape', ['/input/a%4'], /percent/],
  ['a path too deep', [`/input${'/a'.repeat(65)}`], /too deep/],
  ['a path too long', [`/input/${'a'.repeat(1_024)}`], /too long/],
  ['too many rules', Array.from({ length: 1_001 }, () => '/input/a'), /more than 1000/],
];

for (const [what, answer, error] of unsound) {
  test(`OPA mask: ${what} makes the whole answer unsound`, () => {
    const rules = readMaskRules(answer);
    assert.ok(!rules.ok);
    assert.match(rules.error, error);
  });
}

test('OPA mask: a pointer means remove; an object says what it means', () => {
  const rules = readMaskRules([
    '/input/a/b',
    { op: 'upsert', path: '/result', value: 0 },
    { op: 'remove', path: '/nd_builtin_cache/x' },
  ]);
  assert.ok(rules.ok);
  assert.deepEqual(
    rules.value.map(({ part, pointer, op, value }) => ({ part, pointer, op, value })),
    [
      { part: 'input', pointer: '/input/a/b', op: 'remove', value: undefined },
      { part: 'result', pointer: '/result', op: 'upsert', value: 0 },
      { part: 'nd_builtin_cache', pointer: '/nd_builtin_cache/x', op: 'remove', value: null },
    ],
  );
});

test('OPA mask: an upsert without a value sets null', () => {
  const rules = readMaskRules([{ op: 'upsert', path: '/input/a' }]);
  assert.ok(rules.ok);
  assert.equal(rules.value[0]?.value, null);
});

test('OPA mask: the listed pointer is escaped as Go’s url.PathEscape does', () => {
  const rules = readMaskRules(["/input/credit card/a%20b/:path/x@y=z&$+/(a)!*'/ü;,?"]);
  assert.ok(rules.ok);
  assert.equal(rules.value[0]?.pointer, '/input/credit%20card/a%2520b/:path/x@y=z&$+/%28a%29%21%2A%27/%C3%BC%3B%2C%3F');
});

test('a step is looked for as OPA escapes it, as written, unescaped, and by RFC 6901', () => {
  const rules = readMaskRules(['/input/a%2Fb~1c']);
  assert.ok(rules.ok);
  assert.deepEqual(rules.value[0]?.path, [{ names: ['a%252Fb~1c', 'a%2Fb~1c', 'a/b~1c', 'a%2Fb/c'] }]);
});

test('an escape that is no UTF-8 is a name as it stands', () => {
  const rules = readMaskRules(['/input/%ff']);
  assert.ok(rules.ok);
  assert.deepEqual(rules.value[0]?.path[0]?.names[2], '%ff');
});
