import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { STRICT_PATHS } from '../../../src/core/model/limits.ts';
import type { PathTolerance } from '../../../src/core/model/limits.ts';
import { checkPath } from '../../../src/core/request/path.ts';

const ALL: PathTolerance = { encodedSlashes: true, doubleSlashes: true, matrixParameters: true };

function refused(path: string, tolerance: PathTolerance = STRICT_PATHS): string | undefined {
  const problem = checkPath(path, tolerance);
  if (problem !== undefined) assert.equal(problem.code, 'path_ambiguous', path);
  return problem?.detail;
}

describe('RFC 3986 3.3: plain paths pass', () => {
  const plain = [
    '/',
    '/a',
    '/a/',
    '/a/b.txt',
    '/.well-known/agent.json',
    '/..a/...',
    '/a..',
    "/!$&'()*+,=:@-._~",
    '/caf%C3%A9',
    '/caf%c3%a9',
    '/a%20b',
    '/100%25',
    '/100%25x/',
    '/what%3Fnot%23that',
    '/demo.Echo/Say',
  ];
  for (const path of plain) test(path, () => assert.equal(refused(path), undefined));
});

describe('two readers: refused whatever the listener tolerates', () => {
  const cases: readonly [string, string][] = [
    ['/../admin', 'a dot segment'],
    ['/a/../admin', 'a dot segment'],
    ['/a/..', 'a dot segment'],
    ['/./a', 'a dot segment'],
    ['/a/.', 'a dot segment'],
    ['/a/./b', 'a dot segment'],
    ['/%2e%2e/admin', 'an encoded dot'],
    ['/%2E./admin', 'an encoded dot'],
    ['/.%2e/admin', 'an encoded dot'],
    ['/file%2etxt', 'an encoded dot'],
    ['/%61dmin', 'an encoded character that needs no encoding'],
    ['/%5fa', 'an encoded character that needs no encoding'],
    ['/%7Euser', 'an encoded character that needs no encoding'],
    ['/a%00', 'an encoded control character'],
    ['/a%0a', 'an encoded control character'],
    ['/a%0D%0Ab', 'an encoded control character'],
    ['/a%1f', 'an encoded control character'],
    ['/a%7f', 'an encoded control character'],
    ['/a%', 'a percent sign without two hexadecimal digits'],
    ['/a%2', 'a percent sign without two hexadecimal digits'],
    ['/a%2g', 'a percent sign without two hexadecimal digits'],
    ['/a%g2', 'a percent sign without two hexadecimal digits'],
    ['/%u002e', 'a percent sign without two hexadecimal digits'],
    ['/%252fadmin', 'a twice-encoded octet'],
    ['/%252e%252e/admin', 'a twice-encoded octet'],
    ['/%2525', 'a twice-encoded octet'],
    ['/a\\b', 'a byte that must be percent-encoded'],
    ['/..\\admin', 'a byte that must be percent-encoded'],
    ['/a b', 'a byte that must be percent-encoded'],
    ['/a\tb', 'a byte that must be percent-encoded'],
    ['/a\0', 'a byte that must be percent-encoded'],
    ['/a"b', 'a byte that must be percent-encoded'],
    ['/a<b>', 'a byte that must be percent-encoded'],
    ['/{id}', 'a byte that must be percent-encoded'],
    ['/a|b', 'a byte that must be percent-encoded'],
    ['/a^`b', 'a byte that must be percent-encoded'],
    ['/[a]', 'a byte that must be percent-encoded'],
    ['/caf\u00e9', 'a byte that must be percent-encoded'],
    ['/\u2215admin', 'a byte that must be percent-encoded'],
    ['/%ff', 'encoded octets that are no UTF-8'],
    ['/%c3', 'encoded octets that are no UTF-8'],
    ['/%c0%af/admin', 'encoded octets that are no UTF-8'],
    ['/%e0%80%af', 'encoded octets that are no UTF-8'],
    ['/%ed%a0%80', 'encoded octets that are no UTF-8'],
  ];
  for (const [path, why] of cases) {
    test(`${JSON.stringify(path)}: ${why}`, () => {
      assert.equal(refused(path), why);
      assert.equal(refused(path, ALL), why);
    });
  }
});

describe('dot segments behind what a listener tolerates stay refused (Envoy CVE-2026-73551)', () => {
  const paths = [
    '/user/..;x/admin',
    '/user/..;/admin',
    '/user/..;x',
    '/.;a=b/c',
    '/user/..%3bx/admin',
    '/a%2f..%2fb',
    '/a%2f..',
    '/a%5c..%5cb',
    '/..%2fadmin',
    '/..%5cadmin',
    '/a/.%2Fb',
    '/a//../b',
    '/a/..;x%2fb',
    '/;x/../b',
  ];
  for (const path of paths) test(path, () => assert.equal(refused(path, ALL), 'a dot segment'));
});

describe('each tolerance relaxes its own spelling and nothing else', () => {
  const cases: readonly [keyof PathTolerance, string, string][] = [
    ['encodedSlashes', '/a%2Fb', 'an encoded slash or back-slash'],
    ['encodedSlashes', '/a%2fb', 'an encoded slash or back-slash'],
    ['encodedSlashes', '/a%5Cb', 'an encoded slash or back-slash'],
    ['encodedSlashes', '/projects/group%2Fname/issues', 'an encoded slash or back-slash'],
    ['doubleSlashes', '/a//b', 'a double slash'],
    ['doubleSlashes', '//a', 'a double slash'],
    ['doubleSlashes', '/a//', 'a double slash'],
    ['matrixParameters', '/a;v=1/b', 'a matrix parameter'],
    ['matrixParameters', '/a;v=1', 'a matrix parameter'],
    ['matrixParameters', '/a/;x', 'a matrix parameter'],
    ['matrixParameters', '/a%3Bv=1', 'a matrix parameter'],
    ['matrixParameters', '/a;x.y/..b', 'a matrix parameter'],
  ];
  for (const [tolerance, path, why] of cases) {
    test(`${path} needs ${tolerance}`, () => {
      assert.equal(refused(path), why);
      assert.equal(refused(path, { ...STRICT_PATHS, [tolerance]: true }), undefined);
      assert.equal(refused(path, { ...ALL, [tolerance]: false }), why);
    });
  }

  test('an encoded slash that makes a double slash needs both tolerances', () => {
    assert.equal(refused('/a/%2Fb', { ...STRICT_PATHS, encodedSlashes: true }), 'a double slash');
    assert.equal(refused('/a%2F%2Fb', { ...STRICT_PATHS, encodedSlashes: true }), 'a double slash');
    assert.equal(refused('/a/%2Fb', ALL), undefined);
  });

  test('a segment that is nothing but matrix parameters is a double slash to who cuts them off', () => {
    assert.equal(refused('/a/;x/b', { ...STRICT_PATHS, matrixParameters: true }), 'a double slash');
    assert.equal(refused('/a/;x/b', ALL), undefined);
  });
});

/** Path pieces that are dangerous next to each other. */
const PIECES = [
  '/',
  '//',
  '.',
  '..',
  ';',
  '%2f',
  '%5C',
  '%2e',
  '%25',
  '%3b',
  '%00',
  '%c3%a9',
  '%',
  'a',
  'b;c',
  '\\',
  ' ',
  '~',
];

/** Reads as an agent may that decodes once, treats back-slashes as slashes and cuts matrix parameters. */
function eagerSegments(path: string): readonly string[] {
  const decoded = decodeURIComponent(path).replaceAll('\\', '/');
  return decoded.split('/').map((segment) => segment.split(';')[0] ?? '');
}

test('property: what passes with every tolerance has no dot segment under the most eager reader', () => {
  const paths = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);
  let passed = 0;
  fc.assert(
    fc.property(paths, (path) => {
      if (refused(path, ALL) !== undefined) return;
      passed++;
      for (const segment of eagerSegments(path)) assert.ok(segment !== '.' && segment !== '..', path);
      assert.equal(new URL(`http://agent${path.replace(/^\/+/, '/')}`).pathname.includes('/../'), false);
    }),
    { numRuns: 3000 },
  );
  assert.ok(passed > 20, `only ${passed} paths passed`);
});

test('property: what passes by default means the same to a WHATWG URL and to a naive reader', () => {
  const paths = fc
    .array(fc.constantFrom(...PIECES, 'c', '-', '_', '=', '@', '%20', '%3F'), { maxLength: 10 })
    .map((pieces) => `/${pieces.join('')}`);
  let passed = 0;
  fc.assert(
    fc.property(paths, (path) => {
      if (refused(path) !== undefined) return;
      passed++;
      assert.equal(new URL(path, 'http://agent').pathname, path);
      assert.equal(new URL(path, 'http://agent').host, 'agent');
      const decodedBefore = decodeURIComponent(path).split('/');
      const decodedAfter = path.split('/').map((segment) => decodeURIComponent(segment));
      assert.deepEqual(decodedBefore, decodedAfter);
      assert.deepEqual(eagerSegments(path), decodedAfter);
    }),
    { numRuns: 3000 },
  );
  assert.ok(passed > 20, `only ${passed} paths passed`);
});

test('the scan is linear: a path as long as the target limit takes no special time', () => {
  const long = `/${'a;%2f'.repeat(1600)}`;
  assert.equal(refused(long, ALL), undefined);
  assert.equal(refused(`/${'../'.repeat(2700)}`, ALL), 'a dot segment');
});
