import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { verifyChain } from '../../../src/core/identity/verify-chain.ts';
import { KEY_USAGE, OID } from '../../support/pki-certificate.ts';
import { createAuthority } from '../../support/pki.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { codeOf, HOUR, judge, NOW, trustIn } from './judging.ts';

import type { ChainQuestion } from '../../../src/core/identity/verify-chain.ts';
import type { Verdict } from '../../../src/core/identity/verify.ts';
import type { KeyUsageName } from '../../support/pki-certificate.ts';
import type { LeafOptions } from '../../support/pki.ts';

const keys = createKeyPair();
const root = createAuthority();
const middle = root.intermediate();
const good = middle.issue({ keys });

const ask = (question: Partial<ChainQuestion> = {}): Verdict =>
  verifyChain({ chain: good.chain, bundle: root.bundle, atMs: NOW, purpose: 'client', ...question });

test('chain, bundle, time and purpose in, the same verdict as verifyPeer out', () => {
  for (const purpose of ['client', 'server'] as const) {
    assert.deepEqual(ask({ purpose }), judge(good.chain, trustIn([root]), { purpose }));
    assert.equal(codeOf(ask({ purpose })), 'identified');
  }
});

test('X509-SVID 4.4: a CA for clients only certifies a client and no server', () => {
  const { chain } = root.intermediate({ extendedKeyUsage: [OID.clientAuth] }).issue({ keys });
  assert.equal(codeOf(ask({ chain, purpose: 'client' })), 'identified');
  assert.equal(codeOf(ask({ chain, purpose: 'server' })), 'peer_extended_key_usage_invalid');
});

const LEAVES: Readonly<Record<string, LeafOptions>> = {
  'a CA as leaf': { cA: true },
  'no ID': { uris: [] },
  'two IDs': { uris: ['spiffe://example.org/a', 'spiffe://example.org/b'] },
  'an ID that is none': { uris: ['spiffe://example.org/a//b'] },
  'an ID without path': { uris: ['spiffe://example.org'] },
  'no key usage': { keyUsage: null },
  'an issuer that did not sign': { breakSignature: true },
  'SHA-1': { digest: 'sha1' },
  'an end that is past': { notAfter: new Date(NOW - HOUR / 2) },
  ...Object.fromEntries(
    (Object.keys(KEY_USAGE) as readonly KeyUsageName[]).map((name) => [`key usage ${name}`, { keyUsage: [name] }]),
  ),
};
for (const [what, options] of Object.entries(LEAVES)) {
  test(`it has no rule of its own: ${what}`, () => {
    const { chain } = middle.issue({ keys, ...options });
    assert.deepEqual(ask({ chain }), judge(chain, trustIn([root]), { clockSkewMs: 0 }));
  });
}

test('the bundle is that of the domain that the leaf claims, or of the one that is named, and of no other', () => {
  assert.equal(codeOf(ask({ trustDomain: 'example.org' })), 'identified');
  assert.equal(codeOf(ask({ trustDomain: 'other.org' })), 'peer_chain_untrusted');
  const plain = createAuthority({ uris: [] });
  const question = { chain: plain.issue({ keys }).chain, bundle: plain.bundle };
  assert.equal(codeOf(ask({ ...question, trustDomain: 'other.org' })), 'peer_trust_domain_unknown');
  assert.equal(codeOf(ask(question)), 'identified');
  for (const trustDomain of ['', 'Example.org', 'a/b']) {
    assert.equal(codeOf(ask({ trustDomain })), 'peer_trust_domain_unknown');
  }
});

test('a root of another domain does not become one of the domain that the leaf claims', () => {
  const { chain } = middle.issue({ keys, id: 'spiffe://other.org/agent' });
  const verdict = ask({ chain });
  assert.equal(codeOf(verdict), 'peer_chain_untrusted');
  assert.match(verdict.kind === 'rejected' ? verdict.fault.detail : '', /a SPIFFE ID of example\.org/);
  assert.equal(verdict.kind === 'rejected' && verdict.claimedId, 'spiffe://other.org/agent');
});

test('a leaf without a readable claim is judged for that, whatever the bundle is', () => {
  for (const bundle of [root.bundle, [], [Uint8Array.of(1)]]) {
    assert.equal(codeOf(ask({ chain: middle.issue({ keys, uris: [] }).chain, bundle })), 'peer_id_missing');
    assert.equal(codeOf(ask({ chain: [], bundle })), 'peer_certificate_missing');
    assert.equal(codeOf(ask({ chain: [Uint8Array.of(1)], bundle })), 'peer_certificate_malformed');
  }
});

test('a bundle that cannot be taken up rejects, and says which certificate it is', () => {
  const weak = createAuthority({ keyKind: 'rsa1024' });
  for (const bad of [Uint8Array.of(1), good.der, weak.bundle[0] ?? good.der]) {
    const verdict = ask({ bundle: [...root.bundle, bad] });
    assert.equal(codeOf(verdict), 'peer_chain_untrusted');
    assert.match(
      verdict.kind === 'rejected' ? verdict.fault.detail : '',
      /trust bundle of example\.org, certificate 2: /,
    );
  }
});

test('revocation lists are heeded, required only where that is asked, and a bad one rejects', () => {
  const list = middle.crl({ revoked: [good.serial] }).der;
  assert.equal(codeOf(ask({ crls: [list] })), 'peer_certificate_revoked');
  assert.equal(codeOf(ask({ crls: [middle.crl().der] })), 'identified');
  assert.equal(codeOf(ask({ crls: [middle.crl().der], requireCrl: true })), 'peer_revocation_unknown');
  assert.equal(codeOf(ask({ crls: [middle.crl().der, root.crl().der], requireCrl: true })), 'identified');
  const verdict = ask({ crls: [Uint8Array.of(1)] });
  assert.equal(codeOf(verdict), 'peer_revocation_unknown');
  assert.match(verdict.kind === 'rejected' ? verdict.fault.detail : '', /^revocation list 1: /);
});

test('the time is the exact moment, both ends included, unless a skew is given', () => {
  const second = Math.floor(NOW / 1_000) * 1_000;
  const { chain } = middle.issue({ keys, notBefore: new Date(second - 10_000), notAfter: new Date(second) });
  const at = (atMs: number, clockSkewMs = 0): string => codeOf(ask({ chain, atMs, clockSkewMs }));
  assert.deepEqual([at(second - 10_000), at(second)], ['identified', 'identified']);
  assert.deepEqual(
    [at(second - 10_001), at(second + 1)],
    ['peer_certificate_not_yet_valid', 'peer_certificate_expired'],
  );
  assert.deepEqual([at(second - 10_001, 1), at(second + 1, 1)], ['identified', 'peer_certificate_expired']);
  assert.equal(codeOf(ask({ chain, atMs: second - 10_001 })), 'peer_certificate_not_yet_valid');
  assert.equal(at(Number.NaN), 'peer_certificate_not_yet_valid');
});

test('property: no bytes throw, whichever of them are wrong', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.constantFrom(...good.chain, ...root.bundle, root.crl().der),
    fc.nat(good.der.length).map((length) => good.der.subarray(0, length)),
  );
  const lists = fc.array(bytes, { maxLength: 4 });
  fc.assert(
    fc.property(lists, lists, lists, fc.option(fc.string(), { nil: undefined }), (chain, bundle, crls, named) => {
      const domain = named === undefined ? {} : { trustDomain: named };
      const verdict = ask({ chain, bundle, crls, ...domain });
      assert.ok(Object.isFrozen(verdict));
      if (verdict.kind === 'identified') assert.equal(verdict.spiffeId, 'spiffe://example.org/agent');
    }),
    { numRuns: 500 },
  );
});
