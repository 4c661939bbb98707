import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { FaultCode } from '../../../src/core/model/faults.ts';
import type { Purpose } from '../../../src/core/identity/svid-rules.ts';
import type { LeafOptions } from '../../support/pki.ts';
import { createAuthority } from '../../support/pki.ts';
import { generalName, OID } from '../../support/pki-certificate.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { assertIdentified, codeOf, judge, trustIn } from './judging.ts';

const root = createAuthority();
const keys = createKeyPair();
const trust = trustIn([root]);

/** The verdict on a leaf that is right but for `options`. */
function codeFor(options: LeafOptions): FaultCode | 'identified' {
  return codeOf(judge(root.issue({ keys, ...options }).chain, trust));
}

test('X509-SVID 2: a leaf with one URI SAN is identified by it', () => {
  const verdict = judge(root.issue({ keys, id: 'spiffe://example.org/ns/a/sa/b' }).chain, trust);
  assertIdentified(verdict);
  assert.equal(verdict.spiffeId, 'spiffe://example.org/ns/a/sa/b');
  assert.equal(verdict.trustDomain, 'example.org');
  assert.equal(verdict.path, '/ns/a/sa/b');
});

test('X509-SVID 2: no URI SAN is refused, with other SANs and without any', () => {
  assert.equal(codeFor({ uris: [], dnsNames: ['a.example.org'] }), 'peer_id_missing');
  assert.equal(codeFor({ uris: [], subject: 'a' }), 'peer_id_missing');
});

test('X509-SVID 2: more than one URI SAN is refused, whatever they are', () => {
  const agent = 'spiffe://example.org/agent';
  assert.equal(codeFor({ uris: [agent, 'spiffe://example.org/admin'] }), 'peer_id_ambiguous');
  assert.equal(codeFor({ uris: [agent, agent] }), 'peer_id_ambiguous');
  assert.equal(codeFor({ uris: [agent, 'https://example.org'] }), 'peer_id_ambiguous');
  assert.equal(codeFor({ uris: ['https://example.org', agent] }), 'peer_id_ambiguous');
});

test('X509-SVID 2: any number of other SANs is allowed', () => {
  const otherNames = [
    generalName.email('a@example.org'),
    generalName.ip(Buffer.from([10, 0, 0, 1])),
    generalName.other('1.2.3', Buffer.from([5, 0])),
  ];
  assert.equal(codeFor({ dnsNames: ['a.example.org', 'b.example.org'], otherNames }), 'identified');
});

test('X509-SVID 2: a URI SAN that is no SPIFFE ID is refused', () => {
  for (const uri of [
    'https://example.org/agent',
    'spiffe://example.org/a%2fb',
    'spiffe://example.org/a/',
    'spiffe://Example.org/a',
    'spiffe://example.org:8443/a',
    '',
  ]) {
    assert.equal(codeFor({ uris: [uri] }), 'peer_id_malformed', uri);
  }
});

test('Node CVE-2021-44532: a SAN that reads as two in a display string is one, and refused', () => {
  assert.equal(codeFor({ uris: ['spiffe://example.org/a, URI:spiffe://example.org/admin'] }), 'peer_id_malformed');
  assert.equal(codeFor({ dnsNames: ['a, URI:spiffe://example.org/admin'] }), 'peer_certificate_malformed');
  assert.equal(codeFor({ uris: [], dnsNames: ['a, URI:spiffe://example.org/admin'] }), 'peer_certificate_malformed');
});

test('Envoy CVE-2026-47778: NUL in a SAN is refused', () => {
  assert.equal(codeFor({ uris: ['spiffe://example.org/admin\u0000.agent'] }), 'peer_certificate_malformed');
  assert.equal(codeFor({ dnsNames: ['a\u0000.example.org'] }), 'peer_certificate_malformed');
});

test('X509-SVID 3.1: a leaf whose ID has no path is refused', () => {
  assert.equal(codeFor({ id: 'spiffe://example.org' }), 'peer_id_without_path');
});

test('SPIFFE-ID 2.3: an ID of 2048 bytes is accepted, one of 2049 is not', () => {
  const head = 'spiffe://example.org/';
  assert.equal(codeFor({ id: head + 'a'.repeat(2048 - head.length) }), 'identified');
  assert.equal(codeFor({ id: head + 'a'.repeat(2049 - head.length) }), 'peer_id_malformed');
});

test('X509-SVID 4.1: a leaf with cA set is refused', () => {
  assert.equal(codeFor({ cA: true }), 'peer_leaf_is_ca');
  assert.equal(codeFor({ cA: true, keyUsage: ['digitalSignature', 'keyCertSign'] }), 'peer_leaf_is_ca');
});

test('X509-SVID 4.1: basic constraints may be absent', () => {
  assert.equal(codeFor({ cA: null }), 'identified');
});

test('X509-SVID 4.3: key usage must be there and critical', () => {
  assert.equal(codeFor({ keyUsage: null }), 'peer_key_usage_missing');
  assert.equal(codeFor({ keyUsageCritical: false }), 'peer_key_usage_missing');
});

test('X509-SVID 4.3: digitalSignature is needed, keyCertSign and cRLSign are refused, the others allowed', () => {
  assert.equal(codeFor({ keyUsage: ['keyEncipherment'] }), 'peer_key_usage_invalid');
  assert.equal(codeFor({ keyUsage: ['digitalSignature', 'keyCertSign'] }), 'peer_key_usage_invalid');
  assert.equal(codeFor({ keyUsage: ['digitalSignature', 'cRLSign'] }), 'peer_key_usage_invalid');
  assert.equal(codeFor({ keyUsage: ['digitalSignature', 'keyEncipherment', 'keyAgreement'] }), 'identified');
});

test('X509-SVID 4.4: extended key usage may be absent; where it is, both purposes are needed', () => {
  const { serverAuth, clientAuth, anyExtendedKeyUsage } = OID;
  assert.equal(codeFor({ extendedKeyUsage: null }), 'identified');
  assert.equal(codeFor({ extendedKeyUsage: [clientAuth, serverAuth, '1.2.3'] }), 'identified');
  for (const extendedKeyUsage of [[serverAuth], [clientAuth], [anyExtendedKeyUsage], ['1.2.3']]) {
    assert.equal(codeFor({ extendedKeyUsage }), 'peer_extended_key_usage_invalid', String(extendedKeyUsage));
  }
});

test('RFC 5280 4.2.1.6: with an empty subject the SAN extension must be critical', () => {
  assert.equal(codeFor({ subject: null, sanCritical: false }), 'peer_san_not_critical');
  assert.equal(codeFor({ subject: null, sanCritical: true }), 'identified');
  assert.equal(codeFor({ subject: 'agent', sanCritical: false }), 'identified');
  assert.equal(codeFor({ subject: 'agent', sanCritical: true }), 'identified');
});

test('RFC 5280 4.2: a critical extension that is not processed is refused, one that is not critical is not', () => {
  const value = Buffer.from([5, 0]);
  assert.equal(codeFor({ extensions: [{ oid: '1.2.3', critical: true, value }] }), 'peer_critical_extension_unknown');
  assert.equal(codeFor({ extensions: [{ oid: '1.2.3', critical: false, value }] }), 'identified');
});

test('a leaf with a weak or unknown key is refused, however well it is signed', () => {
  for (const keyKind of ['rsa1024', 'p224', 'secp256k1'] as const) {
    assert.equal(codeOf(judge(root.issue({ keyKind }).chain, trust)), 'peer_algorithm_refused', keyKind);
  }
  for (const keyKind of ['p384', 'p521', 'ed25519', 'rsa2048'] as const) {
    assert.equal(codeOf(judge(root.issue({ keyKind }).chain, trust)), 'identified', keyKind);
  }
});

/** The verdict on a leaf below an intermediate that is right but for `options`. */
function codeBelow(options: LeafOptions, purpose: Purpose = 'client'): FaultCode | 'identified' {
  return codeOf(judge(root.intermediate(options).issue({ keys }).chain, trust, { purpose }));
}

test('X509-SVID 4.1: an intermediate without cA is refused', () => {
  assert.equal(codeBelow({ cA: false }), 'peer_issuer_not_ca');
  assert.equal(codeBelow({ cA: null }), 'peer_issuer_not_ca');
});

test('X509-SVID 4.3: an intermediate without keyCertSign is refused, and one without key usage', () => {
  assert.equal(codeBelow({ keyUsage: ['cRLSign'] }), 'peer_issuer_not_ca');
  assert.equal(codeBelow({ keyUsage: ['digitalSignature'] }), 'peer_issuer_not_ca');
  assert.equal(codeBelow({ keyUsage: null }), 'peer_issuer_not_ca');
  assert.equal(codeBelow({ keyUsage: ['keyCertSign'] }), 'identified');
});

test('X509-SVID 3.2: an intermediate need not have an ID, and may have other names', () => {
  assert.equal(codeBelow({ uris: [] }), 'identified');
  assert.equal(codeBelow({ uris: ['https://example.org/ca'], dnsNames: ['ca.example.org'] }), 'identified');
});

test('X509-SVID 3.2: an intermediate with an ID that has a path, is malformed, or is there twice is refused', () => {
  for (const uris of [
    ['spiffe://example.org/ca'],
    ['spiffe://example.org/'],
    ['SPIFFE://example.org:1'],
    ['spiffe://example.org', 'spiffe://example.org'],
  ]) {
    assert.equal(codeBelow({ uris }), 'peer_issuer_id_invalid', String(uris));
  }
});

test('an intermediate of another trust domain is refused', () => {
  assert.equal(codeBelow({ uris: ['spiffe://elsewhere.org'] }), 'peer_issuer_id_invalid');
});

test('RFC 5280 4.2: a critical extension of an intermediate that is not processed is refused', () => {
  const extensions = [{ oid: '2.5.29.36', critical: true, value: Buffer.from([0x30, 0]) }];
  assert.equal(codeBelow({ extensions }), 'peer_critical_extension_unknown');
});

test('an extended key usage of an intermediate limits what is below it', () => {
  const { serverAuth, clientAuth, anyExtendedKeyUsage } = OID;
  assert.equal(codeBelow({ extendedKeyUsage: [serverAuth] }, 'client'), 'peer_extended_key_usage_invalid');
  assert.equal(codeBelow({ extendedKeyUsage: [serverAuth] }, 'server'), 'identified');
  assert.equal(codeBelow({ extendedKeyUsage: [clientAuth] }, 'server'), 'peer_extended_key_usage_invalid');
  assert.equal(codeBelow({ extendedKeyUsage: [clientAuth] }, 'client'), 'identified');
  assert.equal(codeBelow({ extendedKeyUsage: [anyExtendedKeyUsage] }), 'identified');
  assert.equal(codeBelow({ extendedKeyUsage: ['1.3.6.1.5.5.7.3.4'] }), 'peer_extended_key_usage_invalid');
});
