import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';
import { stringify } from 'yaml';

import { loadConfig } from '../../../src/core/config/config.ts';
import { configOf, minimal, mistakesOf } from './sample.ts';

test('aliases that multiply are stopped', () => {
  const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}]`);
  const text = ['l0: &l0 [x, x, x, x, x, x, x, x, x]', ...levels].join('\n');
  assert.ok(mistakesOf(text).some((mistake) => mistake.expected.includes('at most 100 aliases')));
});

test('an alias of what holds it is stopped', () => {
  assert.ok(mistakesOf('a: &a [*a, *a]').some((mistake) => mistake.expected.includes('aliases')));
  assert.ok(mistakesOf('a: &a {b: *a}').length > 0);
});

test('too many values are stopped, once', () => {
  const found = mistakesOf(`a: [${'1,'.repeat(120_000)}]`).filter((mistake) =>
    mistake.expected.includes('at most 100000 values'),
  );
  assert.equal(found.length, 1);
});

test('a text beyond a mebibyte is not even parsed', () => {
  const [mistake, ...others] = mistakesOf('#'.repeat(1_048_577));
  assert.deepEqual([mistake?.found, others], ['more than 1048576 characters', []]);
});

test('keys of another kind are mistakes', () => {
  for (const text of ['1: a', '[a]: b', '{a: b}: c', 'null: a', '? \n: a']) {
    assert.ok(
      mistakesOf(text).some((mistake) => mistake.found === 'a key of another kind'),
      text,
    );
  }
});

test('property: no text throws, and what is refused has at least one mistake with a place', () => {
  const structural = fc.string({
    unit: fc.constantFrom(...'[]{}:,-?&*!|>"\'%@`# \n\t'.split(''), 'identity', 'inbound', '${A}', '${'),
  });
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), structural), (text) => {
      const loaded = loadConfig(text, { A: 'a' });
      assert.equal(loaded.ok, false);
      if (!loaded.ok)
        assert.ok(loaded.error.length > 0 && loaded.error.every(({ line, column }) => line > 0 && column > 0));
    }),
    { numRuns: 500 },
  );
});

test('property: a sound file with one value replaced by anything never throws', () => {
  const keys = [
    'identity',
    'inbound',
    'outbound',
    'policy',
    'journal',
    'journalQueue',
    'labels',
    'admin',
    'log',
    'shutdown',
  ];
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.jsonValue({ maxDepth: 4 }), (key, value) => {
      const loaded = loadConfig(JSON.stringify({ ...minimal(), [key]: value }), {});
      if (!loaded.ok) assert.ok(loaded.error.every((mistake) => !mistake.expected.includes('Invalid')));
    }),
    { numRuns: 500 },
  );
});

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const port = fc.integer({ min: 1, max: 65_535 });
const dictionary = (value: fc.Arbitrary<string>, minKeys = 0) =>
  fc.dictionary(word, value, { minKeys, noNullPrototype: true });
const inbound = fc.record(
  {
    listen: fc.constant('127.0.0.1:0'),
    upstream: fc
      .tuple(fc.constantFrom('http', 'h2c', 'auto', 'tcp'), port)
      .map(([scheme, n]) => `${scheme}://127.0.0.1:${n}`),
    paths: fc.record({ encodedSlashes: fc.boolean(), doubleSlashes: fc.boolean() }, { requiredKeys: [] }),
    tls: fc.record({ minVersion: fc.constantFrom('1.2', '1.3'), resumption: fc.boolean() }, { requiredKeys: [] }),
    limits: fc.record(
      {
        connections: fc.integer({ min: 1, max: 1_000_000 }),
        headTimeout: fc.integer({ min: 100, max: 60_000 }).map((ms) => `${ms}ms`),
        bodyBytes: fc.integer({ min: 0, max: 1_000 }).map((n) => `${n}KiB`),
      },
      { requiredKeys: [] },
    ),
    contextExtensions: dictionary(fc.string().filter((text) => !text.includes('${'))),
  },
  { requiredKeys: ['listen', 'upstream'] },
);
const sound = fc.record(
  {
    identity: fc.record({
      certificate: word,
      privateKey: word,
      trustBundles: dictionary(word, 1),
      revocationLists: fc.array(word),
    }),
    inbound: fc.array(inbound, { minLength: 1, maxLength: 3 }),
    policy: fc.record({ bundle: word, mode: fc.constantFrom('enforce', 'shadow') }),
    journal: fc.array(
      fc.oneof(
        fc.constant('stdout'),
        word.map((path) => `file:${path}`),
      ),
      { minLength: 1 },
    ),
    labels: dictionary(word),
  },
  { requiredKeys: ['identity', 'inbound', 'policy'] },
);

test('property: a file means the same as YAML and as JSON, and everything written is kept', () => {
  fc.assert(
    fc.property(sound, (file) => {
      const config = configOf(stringify(file));
      assert.deepEqual(configOf(JSON.stringify(file, null, '\t')), config);
      assert.deepEqual(config.identity.trustBundles, file.identity.trustBundles);
      assert.deepEqual(config.labels, file.labels ?? {});
      for (const [index, entry] of file.inbound.entries()) {
        assert.equal(config.inbound[index]?.limits.connections, entry.limits?.connections ?? 10_000);
        assert.deepEqual(config.inbound[index]?.contextExtensions, entry.contextExtensions ?? {});
      }
    }),
    { numRuns: 150 },
  );
});
