import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { isCidr, isIpv6Cidr } from '../../../src/core/injection/network.ts';

describe('networks in CIDR notation', () => {
  for (const text of [
    '10.0.0.0/8',
    '0.0.0.0/0',
    '192.0.2.7/32',
    '::/0',
    'fd00::/8',
    '2001:db8::1/128',
    '::ffff:10.0.0.1/96',
  ]) {
    test(`${text} is one`, () => assert.ok(isCidr(text)));
  }
  const not = [
    '',
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0/8',
    '010.0.0.0/8',
    '10.0.0.256/8',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    'fd00::/129',
    'fd00::1::/8',
    'fe80::1%eth0/64',
    'x/8',
    '10.0.0.0/8 accept',
    '10.0.0.0/8\n',
    '[::]/0',
    '::g/8',
  ];
  for (const text of not) {
    test(`${JSON.stringify(text)} is none`, () => assert.ok(!isCidr(text)));
  }

  test('the family of a network is seen by its colons', () => {
    assert.ok(isIpv6Cidr('fd00::/8'));
    assert.ok(!isIpv6Cidr('10.0.0.0/8'));
  });
});
