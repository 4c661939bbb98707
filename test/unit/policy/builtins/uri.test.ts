import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { str } from '../../../../src/core/policy/term.ts';
import type { Term } from '../../../../src/core/policy/term.ts';
import { ask, call } from '../../../support/builtin-call.ts';

/** An answer as JavaScript has it, asked with texts. */
function answer(name: string, ...texts: readonly string[]): unknown {
  return JSON.parse(ask(name, ...texts.map((text) => JSON.stringify(text))));
}

test('net/url Parse: the parts that there are', () => {
  assert.deepEqual(answer('uri.parse', 'HTTPS://user:pw@Example.org:8443/a%2Fb/c%20d?x=1&y#frag%20'), {
    scheme: 'https',
    hostname: 'Example.org',
    port: '8443',
    path: '/a/b/c d',
    raw_path: '/a%2Fb/c%20d',
    raw_query: 'x=1&y',
    fragment: 'frag ',
  });
  assert.deepEqual(answer('uri.parse', '/a%20b'), { path: '/a b', raw_path: '/a b' });
  assert.deepEqual(answer('uri.parse', 'http://[fe80::1%25en0]:80'), {
    scheme: 'http',
    hostname: 'fe80::1%en0',
    port: '80',
  });
  assert.deepEqual(answer('uri.parse', 'mailto:a@b'), { scheme: 'mailto' });
  assert.deepEqual(answer('uri.parse', 'spiffe://example.org/ns/a'), {
    scheme: 'spiffe',
    hostname: 'example.org',
    path: '/ns/a',
    raw_path: '/ns/a',
  });
  assert.deepEqual(answer('uri.parse', ''), {});
});

test('net/url Parse: what is refused is undefined, and not valid', () => {
  for (const text of [
    ':',
    ':x',
    'a b:c',
    'http://h:x',
    'http://h:1:2',
    '%zz',
    'http://h%41',
    'http://[::1',
    'http://[1.2.3.4]',
    'http://a b',
    'http://u ser@h',
    '/\u0001',
    '#%',
    'http://h\u007f',
  ]) {
    assert.throws(() => answer('uri.parse', text), BuiltinError, text);
    assert.equal(answer('uri.is_valid', text), false, text);
  }
  assert.deepEqual(
    [answer('uri.is_valid', ''), ask('uri.is_valid', 'null'), answer('uri.is_valid', '/a')],
    [false, 'false', true],
  );
});

test('a URI that can be taken apart is valid, and the other way round', () => {
  const unit = fc.constantFrom(
    'a',
    ':',
    '/',
    '@',
    '?',
    '#',
    '[',
    ']',
    '%',
    '41',
    ' ',
    '1',
    '\u00e9',
    '\u0000',
    'http://',
  );
  fc.assert(
    fc.property(fc.string({ unit, minLength: 1, maxLength: 8 }), (text) => {
      let parsed: Term | undefined;
      try {
        parsed = call('uri.parse', [str(text)]);
      } catch (problem) {
        assert.ok(problem instanceof BuiltinError);
      }
      assert.equal(answer('uri.is_valid', text), parsed !== undefined);
    }),
  );
});
