import assert from 'node:assert/strict';
import { test } from 'node:test';

import { nearest } from '../../../src/core/kernel/nearest.ts';

const KEYS = ['listen', 'upstream', 'limits', 'paths', 'tls', 'contextExtensions', 'headTimeout', 'headerBytes'];

const MEANT = {
  listn: 'listen',
  lisetn: 'listen',
  Upstream: 'upstream',
  upstreams: 'upstream',
  'context-extensions': 'contextExtensions',
  context_extensions: 'contextExtensions',
  head_timeout: 'headTimeout',
  tsl: undefined,
  tl: 'tls',
  x: undefined,
  policy: undefined,
  '': undefined,
};
for (const [written, meant] of Object.entries(MEANT)) {
  test(`${JSON.stringify(written)} ${meant === undefined ? 'is near nothing' : `is near ${meant}`}`, () => {
    assert.equal(nearest(written, KEYS), meant);
  });
}

test('the nearest of several wins, and nothing is near an empty list', () => {
  assert.equal(nearest('limit', ['limitss', 'limits']), 'limits');
  assert.equal(nearest('limit', []), undefined);
});
