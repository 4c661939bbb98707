import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  REQUEST_FRAMING,
  RESPONSE_FRAMING,
  readHeaders,
  readNames,
  readQuery,
} from '../../../src/core/policy/obligation-fields.ts';

function headers(value: unknown, forbidden = REQUEST_FRAMING): readonly string[] | string {
  const fields = readHeaders(value, 'headers', forbidden);
  return fields.ok ? fields.value : fields.error.code;
}

function names(value: unknown): unknown {
  const read = readNames(value, 'request_headers_to_remove');
  return read.ok ? read.value : read.error.code;
}

function query(value: unknown): unknown {
  const read = readQuery(value);
  return read.ok ? read.value : read.error.code;
}

test('RFC 9110 5.1: a field name is a token, made lower case', () => {
  assert.deepEqual(headers({ 'X-A_b.c!': '1' }), ['x-a_b.c!', '1']);
  for (const name of [
    '',
    ' ',
    'a b',
    'a:',
    ':path',
    ':status',
    'a\r\nb',
    'a\u0000',
    '\u00e9',
    'a"',
    '(a)',
    'a,b',
    'a\t',
  ]) {
    assert.equal(headers({ [name]: 'x' }), 'policy_obligation_invalid', JSON.stringify(name));
  }
});

test('RFC 9110 5.5: a field value has no control characters, so it cannot end the field', () => {
  for (const value of ['a\r\nx-evil: 1', 'a\nb', 'a\rb', '\u0000', 'a\u0000', '\u001f', '\u007f', '\u000b']) {
    assert.equal(headers({ a: value }), 'policy_obligation_invalid', JSON.stringify(value));
    assert.equal(headers({ a: ['fine', value] }), 'policy_obligation_invalid', JSON.stringify(value));
  }
  assert.deepEqual(headers({ a: 'x\ty' }), ['a', 'x\ty']);
});

test('RFC 9110 5.5: white space around a value is no part of it', () => {
  assert.deepEqual(headers({ a: ' \t x y \t', b: '   ', c: '' }), ['a', 'x y', 'b', '', 'c', '']);
});

test('a value that is no ASCII goes out as the bytes of its UTF-8, as Go sends it', () => {
  assert.deepEqual(headers({ a: 'h\u00e9\u2603' }), ['a', 'h\u00c3\u00a9\u00e2\u0098\u0083']);
});

test('RFC 9112 6: a policy cannot set what frames a message or names its connection', () => {
  for (const name of [
    'Transfer-Encoding',
    'content-length',
    'Connection',
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'upgrade',
  ]) {
    assert.equal(headers({ [name]: 'x' }), 'policy_obligation_invalid', name);
    assert.equal(headers({ [name]: 'x' }, RESPONSE_FRAMING), 'policy_obligation_invalid', name);
  }
  for (const name of ['Host', 'expect', 'http2-settings'])
    assert.equal(headers({ [name]: 'x' }), 'policy_obligation_invalid', name);
  assert.deepEqual(headers({ host: 'x' }, RESPONSE_FRAMING), ['host', 'x']);
});

test('every field that passes can be written on one line and read back', () => {
  const fieldNames = fc.string({ unit: 'grapheme', maxLength: 6 });
  const values = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.string({ unit: fc.constantFrom(' ', '\t', '\r', '\n', 'a', '\u00e9', '\u0000') }),
  );
  fc.assert(
    fc.property(fieldNames, values, (name, value) => {
      const fields = headers({ [name]: value });
      if (typeof fields === 'string') return;
      const [written = '', text = ''] = fields;
      assert.match(written, /^[!#$%&'*+.^_`|~0-9a-z-]+$/);
      assert.match(text, /^(?:[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?)?$/);
    }),
    { numRuns: 2000 },
  );
});

test('a megabyte of spaces inside a value takes no time to speak of', () => {
  const value = `a${' '.repeat(1_000_000)}b`;
  assert.deepEqual(headers({ a: value }), ['a', value]);
});

test('names to remove: pseudo-header fields, Host and framing are passed over as Envoy does, the others must be names', () => {
  assert.deepEqual(names(['X-A', ':path', 'Host', 'Content-Length', 'transfer-encoding', 'cookie']), ['x-a', 'cookie']);
  assert.deepEqual(names(undefined), []);
  assert.equal(names(['a b']), 'policy_obligation_invalid');
  assert.equal(names(['']), 'policy_obligation_invalid');
});

test('query parameters need a name; their values are any text', () => {
  assert.deepEqual(query({ 'a&b': '=\r\n', c: ['\u2603', ''] }), ['a&b', '=\r\n', 'c', '\u2603', 'c', '']);
  assert.equal(query({ '': 'x' }), 'policy_obligation_invalid');
});
