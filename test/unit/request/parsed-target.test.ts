import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { MAX_PARAMETER_NAMES } from '../../../src/core/request/form-parameters.ts';
import { parsedPath, parsedQuery } from '../../../src/core/request/parsed-target.ts';
import { percentDecode } from '../../../src/core/request/percent.ts';

describe('OPA-Envoy parsed_path', () => {
  const cases: readonly [string, readonly string[]][] = [
    ['/', ['']],
    ['/a', ['a']],
    ['/a/b', ['a', 'b']],
    ['/a/b/', ['a', 'b', '']],
    ['/a/b?c/d', ['a', 'b']],
    ['/?a', ['']],
    ['//a//b', ['a', '', 'b']],
    ['///', ['']],
    ['/a%2Fb', ['a', 'b']],
    ['/%2F%2Fa', ['a']],
    ['/a%20b/caf%C3%A9', ['a b', 'café']],
    ['/a%252Fb', ['a%2Fb']],
    ['/a+b', ['a+b']],
    ['/a;v=1/b', ['a;v=1', 'b']],
    ['/what%3Fnot', ['what?not']],
    ['/__proto__/constructor', ['__proto__', 'constructor']],
    ['*', ['*']],
    ['', ['']],
  ];
  for (const [path, segments] of cases) test(path, () => assert.deepEqual(parsedPath(path), segments));

  test('is total: what a canonical path never holds is taken as it is', () => {
    assert.deepEqual(parsedPath('/a%zz/b'), ['a%zz', 'b']);
    assert.deepEqual(parsedPath('/a%ff'), ['a\ufffd']);
  });
});

/** A copy of the result. */
function query(text: string | undefined): Record<string, readonly string[]> {
  const result = parsedQuery(text);
  assert.ok(result.ok, result.ok ? '' : result.error.detail);
  return { ...result.value };
}

function malformed(text: string): void {
  const result = parsedQuery(text);
  assert.ok(!result.ok, 'accepted');
  assert.equal(result.error.code, 'query_malformed');
}

describe('OPA-Envoy parsed_query: Go url.ParseQuery', () => {
  const cases: readonly [string | undefined, Record<string, readonly string[]>][] = [
    [undefined, {}],
    ['', {}],
    ['a', { a: [''] }],
    ['a=', { a: [''] }],
    ['=a', { '': ['a'] }],
    ['=', { '': [''] }],
    ['a=1&b=2', { a: ['1'], b: ['2'] }],
    ['a=1&b=2&a=3', { a: ['1', '3'], b: ['2'] }],
    ['&&a=1&', { a: ['1'] }],
    ['a=b=c', { a: ['b=c'] }],
    ['a+b=c+d', { 'a b': ['c d'] }],
    ['a%2Bb=%26%3D', { 'a+b': ['&='] }],
    ['a%3D=1', { 'a=': ['1'] }],
    ['caf%C3%A9=%F0%9F%94%91', { café: ['🔑'] }],
    ['a=%3B', { a: [';'] }],
    ['a=%252F', { a: ['%2F'] }],
    ['a=%00', { a: ['\0'] }],
    ['a=?/:@', { a: ['?/:@'] }],
  ];
  for (const [text, values] of cases) test(JSON.stringify(text), () => assert.deepEqual(query(text), values));

  for (const text of [
    'a;b',
    'a=1;b=2',
    ';',
    'a=1&;',
    'a=%',
    'a=%1',
    '%zz',
    '%=1',
    'a=1&b=%2',
    'a=%%',
    'a=%e9%',
    'a=%ff%zz',
  ]) {
    test(`${text} is an error`, () => malformed(text));
  }

  test('octets that are no UTF-8 become U+FFFD', () => {
    assert.deepEqual(query('a=%ff&b=x%c3&c=caf%e9+%41'), { a: ['\ufffd'], b: ['x\ufffd'], c: ['caf\ufffd A'] });
    assert.deepEqual(
      query('a=%ed%a0%80')['a']?.every((value) => value.isWellFormed()),
      true,
    );
  });

  test('names of Object.prototype are names like any other', () => {
    const values = query('__proto__=1&constructor=2&toString=3&__proto__=4&hasOwnProperty=5');
    assert.deepEqual(Object.entries(values), [
      ['__proto__', ['1', '4']],
      ['constructor', ['2']],
      ['toString', ['3']],
      ['hasOwnProperty', ['5']],
    ]);
    assert.equal(JSON.stringify(parsedQuery('__proto__=1')), '{"ok":true,"value":{"__proto__":["1"]}}');
    assert.equal(({} as Record<string, unknown>)['1'], undefined);
  });

  test('names are bounded; values of one name are not more than the text holds', () => {
    const names = Array.from({ length: MAX_PARAMETER_NAMES }, (_, index) => `n${index}`).join('&');
    assert.equal(Object.keys(query(names)).length, MAX_PARAMETER_NAMES);
    malformed(`${names}&one-more`);
    assert.equal(query('a&'.repeat(4000))['a']?.length, 4000);
  });
});

describe('percent-decoding', () => {
  test('property: undoes encodeURIComponent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) =>
        assert.equal(percentDecode(encodeURIComponent(text)), text),
      ),
    );
  });

  test('property: decodes every octet once, or says that an escape is broken', () => {
    const pieces = fc.array(fc.constantFrom('%', '%4', '%41', '%25', '%c3', '%A9', '%ff', 'a', '%zz', '2', 'é'));
    fc.assert(
      fc.property(pieces, (parts) => {
        const text = parts.join('');
        const broken = /%(?![0-9A-Fa-f]{2})/.test(text);
        const decoded = percentDecode(text);
        assert.equal(decoded === undefined, broken);
        if (decoded === undefined) return;
        const octets = Buffer.concat(
          text
            .split(/(%[0-9A-Fa-f]{2})/)
            .map((part) => (part.startsWith('%') ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part))),
        );
        assert.equal(decoded, new TextDecoder('utf-8', { ignoreBOM: true }).decode(octets));
      }),
    );
  });
});

test('property: parsed_query agrees with URLSearchParams wherever both read the query', () => {
  const pieces = fc.array(fc.constantFrom('a', 'b', '=', '&', '+', '%20', '%C3%A9', '%26', '1', '__proto__'), {
    maxLength: 14,
  });
  fc.assert(
    fc.property(pieces, (parts) => {
      const text = parts.join('');
      const values = query(text);
      const other = new URLSearchParams(text);
      for (const name of new Set(other.keys())) assert.deepEqual(values[name], other.getAll(name));
      assert.deepEqual(new Set(Object.keys(values)), new Set(other.keys()));
    }),
  );
});
