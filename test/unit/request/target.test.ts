import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { DEFAULT_LIMITS, STRICT_PATHS } from '../../../src/core/model/limits.ts';
import { accepted, http1, http2, refusal } from '../../support/raw-head.ts';

describe('RFC 9112 3.2.1: origin-form', () => {
  const forms: readonly [string, string, string | undefined][] = [
    ['/', '/', undefined],
    ['/?', '/', ''],
    ['/a/b?x=1', '/a/b', 'x=1'],
    ['/a?b?c', '/a', 'b?c'],
    ['/a?/../b', '/a', '/../b'],
    ['/a?x=%00%2f%ff', '/a', 'x=%00%2f%ff'],
    ["/a?-._~!$&'()*+,;=:@/", '/a', "-._~!$&'()*+,;=:@/"],
  ];
  for (const [target, path, query] of forms) {
    test(target, () => {
      for (const head of [http1({ target }), http2({ ':path': target })]) {
        const request = accepted(head);
        assert.deepEqual([request.target, request.path, request.query], [target, path, query]);
      }
    });
  }
});

describe('RFC 9112 3.2: other targets are refused', () => {
  for (const target of [
    '',
    'a',
    'a/b',
    '?x',
    'example.org:443',
    'agent.example.org',
    'agent.example.org/a',
    'ftp://agent.example.org/',
  ]) {
    test(JSON.stringify(target), () => assert.equal(refusal(http1({ target })), 'target_invalid'));
  }
  for (const target of ['', 'a', 'demo.Echo/Say', '?x', 'https://agent.example.org/']) {
    test(`HTTP/2 ${JSON.stringify(target)}`, () => {
      assert.equal(refusal(http2({ ':path': target })), 'pseudo_header_invalid');
    });
  }
});

describe('RFC 9110 4.2.4, Envoy CVE-2021-32779, Istio CVE-2021-39156: a fragment is refused', () => {
  for (const target of ['/a#b', '/#', '/admin#/public', '/a?b#c', '/#/../a']) {
    test(target, () => {
      assert.equal(refusal(http1({ target })), 'target_invalid');
      assert.equal(refusal(http2({ ':path': target })), 'target_invalid');
    });
  }
});

describe('RFC 3986 3.4: raw bytes in a query', () => {
  for (const target of ['/?a^b', '/?{a}', '/?a|b', '/?tag[]=1&tag[]=2']) {
    test(`WHATWG URL: ${JSON.stringify(target)} is sent raw by common clients and passed on as it is`, () => {
      assert.equal(accepted(http1({ target })).target, target);
    });
  }
  for (const target of ['/?a b', '/?a"', '/?<a>', '/?a\\b', '/?a`b', '/?\u00e9', '/?a\0', '/?a\r\n']) {
    test(`${JSON.stringify(target)} must be percent-encoded`, () => {
      assert.equal(refusal(http1({ target })), 'target_invalid');
    });
  }
  for (const target of ['/?%', '/?a=%', '/?a=%1', '/?a=%zz', '/?%u0041']) {
    test(`${target}: a percent sign needs two hexadecimal digits`, () => {
      assert.equal(refusal(http1({ target })), 'query_malformed');
    });
  }
});

describe('RFC 9112 3.2.4: asterisk-form', () => {
  test('stands for the whole server with OPTIONS', () => {
    for (const head of [http1({ method: 'OPTIONS', target: '*' }), http2({ ':method': 'OPTIONS', ':path': '*' })]) {
      const request = accepted(head);
      assert.deepEqual([request.target, request.path, request.query], ['*', '*', undefined]);
    }
  });

  test('is refused with any other method', () => {
    assert.equal(refusal(http1({ target: '*' })), 'target_invalid');
    assert.equal(refusal(http1({ method: 'POST', target: '*' })), 'target_invalid');
    assert.equal(refusal(http2({ ':path': '*' })), 'pseudo_header_invalid');
  });
});

describe('RFC 9112 3.2.2: absolute-form', () => {
  const same: readonly [string, string][] = [
    ['https://agent.example.org/a?b', '/a?b'],
    ['https://agent.example.org', '/'],
    ['https://agent.example.org?x', '/?x'],
    ['HTTPS://Agent.Example.ORG/a', '/a'],
  ];
  for (const [target, origin] of same) {
    test(`${target} becomes ${origin}`, () => assert.equal(accepted(http1({ target })).target, origin));
  }

  const others = [
    'http://agent.example.org/a',
    'https://other.example.org/a',
    'https://agent.example.org:8443/a',
    'https://agent.example.org.evil.org/a',
    'https://agent.example.org@evil.org/',
    'https://user@agent.example.org/a',
    'https:/agent.example.org/a',
    'https:///a',
    'https://agent.example.org\\a',
    'https://agent.example.org#a',
  ];
  for (const target of others) {
    test(`${target} does not agree with Host or scheme`, () =>
      assert.equal(refusal(http1({ target })), 'target_invalid'));
  }

  test('the path inside is checked like any other', () => {
    assert.equal(refusal(http1({ target: 'https://agent.example.org/a/../b' })), 'path_ambiguous');
    assert.equal(refusal(http1({ target: 'https://agent.example.org//evil' })), 'path_ambiguous');
  });

  test('OPTIONS with an empty path could mean / or *: refused', () => {
    assert.equal(refusal(http1({ method: 'OPTIONS', target: 'https://agent.example.org' })), 'target_invalid');
    assert.equal(accepted(http1({ method: 'OPTIONS', target: 'https://agent.example.org/' })).target, '/');
  });

  test("the agent's own calls on loopback are of scheme http", () => {
    const target = 'http://agent.example.org/a';
    const request = accepted(http1({ target }), { scheme: 'http' });
    assert.deepEqual([request.scheme, request.target], ['http', '/a']);
    assert.equal(refusal(http1({ target: 'https://agent.example.org/a' }), { scheme: 'http' }), 'call_not_plain');
  });
});

describe('limits', () => {
  const limits = { ...DEFAULT_LIMITS, targetBytes: 20 };

  test('RFC 9112 3: a target longer than the limit is 414', () => {
    assert.equal(accepted(http1({ target: `/${'a'.repeat(19)}` }), { limits }).target.length, 20);
    assert.equal(refusal(http1({ target: `/${'a'.repeat(20)}` }), { limits }), 'target_too_long');
    assert.equal(refusal(http2({ ':path': `/${'a'.repeat(20)}` }), { limits }), 'target_too_long');
  });

  test('absolute-form counts as received', () => {
    assert.equal(refusal(http1({ target: 'https://agent.example.org/' }), { limits }), 'target_too_long');
  });
});

test('//host is no authority: a leading double slash is refused by default', () => {
  assert.equal(refusal(http1({ target: '//evil.example.org/..%2f' })), 'path_ambiguous');
  const tolerance = { ...STRICT_PATHS, doubleSlashes: true };
  assert.equal(accepted(http1({ target: '//evil.example.org/' }), { tolerance }).authority, 'agent.example.org');
});
