import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseUniqueJson } from '../../../src/core/identity/unique-json.ts';

function valueOf(text: string, maxDepth = 8): unknown {
  const parsed = parseUniqueJson(text, maxDepth);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

function flawOf(text: string, maxDepth = 8): string {
  const parsed = parseUniqueJson(text, maxDepth);
  assert.ok(!parsed.ok, text);
  return parsed.error;
}

test('RFC 8259: values are read as they are', () => {
  assert.deepEqual(valueOf(' {"a": [true, null, "x\\"y", {"b": -1.5e3}], "": {}} '), {
    a: [true, null, 'x"y', { b: -1500 }],
    '': {},
  });
});

test('RFC 8259 4: a key that stands twice in one object is refused, however it is written', () => {
  for (const text of [
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"x":[{"b":{},"c":[],"b":0}]}',
    '{"a" : {"a":1}, "a"\n:2}',
    '{"__proto__":1,"__proto__":2}',
    '{"a\\"b":1,"a\\u0022b":2}',
  ]) {
    assert.equal(flawOf(text), 'a key stands twice in one object', text);
  }
});

test('keys of different objects and strings that look like keys are let pass', () => {
  assert.deepEqual(valueOf('[{"a":1},{"a":2},"a","a",":",{"b":{"a":"a:a"},"a":":"}]'), [
    { a: 1n },
    { a: 2n },
    'a',
    'a',
    ':',
    { b: { a: 'a:a' }, a: ':' },
  ]);
});

test('nesting is bounded before anything is parsed', () => {
  assert.deepEqual(valueOf('[[[]]]', 3), [[[]]]);
  assert.equal(flawOf('[[[]]]', 2), 'nested deeper than 2 levels');
  assert.equal(flawOf('{"a":'.repeat(500_000), 8), 'nested deeper than 8 levels');
  assert.deepEqual(valueOf('"[[[[[["', 2), '[[[[[[');
});

test('RFC 8259 6: whole numbers keep all their digits', () => {
  assert.deepEqual(valueOf('[18446744073709551615, -1, 0, 1e2, 1.0]'), [18446744073709551615n, -1n, 0n, 100, 1]);
});

test('what is no JSON is refused', () => {
  for (const text of [
    '',
    '{',
    '}',
    '{"a"}',
    '{"a":}',
    "{'a':1}",
    '[1,]',
    '"',
    '"\\',
    'nul',
    '\ufeff{}',
    '{} {}',
    '01',
  ]) {
    assert.equal(flawOf(text), 'not JSON', text);
  }
});

test('a million of escaped quotes take no longer than other text', () => {
  assert.equal(flawOf('"\\'.repeat(500_000)), 'not JSON');
  assert.equal(flawOf('":'.repeat(500_000)), 'not JSON');
});

test('property: it agrees with the parser of the platform', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      const plain = JSON.stringify(valueOf(text, 12), (_key, value: unknown) =>
        typeof value === 'bigint' ? Number(value) : value,
      );
      assert.equal(plain, JSON.stringify(JSON.parse(text)));
    }),
  );
});

test('property: any text gives a value or a reason, never a throw', () => {
  const pieces = fc.array(fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', 'a', '1', ' ', '"a"'), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(
      pieces.map((parts) => parts.join('')),
      (text) => {
        const expected = plainly(text);
        const parsed = parseUniqueJson(text, 8);
        if (parsed.ok) assert.ok(expected);
      },
    ),
    { numRuns: 2000 },
  );
});

function plainly(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
