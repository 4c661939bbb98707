import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseSpiffeId } from '../../../src/core/identity/spiffe-id.ts';
import { loadLibrary } from '../../support/policy-library.ts';

const RULES = {
  parsed: 'the_spiffe.parse(input.id)',
  id_matches: 'the_spiffe.matches(input.id, input.pattern)',
  looked_up: 'the_http.lookup(input.tree, input.method, input.path)',
  path_matches: 'the_http.matches(input.path, input.pattern)',
};

const policy = await loadLibrary({}, {}, { rules: RULES });

/** What a function of the library gives: its value, or undefined. A fault fails the test. */
function asked(rule: keyof typeof RULES, input: unknown): unknown {
  const evaluation = policy.query(`t/${rule}`, input);
  assert.notEqual(evaluation.kind, 'failed', JSON.stringify(evaluation));
  return evaluation.kind === 'defined' ? evaluation.value : undefined;
}

const pieces = fc.constantFrom(
  'spiffe://',
  'SPIFFE://',
  'example.org',
  '/',
  'ns',
  'sa',
  '.',
  '..',
  '*',
  '%2f',
  '-',
  '_',
  'Ä',
  ':',
  '?',
  '@',
  'a',
  '',
);
const nearlyId = fc.oneof(
  fc.array(pieces, { maxLength: 10 }).map((parts) => `spiffe://example.org${parts.join('')}`),
  fc.array(pieces, { maxLength: 10 }).map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme-composite' }),
);

test('SPIFFE-ID 2: the library reads exactly the IDs that the gate reads, with the same parts', () => {
  fc.assert(
    fc.property(nearlyId, (id) => {
      const ours = parseSpiffeId(id);
      const expected = ours.ok
        ? { trust_domain: ours.value.trustDomain, path: ours.value.path, segments: ours.value.path.split('/').slice(1) }
        : undefined;
      assert.deepEqual(asked('parsed', { id }), expected);
    }),
    { numRuns: 500 },
  );
});

const word = fc.constantFrom('a', 'b', 'A', 'ab', '*', '**', '', '.', '..', '%2e', 'a/b');
const segments = fc.array(word, { maxLength: 5 });

/** May a wildcard stand for it? */
const plain = (segment: string): boolean => !['', '.', '..'].includes(segment) && !/[/\\%]/.test(segment);

/** The rule of patterns, as one would write it down for people. */
function fits(path: readonly string[], pattern: readonly string[]): boolean {
  const open = pattern.at(-1) === '**';
  const fixed = open ? pattern.slice(0, -1) : pattern;
  const rest = path.slice(fixed.length);
  const right = open ? rest.length > 0 && rest.every(plain) : rest.length === 0;
  return (
    right &&
    path.length >= fixed.length &&
    fixed.every((part, i) => (part === '*' ? plain(path[i] ?? '') : part !== '**' && part === path[i]))
  );
}

test('a path matches a pattern segment by segment, and by nothing that the caller sends', () => {
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 1, maxLength: 5 }),
      fc.array(
        word.filter((w) => w !== 'a/b'),
        { minLength: 1, maxLength: 5 },
      ),
      (path, pattern) => {
        const expected = fits(path, pattern) ? true : undefined;
        assert.equal(asked('path_matches', { path, pattern: `/${pattern.join('/')}` }), expected);
      },
    ),
    { numRuns: 500 },
  );
});

test('an ID matches a pattern in its own trust domain only', () => {
  const simple = fc.array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 4 });
  const domain = fc.constantFrom('example.org', 'example.com', 'example.org.evil');
  fc.assert(
    fc.property(
      domain,
      simple,
      domain,
      fc.array(fc.constantFrom('a', 'b', '*', '**'), { minLength: 1, maxLength: 4 }),
      (own, path, other, pattern) => {
        const expected = own === other && fits(path, pattern) ? true : undefined;
        const input = { id: `spiffe://${own}/${path.join('/')}`, pattern: `spiffe://${other}/${pattern.join('/')}` };
        assert.equal(asked('id_matches', input), expected);
      },
    ),
  );
});

type Tree = { [key: string]: Tree | string };

const key = fc.constantFrom('/a', '/b', '/*', '/**', '/', '/..');
const { tree } = fc.letrec<{ tree: Tree; node: Tree | string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.dictionary(fc.constantFrom('GET', 'PUT'), fc.constantFrom('x', 'y')),
    fc
      .tuple(fc.dictionary(key, tie('tree')), fc.dictionary(fc.constantFrom('GET'), fc.constantFrom('z')))
      .map(([below, here]) => ({ ...below, ...here })),
  ) as fc.Arbitrary<Tree>,
  node: tie('tree'),
}));

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null;

/** The way down of a reader: the named segment, else the star; the deepest `/**` where that leads nowhere. */
function found(root: Tree, method: string, path: readonly string[]): unknown {
  let node: Tree | string | undefined = root;
  let below: unknown = undefined;
  for (const segment of path) {
    if (!isTree(node)) break;
    const rest: unknown = node['/**'];
    if (isTree(rest) && Object.hasOwn(rest, method)) below = rest[method];
    const named: Tree | string | undefined = segment === '*' || segment === '**' ? undefined : node[`/${segment}`];
    node = named ?? (plain(segment) ? node['/*'] : undefined);
  }
  const exact: unknown = isTree(node) ? node[method] : undefined;
  return exact ?? (path.every(plain) ? below : undefined);
}

test('a look-up in a tree finds what a walk by hand finds', () => {
  fc.assert(
    fc.property(
      tree,
      fc.constantFrom('GET', 'PUT', 'get'),
      segments.filter((path) => path.length > 0),
      (root, method, path) => {
        assert.deepEqual(asked('looked_up', { tree: root, method, path }), found(root, method, path));
      },
    ),
    { numRuns: 1000 },
  );
});

test('no JSON value in any place is a fault', () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(json, json, json, (one, other, third) => {
      for (const rule of Object.keys(RULES) as (keyof typeof RULES)[]) {
        asked(rule, { id: one, pattern: other, tree: third, method: other, path: one });
      }
      const decision = policy.evaluate({ sallyport: one, attributes: other, parsed_path: third } as never);
      assert.ok(decision.kind === 'defined');
      assert.equal((decision.value as { readonly allowed: unknown }).allowed, false);
    }),
  );
});
