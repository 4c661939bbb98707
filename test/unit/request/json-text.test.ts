import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { MAX_JSON_DEPTH, MAX_JSON_KEYS, readJson } from '../../../src/core/request/json-text.ts';

function value(text: string): unknown {
  const read = readJson(text);
  assert.ok('value' in read, 'refused' in read ? read.refused : '');
  return read.value;
}

function refused(text: string): string {
  const read = readJson(text);
  assert.ok('refused' in read, `accepted ${text.slice(0, 80)}`);
  return read.refused;
}

describe('RFC 8259: any value', () => {
  for (const text of [
    'null',
    'true',
    'false',
    '0',
    '-1.5e-3',
    '""',
    '"a"',
    '[]',
    '{}',
    ' [ 1 , { "a" : [ null ] } ] \r\n\t',
  ]) {
    test(text, () => assert.deepEqual(value(text), JSON.parse(text)));
  }

  const malformed = [
    '',
    ' ',
    '[1 2]',
    '[1,]',
    '[,1]',
    '{1:2}',
    '{[1]:2}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,}',
    '1.',
    '1e',
    '.5',
    '01',
    '-',
    '+1',
    '0x10',
    'NaN',
    'Infinity',
    'tru',
    "'a'",
    '"a',
    '"\\',
    '"\\x41"',
    '"\\u12"',
    '"\t"',
    '"a\nb"',
    '{"a":1}}',
    '{"a":1} garbage',
    '{} {}',
    ']',
    '}',
    '[}',
    '{]',
    '[1}',
    '{"a":1]',
    '// c\n1',
    '\ufeff1',
    'set()',
    '{1,2}',
    '1-2',
    '1e5e5',
  ];
  for (const text of malformed) {
    test(`${JSON.stringify(text)} is none (OPA's own parser takes some of these)`, () => {
      assert.equal(refused(text), 'not well-formed JSON');
    });
  }
});

describe('equal keys: readers take the first or the last', () => {
  const cases = [
    '{"a":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    '{"a":1,"\\u0061":2}',
    '{"\\u0061":1,"a":2}',
    '{"":1,"":2}',
    '[{"x":{"a":1,"a":2}}]',
    '{"b":{"a":1},"a":{},"b":1}',
    '{"a":[{"a":1}],"a":1}',
    '{"__proto__":1,"__proto__":2}',
    '{"method":"tools/list","method":"tools/call"}',
    '{"a/b":1,"a\\/b":2}',
    // Go's encoding/json matches keys in any case, the last one counting.
    '{"name":"echo","NAME":"admin"}',
    '{"Name":"admin","name":"echo"}',
    '{"name":"echo","\\u004eame":"admin"}',
    '{"skill":1,"s\u212aill":2}',
    '{"\u017fkill":1,"skill":2}',
  ];
  for (const text of cases) test(text, () => assert.equal(refused(text), 'two equal keys in one object'));

  test('the same key in different objects is no repetition', () => {
    const texts = [
      '[{"a":1},{"a":2}]',
      '{"a":{"a":{"a":1}}}',
      '{"a":"a","b":"a"}',
      '{"a":["a","a"],"b":{"a":1}}',
      '{"A":1,"b":2,"ß":3}',
    ];
    for (const text of texts) assert.deepEqual(value(text), JSON.parse(text));
  });
});

describe('names of Object.prototype stay data', () => {
  test('__proto__, constructor, toString', () => {
    const read = value('{"__proto__":{"admin":true},"constructor":1,"toString":2}') as Record<string, unknown>;
    assert.deepEqual(Object.keys(read), ['__proto__', 'constructor', 'toString']);
    assert.equal(read['admin'], undefined);
    assert.equal(JSON.stringify(read), '{"__proto__":{"admin":true},"constructor":1,"toString":2}');
    assert.equal(({} as Record<string, unknown>)['admin'], undefined);
  });
});

describe('lone surrogates end the evaluation of a policy', () => {
  for (const text of [
    '"\\ud800"',
    '"\\udc00"',
    '"a\\ud83dz"',
    '"\\udd11\\ud83d"',
    '{"\\ud800":1}',
    '["x",{"a":"\\uDFFF"}]',
  ]) {
    test(text, () => assert.equal(refused(text), 'a lone surrogate'));
  }
  test('pairs and escapes of all kinds are text', () => {
    assert.equal(value('"\\ud83d\\udd11 \\"\\\\\\/\\b\\f\\n\\r\\t\\u0000"'), '🔑 "\\/\b\f\n\r\t\0');
    assert.equal(value('"\\\\ud800"'), '\\ud800');
  });
});

describe('depth', () => {
  test(`${MAX_JSON_DEPTH} levels are read, one more is refused`, () => {
    const depth = MAX_JSON_DEPTH;
    assert.ok(value('['.repeat(depth) + ']'.repeat(depth)));
    assert.equal(refused('['.repeat(depth + 1) + ']'.repeat(depth + 1)), `more than ${depth} levels`);
    assert.ok(value('{"a":'.repeat(depth) + '1' + '}'.repeat(depth)));
    assert.equal(refused('{"a":'.repeat(depth + 1) + '1' + '}'.repeat(depth + 1)), `more than ${depth} levels`);
  });
  test('Envoy CVE-2026-48042: a megabyte of brackets is refused at the first too many', () => {
    assert.equal(refused('['.repeat(1_000_000)), `more than ${MAX_JSON_DEPTH} levels`);
    assert.equal(refused('[{"a":'.repeat(200_000)), `more than ${MAX_JSON_DEPTH} levels`);
  });
  test('breadth is not depth', () => assert.ok(value(`[${'[],'.repeat(5000)}[]]`)));
});

function keys(count: number): string {
  return Array.from({ length: count }, (_, index) => `"k${index}":0`).join();
}

describe('keys of one object are bounded: the evaluator hashes them without a seed', () => {
  test('the bound', () => {
    assert.ok(value(`{${keys(MAX_JSON_KEYS)}}`));
    assert.equal(refused(`{${keys(MAX_JSON_KEYS + 1)}}`), `more than ${MAX_JSON_KEYS} keys in one object`);
    assert.ok(value(`[${Array.from({ length: 5 }, () => `{${keys(MAX_JSON_KEYS)}}`).join()}]`));
  });
});

describe('numbers: policy and agent must read the same one', () => {
  const same = [
    '0',
    '-0',
    '0.0',
    '0e5',
    '0.000e-999',
    '1',
    '-1',
    '1.0',
    '0.1',
    '0.30000000000000004',
    '0.10000000000000001',
    '3.141592653589793238',
    '1e2',
    '1E+2',
    '1e-7',
    '9007199254740991',
    '-9007199254740991',
    '9007199254740992',
    '9007199254740992.0',
    '9.007199254740992e15',
    '1e21',
    '1e22',
    '100000000000000000000',
    '1.7976931348623157e308',
    '5e-324',
    '1000000000000000000000000000000',
  ];
  for (const text of same) test(`${text} is read`, () => assert.equal(value(text), Number(text)));

  const different = [
    '9007199254740993',
    '-9007199254740993',
    '9007199254740993.0',
    '9007199254740993e0',
    '90071992547409930e-1',
    '9.007199254740993e15',
    '1234567890123456789',
    '18446744073709551615',
    '9223372036854775807',
    '123456789012345678901234567890',
    '1152921504606846976',
    '9007199254740991.5',
    '1e309',
    '-1e309',
    '1e400',
    '1e999999999',
    '2e308',
    '1e-400',
    '-1e-400',
    '0.1e-400',
    '4e-999999999',
    '9'.repeat(400),
    '9'.repeat(60_000),
  ];
  for (const text of different) {
    test(`${text.slice(0, 40)} would become ${Number(text)}`, () => {
      assert.equal(refused(text), 'a number that a double cannot hold');
      assert.equal(refused(`{"a":[${text}]}`), 'a number that a double cannot hold');
    });
  }
});

/** JSON values whose numbers survive. */
const jsonValues = fc.jsonValue({ maxDepth: 6 });

test('property: what JSON.stringify wrote is read back as JSON.parse reads it', () => {
  fc.assert(
    fc.property(jsonValues, (original) => {
      const text = JSON.stringify(original);
      const read = readJson(text);
      if ('refused' in read) assert.match(read.refused, /surrogate/);
      else assert.deepEqual(read.value, JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test('property: accepts nothing that JSON.parse refuses, never throws, and finds every repeated key', () => {
  const pieces = fc.array(
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"a"',
      '"b"',
      '"\\u0061"',
      '1',
      '-',
      'e',
      '.',
      'null',
      ' ',
      '"',
      '\\',
    ),
    { maxLength: 14 },
  );
  fc.assert(
    fc.property(pieces, (parts) => {
      const text = parts.join('');
      const read = readJson(text);
      if ('refused' in read) return;
      assert.deepEqual(read.value, JSON.parse(text));
      // As many keys were written as are there: none was overwritten.
      const written = text.match(/"(?:a|b|\\u0061)"\s*:/g)?.length ?? 0;
      assert.equal(countKeys(read.value), written);
    }),
    { numRuns: 5000 },
  );
});

function countKeys(read: unknown): number {
  if (typeof read !== 'object' || read === null) return 0;
  const own = Array.isArray(read) ? 0 : Object.keys(read).length;
  return Object.values(read).reduce((sum: number, each) => sum + countKeys(each), own);
}
