import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { MAX_PRESENTED_CERTIFICATES, verifyPeer } from '../../../src/core/identity/verify.ts';
import * as der from '../../support/der.ts';
import { createAuthority } from '../../support/pki.ts';
import { createKeyPair, spkiOf } from '../../support/pki-keys.ts';
import { AS_CLIENT, assertIdentified, codeOf, HOUR, judge, NOW, trustIn } from './judging.ts';

const keys = createKeyPair();
const root = createAuthority();
const trust = trustIn([root]);

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('an identified peer comes with the facts of its leaf', () => {
  const second = Math.floor(NOW / 1000) * 1000;
  const middle = root.intermediate({ subject: 'Middle, of "three"' });
  const issued = middle.issue({
    keys,
    id: 'spiffe://example.org/ns/a',
    subject: 'agent+1',
    serial: 0xab12n,
    dnsNames: ['a.example.org', 'b.example.org'],
    notBefore: new Date(second - HOUR),
    notAfter: new Date(second + HOUR),
  });
  const verdict = judge(issued.chain, trust);
  assertIdentified(verdict);
  assert.deepEqual(verdict, {
    kind: 'identified',
    spiffeId: 'spiffe://example.org/ns/a',
    trustDomain: 'example.org',
    path: '/ns/a',
    certificate: {
      serial: 'ab12',
      notBeforeMs: second - HOUR,
      notAfterMs: second + HOUR,
      sha256: sha256(issued.der),
      spkiSha256: sha256(spkiOf(keys)),
      issuer: String.raw`CN=Middle\, of \"three\"`,
      subject: String.raw`CN=agent\+1`,
      dnsNames: ['a.example.org', 'b.example.org'],
      der: Uint8Array.from(issued.der),
    },
    validUntilMs: second + HOUR,
  });
  assert.ok(Object.isFrozen(verdict) && Object.isFrozen(verdict.certificate));
});

test('the facts keep bytes of their own', () => {
  const bytes = Uint8Array.from(root.issue({ keys }).der);
  const verdict = judge([bytes], trust);
  assertIdentified(verdict);
  bytes.fill(0);
  assert.equal(verdict.certificate.der[0], 0x30);
});

test('nothing presented is a missing certificate', () => {
  assert.deepEqual(judge([], trust), {
    kind: 'rejected',
    fault: { kind: 'fault', code: 'peer_certificate_missing', detail: 'no certificate was presented' },
    claimedId: undefined,
  });
});

test('what is no certificate is malformed, in first place or any other', () => {
  const good = root.issue({ keys }).der;
  for (const chain of [
    [Buffer.alloc(0)],
    [Buffer.from('x')],
    [good, Buffer.from('x')],
    [good, good.subarray(0, 100)],
  ]) {
    const verdict = judge(chain, trust);
    assert.equal(codeOf(verdict), 'peer_certificate_malformed');
    assert.equal(verdict.kind === 'rejected' ? verdict.claimedId : '', undefined);
  }
});

test('more than ten certificates are refused before any is read', () => {
  const good = root.issue({ keys }).der;
  const filled = (count: number): readonly Uint8Array[] => [
    good,
    ...Array.from({ length: count - 1 }, () => root.certificate.der),
  ];
  assert.equal(codeOf(judge(filled(MAX_PRESENTED_CERTIFICATES), trust)), 'identified');
  assert.equal(codeOf(judge(filled(MAX_PRESENTED_CERTIFICATES + 1), trust)), 'peer_chain_too_long');
  assert.equal(
    codeOf(
      judge(
        Array.from({ length: 5000 }, () => Buffer.from('x')),
        trust,
      ),
    ),
    'peer_chain_too_long',
  );
});

const claim = (chain: readonly Uint8Array[]): string | undefined => {
  const verdict = judge(chain, trust);
  assert.equal(verdict.kind, 'rejected');
  assert.ok(Object.isFrozen(verdict));
  return verdict.kind === 'rejected' ? verdict.claimedId : '';
};

test('a rejected peer is told with what it claimed, whatever the reason', () => {
  const past = { notBefore: new Date(NOW - 2 * HOUR), notAfter: new Date(NOW - HOUR) };
  assert.equal(claim(root.issue({ keys, ...past }).chain), 'spiffe://example.org/agent');
  const foreign = createAuthority({ trustDomain: 'elsewhere.org' }).issue({ keys });
  assert.equal(claim(foreign.chain), 'spiffe://elsewhere.org/agent');
  assert.equal(claim(root.issue({ keys, uris: ['https://example.org/x y'] }).chain), 'https://example.org/x y');
  assert.equal(claim(root.issue({ keys, uris: ['a:1', 'b:2'] }).chain), undefined);
  assert.equal(claim(root.issue({ keys, uris: [], dnsNames: ['a'] }).chain), undefined);
  assert.equal(claim(root.issue({ keys, uris: ['a'.repeat(4000)] }).chain)?.length, 2048);
});

test('only the first certificate is the leaf', () => {
  const issued = root.issue({ keys });
  assert.equal(codeOf(judge([root.certificate.der, issued.der], trust)), 'peer_id_without_path');
  const middle = root.intermediate({ uris: [] });
  assert.equal(codeOf(judge([middle.certificate.der, issued.der], trust)), 'peer_id_missing');
  const agent = root.issue({ keys: createKeyPair(), id: 'spiffe://example.org/other' });
  const verdict = judge([issued.der, agent.der], trust);
  assertIdentified(verdict);
  assert.equal(verdict.path, '/agent');
});

test('a leaf signs nothing, however it is marked', () => {
  const agent = root.issue({ keys });
  const below = createAuthority({ keys, subject: null }).issue({
    keys: createKeyPair(),
    id: 'spiffe://example.org/admin',
  });
  assert.notEqual(codeOf(judge([below.der, agent.der], trust)), 'identified');
  const named = root.intermediate({
    subject: 'Agent',
    uris: ['spiffe://example.org/agent'],
    cA: false,
    keyUsage: ['digitalSignature'],
  });
  const forged = named.issue({ keys, id: 'spiffe://example.org/admin' });
  assert.equal(codeOf(judge(forged.chain, trust)), 'peer_issuer_not_ca');
});

test('RFC 5280 4.1.2.7: the key in the verdict is the key in the certificate, not one beside it', () => {
  const other = createKeyPair();
  const swapped = root.issue({ keys, rawSpki: spkiOf(other) });
  const verdict = judge(swapped.chain, trust);
  assertIdentified(verdict);
  assert.equal(verdict.certificate.spkiSha256, sha256(spkiOf(other)));
});

test('the purpose and the trust are those that are passed in', () => {
  const issued = root.issue({ keys });
  const empty = trustIn([]);
  assert.equal(codeOf(verifyPeer(issued.chain, trust, NOW, { purpose: 'server', requireCrl: false })), 'identified');
  assert.equal(codeOf(verifyPeer(issued.chain, empty, NOW, AS_CLIENT)), 'peer_trust_domain_unknown');
});

test('details for the operator stay short, however long the names of a peer are', () => {
  const name = der.sequence(der.setOf(der.sequence(der.oid('2.5.4.3'), der.utf8('x'.repeat(4000)))));
  const verdict = judge(root.issue({ keys, rawIssuer: name }).chain, trust);
  assert.equal(codeOf(verdict), 'peer_chain_untrusted');
  assert.ok(verdict.kind === 'rejected' && verdict.fault.detail.length < 400);
});
