import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { destinationsByName, type FindDestination } from '../../../src/core/gate/destinations.ts';
import { destinationTo } from '../../support/destination.ts';

function finder(...names: readonly string[]): FindDestination {
  const found = destinationsByName(names.map((name) => destinationTo(name)));
  return found.ok ? found.value : assert.fail(found.error.join());
}

function problemsOf(...names: readonly string[]): readonly string[] {
  const found = destinationsByName(names.map((name) => destinationTo(name)));
  return found.ok ? [] : found.error;
}

describe('which destination an authority is', () => {
  const find = finder(
    'tools.internal',
    'tools.internal:9000',
    'db.internal:80',
    '*.internal',
    '*.eu.internal:8080',
    '*.eu.internal',
    '10.0.0.7:8443',
    '[::1]',
    'localhost',
  );
  const table: readonly (readonly [string, string | undefined, string])[] = [
    ['tools.internal', 'tools.internal', 'the host'],
    ['TOOLS.Internal', 'tools.internal', 'in any case'],
    ['tools.internal:80', 'tools.internal', 'a host without port stands for every port'],
    ['tools.internal:1', 'tools.internal', 'a host without port stands for every port'],
    ['tools.internal:9000', 'tools.internal:9000', 'the port is more exact'],
    ['tools.internal:90000', 'tools.internal', 'a longer port is another one'],
    ['db.internal', 'db.internal:80', 'RFC 9110 4.2.1: no port means 80'],
    ['db.internal:80', 'db.internal:80', 'the port itself'],
    ['db.internal:81', '*.internal', 'another port: only the suffix is left'],
    ['a.internal', '*.internal', 'a suffix'],
    ['a.b.internal:7', '*.internal', 'a suffix at any depth'],
    ['a.eu.internal', '*.eu.internal', 'the longest suffix'],
    ['a.eu.internal:8080', '*.eu.internal:8080', 'of equal suffixes that with the port'],
    ['eu.internal', '*.internal', 'a suffix does not stand for itself'],
    ['internal', undefined, 'a suffix does not stand for itself'],
    ['xinternal', undefined, 'a suffix begins at a label'],
    ['tools.internal.evil.example', undefined, 'a name within another'],
    ['10.0.0.7:8443', '10.0.0.7:8443', 'an address'],
    ['10.0.0.7', undefined, 'an address at another port'],
    ['[::1]', '[::1]', 'an IPv6 address'],
    ['[::1]:81', '[::1]', 'an IPv6 address at any port'],
    ['[0::1]', undefined, 'an address is the text it is'],
    ['localhost:3000', 'localhost', 'one label'],
    ['', undefined, 'nothing'],
    ['*.internal', '*.internal', 'what no canonical authority is'],
  ];
  for (const [authority, name, title] of table) {
    test(`${JSON.stringify(authority)} is ${name ?? 'none'}: ${title}`, () =>
      assert.equal(find(authority)?.name, name));
  }

  test('names are of any case, and given as configured', () => {
    assert.equal(finder('Tools.Internal')('tools.internal')?.name, 'Tools.Internal');
    assert.equal(finder('*.Internal')('a.internal')?.name, '*.Internal');
  });

  test('promise 8: a name of a hundred labels costs a hundred look-ups', () => {
    const deep = `${'a.'.repeat(120)}internal`;
    assert.equal(finder('*.internal')(deep)?.name, '*.internal');
    assert.equal(finder('*.other')(deep), undefined);
  });
});

describe('names that are none', () => {
  for (const name of ['', '*', '*.', '*a.internal', 'a.*.internal', '**.internal', '*.*.internal', 'a/b', 'a b'])
    test(JSON.stringify(name), () =>
      assert.deepEqual(problemsOf(name), [`destination ${JSON.stringify(name)} is no host, host:port or *.suffix`]),
    );
  for (const name of ['a.internal.', 'a..b', 'http://a', 'user@a', 'a:0', 'a:65536', 'a:', 'a:080', '::1', '[::1'])
    test(JSON.stringify(name), () => assert.equal(problemsOf(name).length, 1));
  for (const name of ['*.0.0.7', '*.7', '*.7:80', '*.[::1]'])
    test(`${name} is a suffix of an address`, () => {
      const [problem] = problemsOf(name);
      assert.match(problem ?? '', /suffix of an address/);
    });

  test('two names that are one, whatever the case; all mistakes at once', () => {
    assert.deepEqual(problemsOf('a.internal', 'b', 'A.internal', 'b', '*'), [
      'destination "A.internal" is there twice',
      'destination "b" is there twice',
      'destination "*" is no host, host:port or *.suffix',
    ]);
  });
});

/** What of a name is fixed: how exact it is, the greater the more. Undefined where the authority is another one. */
function exactness(name: string, authority: string): number | undefined {
  const [host = '', port = '80'] = authority.split(':');
  const [pattern = '', wanted] = name.split(':');
  if (wanted !== undefined && wanted !== port) return undefined;
  const withPort = wanted === undefined ? 0 : 1;
  if (!pattern.startsWith('*.')) return pattern === host ? 1_000 + withPort : undefined;
  const labels = host.split('.');
  const suffix = pattern.slice(2).split('.');
  if (labels.length <= suffix.length) return undefined;
  return labels.slice(-suffix.length).join('.') === suffix.join('.') ? 2 * suffix.length + withPort : undefined;
}

const label = fc.constantFrom('a', 'b', 'aa', 'a-b');
const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const port = fc.constantFrom('', ':80', ':81', ':8');
const authority = fc.tuple(host, port).map((parts) => parts.join(''));
const name = fc.tuple(fc.constantFrom('', '*.'), authority).map((parts) => parts.join(''));

test('property: the most exact name that fits is found, as by trying them all', () => {
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 12 }), authority, (names, asked) => {
      const fits = names.flatMap((each) => {
        const exact = exactness(each, asked);
        return exact === undefined ? [] : [{ each, exact }];
      });
      const best = fits.toSorted((a, b) => b.exact - a.exact)[0];
      assert.equal(finder(...names)(asked)?.name, best?.each);
    }),
    { numRuns: 3_000 },
  );
});

test('property: any text is looked up without a throw', () => {
  const find = finder('a', '*.b', '[::1]:8', '10.0.0.1');
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void find(text)));
});
