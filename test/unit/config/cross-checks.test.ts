import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { crossChecks } from '../../../src/core/config/cross-checks.ts';
import { formatPath } from '../../../src/core/config/mistake.ts';
import { listener, minimal } from './sample.ts';

function paths(root: unknown): readonly string[] {
  return crossChecks(root).map((finding) => formatPath(finding.path));
}

test('a sound file has no findings', () => assert.deepEqual(paths(minimal()), []));

test('findings do not depend on the rest of the file being sound', () => {
  const root = {
    identity: {},
    inbound: [7, null, { upstream: 'http://10.0.0.1:1', listen: 9 }],
    admin: { listen: '0.0.0.0:1' },
    policy: 'x',
    journal: { a: 1 },
  };
  assert.deepEqual(paths(root), [
    'identity.certificate',
    'identity.privateKey',
    'identity.trustBundles',
    'inbound[2].upstream',
    'admin.listen',
  ]);
});

function inbound(unsafe: unknown): unknown {
  return {
    ...minimal(),
    inbound: [{ upstream: 'tcp://db:1', unsafeUpstreamBeyondLoopback: unsafe }],
  };
}

function admin(unsafe: unknown): unknown {
  return { ...minimal(), admin: { listen: '[::]:1', unsafeBeyondLoopback: unsafe } };
}

test('the unsafe keys must be true: anything else allows nothing', () => {
  for (const unsafe of [false, 'false', 'yes', 1, null, undefined, [true]])
    assert.deepEqual(paths(inbound(unsafe)), ['inbound[0].upstream']);
  for (const safe of [true, 'true']) assert.deepEqual(paths(inbound(safe)), []);
  assert.deepEqual([paths(admin(undefined)), paths(admin(true))], [['admin.listen'], []]);
});

test('an inherited key is no key', () => {
  const root = Object.create({ outbound: [{}] }) as object;
  assert.deepEqual(paths(Object.assign(root, minimal())), []);
});

test('a collision is told at the later listener, once, whichever kind it is', () => {
  const root = {
    ...minimal(),
    inbound: ['127.0.0.1:5', '127.0.0.1:5', '[::1]:5', '[::]:5', '127.0.0.1:6'].map(listener),
    admin: { listen: '127.0.0.1:6' },
  };
  assert.deepEqual(paths(root), ['inbound[1].listen', 'inbound[3].listen', 'admin.listen']);
});

test('property: any values at all give findings, never an exception', () => {
  const keys = fc.constantFrom('identity', 'inbound', 'outbound', 'policy', 'journal', 'admin');
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue()), fc.jsonValue(), (root, other) => {
      assert.ok(Array.isArray(crossChecks(root)));
      assert.ok(Array.isArray(crossChecks(other)));
    }),
    { numRuns: 500 },
  );
});
