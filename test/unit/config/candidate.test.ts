import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { configOf, minimalWith, mistakesOf } from './sample.ts';

function paths(changes: Readonly<Record<string, unknown>>): readonly string[] {
  return mistakesOf(minimalWith(changes)).map(({ path }) => path);
}

describe('policy.candidate', () => {
  test('a folder, or a server with the settings of policy.bundleServer', () => {
    assert.deepEqual(configOf(minimalWith({ 'policy/candidate': { bundle: 'next' } })).policy.candidate, {
      bundle: { kind: 'path', path: 'next' },
    });
    const served = minimalWith({
      'policy/candidate': { bundle: 'https://b.test/next', decision: 'a/b' },
      'policy/bundleServer': { token: 'abc' },
    });
    assert.deepEqual(configOf(served).policy.candidate, {
      bundle: { kind: 'http', url: 'https://b.test/next' },
      decision: 'a/b',
    });
  });

  test('without it there is none', () => assert.equal(configOf(minimalWith({})).policy.candidate, undefined));

  test('what is wrong is named', () => {
    assert.deepEqual(paths({ 'policy/candidate': {} }), ['policy.candidate.bundle']);
    assert.deepEqual(paths({ 'policy/candidate': { bundle: 'ftp://a/b' } }), ['policy.candidate.bundle']);
    assert.deepEqual(paths({ 'policy/candidate': { bundle: 'a', mode: 'shadow' } }), ['policy.candidate.mode']);
    assert.deepEqual(paths({ 'policy/candidate': { bundle: 'a', decision: 'data.x' } }), ['policy.candidate.decision']);
  });

  test('plain HTTP is refused for it too: whoever is on the way would see what is decided, and could spend our time', () => {
    assert.deepEqual(paths({ 'policy/candidate': { bundle: 'http://b.test/next' } }), ['policy.candidate.bundle']);
  });

  test('a token over plain HTTP is refused once, wherever it would go', () => {
    const changes = {
      'policy/bundle': 'https://b.test/now',
      'policy/candidate': { bundle: 'http://b.test/next' },
      'policy/bundleServer': { token: 'abc' },
    };
    assert.deepEqual([...paths(changes)].sort(), ['policy.bundleServer.token', 'policy.candidate.bundle']);
  });
});
