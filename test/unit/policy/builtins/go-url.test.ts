import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { escapedPath, parseUrl, urlText } from '../../../../src/core/policy/builtins/go-url.ts';
import type { GoUrl } from '../../../../src/core/policy/builtins/go-url.ts';
import { within } from '../../../support/within.ts';

function parsed(text: string): GoUrl | undefined {
  try {
    return parseUrl(text);
  } catch (problem) {
    assert.ok(problem instanceof BuiltinError);
    return undefined;
  }
}

describe('Go net/url, Parse: the parts of a URL', () => {
  const EMPTY: GoUrl = {
    scheme: '',
    opaque: '',
    user: undefined,
    host: '',
    path: '',
    rawPath: '',
    omitHost: false,
    forceQuery: false,
    rawQuery: '',
    fragment: '',
    rawFragment: '',
  };
  const cases: readonly (readonly [string, Partial<GoUrl>])[] = [
    ['', {}],
    ['*', { path: '*' }],
    ['a', { path: 'a' }],
    ['/a/b', { path: '/a/b' }],
    ['HTTP://h', { scheme: 'http', host: 'h' }],
    ['http://h:80/p', { scheme: 'http', host: 'h:80', path: '/p' }],
    ['http://h:/', { scheme: 'http', host: 'h:', path: '/' }],
    ['//h/p', { host: 'h', path: '/p' }],
    ['///p', { path: '///p' }],
    ['file:///p', { scheme: 'file', path: '/p' }],
    ['a:/p', { scheme: 'a', path: '/p', omitHost: true }],
    ['urn:x:y', { scheme: 'urn', opaque: 'x:y' }],
    ['mailto:a@b', { scheme: 'mailto', opaque: 'a@b' }],
    ['http://h?', { scheme: 'http', host: 'h', forceQuery: true }],
    ['http://h?a=b?c', { scheme: 'http', host: 'h', rawQuery: 'a=b?c' }],
    ['http://h#f', { scheme: 'http', host: 'h', fragment: 'f' }],
    ['http://h#a%20b', { scheme: 'http', host: 'h', fragment: 'a b' }],
    ['http://h#a/%2f', { scheme: 'http', host: 'h', fragment: 'a//', rawFragment: 'a/%2f' }],
    ['http://h/a%20b', { scheme: 'http', host: 'h', path: '/a b' }],
    ['http://h/a%2fb', { scheme: 'http', host: 'h', path: '/a/b', rawPath: '/a%2fb' }],
    ['http://u@h', { scheme: 'http', host: 'h', user: { name: 'u', password: undefined } }],
    ['http://u:p%40@h', { scheme: 'http', host: 'h', user: { name: 'u', password: 'p@' } }],
    ['http://u:@h', { scheme: 'http', host: 'h', user: { name: 'u', password: '' } }],
    ['http://a@b@h', { scheme: 'http', host: 'h', user: { name: 'a@b', password: undefined } }],
    ['http://[::1]:80/', { scheme: 'http', host: '[::1]:80', path: '/' }],
    ['http://[fe80::1%25en0]/', { scheme: 'http', host: '[fe80::1%en0]', path: '/' }],
    ['http://[fe80::1%25a%20b]/', { scheme: 'http', host: '[fe80::1%a b]', path: '/' }],
    ['http://h%c3%a9/', { scheme: 'http', host: 'h\u00e9', path: '/' }],
    ['http://h/\u00e9', { scheme: 'http', host: 'h', path: '/\u00e9', rawPath: '/\u00e9' }],
    ['other://h:1:2', { scheme: 'other', host: 'h:1:2' }],
  ];
  for (const [text, want] of cases) test(text, () => assert.deepEqual(parsed(text), { ...EMPTY, ...want }));
});

describe('Go net/url, Parse: what is no URL', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['a control character', 'http://h/\u0001'],
    ['a deleted character', 'http://h/\u007f'],
    ['no scheme', ':a'],
    ['a colon in the first segment', 'a b:c'],
    ['an escape that is none', '/%zz'],
    ['half an escape', '/%a'],
    ['a percent sign at the end', '/%'],
    ['an escape in the fragment', '/#%g0'],
    ['a port with letters', 'http://h:a'],
    ['two ports', 'http://h:1:2'],
    ['a port behind an address', 'http://[::1]a'],
    ['an address that does not end', 'http://[::1'],
    ['an address within a host', 'http://a[::1]'],
    ['a bracket within a host', 'http://a[b]/'],
    ['text with a colon in brackets', 'http://[a:b]/'],
    ['IPv4 in brackets', 'http://[1.2.3.4]'],
    ['no address in brackets', 'http://[x]'],
    ['a zone without a name', 'http://[fe80::1%25]'],
    ['an escaped letter in the host', 'http://%61'],
    ['an escape of a zone that hosts do not have', 'http://[fe80::1%25%7b]/'],
    ['a space in the host', 'http://a b/'],
    ['a backslash in the host', 'http://a\\b/'],
    ['a space in the user', 'http://a b@h/'],
    ['an escape in the user', 'http://%zz@h/'],
  ];
  for (const [title, text] of cases) test(title, () => assert.equal(parsed(text), undefined));

  test('the text of the URL is in no error', () => {
    for (const [, text] of cases) {
      const marked = text.replace(/[a-z]$/, 'SECRET');
      try {
        parseUrl(marked);
      } catch (problem) {
        assert.doesNotMatch(String(problem), /SECRET/);
      }
    }
  });
});

describe('Go net/url, String and EscapedPath: a URL put together again', () => {
  const same = [
    'http://u:p@h:80/a%2fb?q=1#f%2F',
    'urn:x:y',
    '//h/p',
    '/a?',
    'a:/p',
    'file:///p',
    '*',
    'http://[fe80::1%25en0]/',
    'http://h/(a)',
  ];
  for (const text of same) test(text, () => assert.equal(urlText(parseUrl(text)), text));

  const other: readonly (readonly [string, string])[] = [
    ['HTTP://h', 'http://h'],
    ['http://h/a b', 'http://h/a%20b'],
    ['http://h/\u00e9', 'http://h/%C3%A9'],
    ['http://h/%C3%a9', 'http://h/%C3%a9'],
    ['http://h/"', 'http://h/%22'],
    ['http://h#a b', 'http://h#a%20b'],
    ['http://a%20b@h', 'http://a%20b@h'],
    ['http://h/%ff', 'http://h/%ff'],
  ];
  for (const [text, want] of other) test(`${text} is ${want}`, () => assert.equal(urlText(parseUrl(text)), want));

  test('a first segment with a colon is not taken for a scheme', () => {
    assert.equal(urlText({ ...parseUrl('a'), path: 'a:b' }), './a:b');
  });

  test('the path as it is sent', () => {
    assert.equal(escapedPath(parseUrl('http://h/a%2fb')), '/a%2fb');
    assert.equal(escapedPath(parseUrl('http://h/a b')), '/a%20b');
    assert.equal(escapedPath(parseUrl('*')), '*');
  });
});

test('what is put together is read as the same URL', () => {
  const unit = fc.constantFrom(
    'a',
    'B',
    '/',
    ':',
    '?',
    '#',
    '@',
    '%20',
    '%2f',
    '%ff',
    '[',
    ']',
    '::1',
    '.',
    '\u00e9',
    ' ',
    '&',
    ';',
    '1',
    '//',
    '*',
    "'",
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 14 }), fc.constantFrom('', 'http://h/', 'x://', 'u:'), (rest, start) => {
      const url = parsed(start + rest);
      if (url === undefined) return;
      const again = parsed(urlText(url));
      if (again === undefined) return;
      assert.deepEqual([again.scheme, again.opaque, again.rawQuery], [url.scheme, url.opaque, url.rawQuery]);
      assert.equal(urlText(again), urlText(url));
    }),
    { numRuns: 3000 },
  );
});

test('long parts take time by their length', () =>
  within(5_000, () => {
    const long = 'x'.repeat(300_000);
    for (const text of [
      `http://${long}/`,
      `http://h/${long}`,
      `http://h/${'%ff'.repeat(100_000)}`,
      `http://h#${'\u00e9'.repeat(300_000)}`,
      `http://${'a@'.repeat(150_000)}h`,
      `http://[${'1:'.repeat(150_000)}]`,
      ':'.repeat(300_000),
    ]) {
      const url = parsed(text);
      if (url !== undefined) assert.ok(urlText(url).length >= 300_000);
    }
  }));
