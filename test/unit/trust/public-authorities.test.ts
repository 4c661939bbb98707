import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';

import { publicAuthorities } from '../../../src/io/trust/public-authorities.ts';

test('SPIFFE Federation 5.2.1: there are public authorities, all of them certificates, read once', () => {
  const found = publicAuthorities();
  assert.ok(found.length > 0);
  for (const pem of found) assert.notEqual(new X509Certificate(pem).subject, '');
  assert.equal(publicAuthorities(), found);
});
