import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { judgeLists } from '../../../src/core/identity/judge-lists.ts';
import { createAuthority } from '../../support/pki.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { HOUR, NOW } from './judging.ts';

const root = createAuthority();
const middle = root.intermediate();
const SECOND = Math.floor(NOW / 1000) * 1000;

function flawOf(lists: readonly Uint8Array[], issuers: readonly Uint8Array[] = root.bundle, signedOnly = true): string {
  const judged = judgeLists(lists, { issuers, signedOnly });
  return judged.ok ? 'sound' : judged.error;
}

test('RFC 5280 6.3.3 f: a list is signed by the issuer whose name and key identifier it has', () => {
  assert.equal(flawOf([root.crl().der]), 'sound');
  assert.equal(flawOf([root.crl({ authorityKeyId: null }).der]), 'sound');
  for (const wrong of [{ keys: createKeyPair() }, { breakSignature: true }, { digest: 'sha1' as const }]) {
    for (const signedOnly of [true, false]) {
      assert.match(flawOf([root.crl(wrong).der], root.bundle, signedOnly), /is not signed by CN=Root of example\.org/);
    }
  }
});

test('RFC 5280 4.2.1.3: an issuer that may not sign lists did not', () => {
  const mute = createAuthority({ keyUsage: ['keyCertSign'] });
  assert.match(flawOf([mute.crl().der], mute.bundle), /as one that may sign lists/);
});

test('RFC 5280 5.2.1: the key identifier of another key makes it the list of somebody unknown', () => {
  const list = root.crl({ authorityKeyId: Buffer.alloc(20) }).der;
  assert.match(flawOf([list]), /its issuer .* is not known/);
});

test('overlap: of several issuers of one name any may have signed', () => {
  const successor = createAuthority();
  const issuers = [...root.bundle, ...successor.bundle];
  assert.equal(flawOf([root.crl().der, successor.crl().der], issuers), 'sound');
  assert.equal(flawOf([successor.crl({ authorityKeyId: null }).der], issuers), 'sound');
});

test('the list of an unknown issuer is let pass only where the way is trusted', () => {
  assert.match(flawOf([middle.crl().der]), /its issuer CN=Intermediate of example\.org is not known/);
  assert.equal(flawOf([middle.crl().der], root.bundle, false), 'sound');
  assert.equal(flawOf([middle.crl().der], [middle.certificate.der]), 'sound');
  assert.equal(
    flawOf([root.crl().der], [Buffer.from('x'), ...root.bundle]),
    'sound',
    'what is no certificate is passed over',
  );
});

test('one bad list makes all of them bad', () => {
  assert.match(flawOf([root.crl().der, Buffer.from('x')]), /^revocation list: /);
  const critical = { oid: '1.2.3', critical: true, value: Buffer.from([5, 0]) };
  assert.match(flawOf([root.crl({ extensions: [critical] }).der]), /cannot be used: critical extension 1\.2\.3/);
});

test('the earliest nextUpdate of all is told; dates themselves are judged when a list is used', () => {
  const until = (hours: number): Uint8Array => root.crl({ nextUpdate: new Date(SECOND + hours * HOUR) }).der;
  const judged = judgeLists([until(3), until(-2), until(1)], { issuers: root.bundle, signedOnly: true });
  assert.deepEqual(judged, { ok: true, value: { nextUpdateMs: SECOND - 2 * HOUR } });
});

test('property: any octets give a verdict, never a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 }), (list, issuer) => {
      assert.match(flawOf([list], [issuer]), /^revocation list: /);
    }),
  );
});
