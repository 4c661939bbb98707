import { test } from 'node:test';
import assert from 'node:assert/strict';
import { isUnreboundHost } from '../../../src/io/admin/host-check.ts';

const good = [
  '127.0.0.1',
  '127.0.0.1:9901',
  '10.1.2.3:80',
  '[::1]',
  '[::1]:9901',
  '[fe80::1]:1',
  'localhost',
  'LocalHost:9901',
];
const bad = [
  undefined,
  '',
  'evil.test',
  'evil.test:9901',
  'localhost.evil.test',
  '127.0.0.1.evil.test',
  'localhost.',
  '127.1',
  '2130706433',
  '0x7f.0.0.1',
  '256.0.0.1',
  '::1',
  '[::1',
  '[evil]',
  '[127.0.0.1]',
  '127.0.0.1:',
  '127.0.0.1:99999999',
  'user@127.0.0.1',
  '127.0.0.1/',
  '127.0.0.1 ',
  '127.0.0.1, evil.test',
  'xn--localhost',
];

for (const host of good) {
  test(`DNS rebinding: ${host} cannot have been rebound`, () => {
    assert.equal(isUnreboundHost(host), true);
  });
}

for (const host of bad) {
  test(`DNS rebinding: ${JSON.stringify(host)} is refused`, () => {
    assert.equal(isUnreboundHost(host), false);
  });
}
