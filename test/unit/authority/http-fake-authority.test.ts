import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';

import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { freshCsr } from '../../support/served-authority.ts';

/* The double that stands behind the service in tests does what the interface promises. */
const ID = 'spiffe://example.org/a';

function verdict(authority: FakeIssuingAuthority, chain: readonly Uint8Array[]): string {
  const { bundles, crls } = authority.trust();
  const trust = createTrustStore(bundles, crls);
  assert.ok(trust.ok);
  const peer = verifyPeer(chain, trust.value, Date.now(), { purpose: 'client', requireCrl: true });
  return peer.kind === 'identified' ? peer.spiffeId : peer.fault.code;
}

test('a token gives one certificate for the key of the request, which peers accept', async () => {
  const authority = new FakeIssuingAuthority();
  authority.tokens.set('t', ID);
  const { csr, privateKey } = await freshCsr();
  const issued = await authority.issue({ kind: 'join-token', token: 't' }, csr, 'a');
  assert.ok(issued.ok);
  assert.equal(verdict(authority, issued.value.chain), ID);
  assert.equal(new X509Certificate(issued.value.chain[0] ?? '').checkPrivateKey(privateKey), true);
  assert.equal(authority.isGood(issued.value.serial), true);
  assert.equal((await authority.issue({ kind: 'join-token', token: 't' }, csr, 'a')).ok, false);
});

test('a request that is none gives nothing', async () => {
  const answer = await new FakeIssuingAuthority().issue({ kind: 'join-token', token: 't' }, Uint8Array.of(1), 'a');
  assert.equal(!answer.ok && answer.error.kind, 'csr_malformed');
});

test('revoking is known at once, listed, and told', () => {
  const authority = new FakeIssuingAuthority();
  const { serial, chain } = authority.give(ID);
  let told = 0;
  const end = authority.onTrust(() => (told += 1));
  const { revision } = authority.trust();
  authority.revoke(serial);
  assert.equal(authority.isGood(serial), false);
  assert.equal(verdict(authority, chain), 'peer_certificate_revoked');
  assert.notEqual(authority.trust().revision, revision);
  end();
  authority.publish();
  assert.equal(told, 1);
});

test('its own certificate is one that peers accept, before and after the roots rotate', () => {
  const authority = new FakeIssuingAuthority();
  assert.equal(verdict(authority, authority.own().svid.chain), authority.id);
  authority.addRoot();
  assert.equal(authority.roots.length, 2);
  assert.equal(verdict(authority, authority.own().svid.chain), authority.id);
  authority.dropOldRoot();
  assert.equal(verdict(authority, authority.own().svid.chain), authority.id);
});
