import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseCertificate } from '../../../src/core/identity/certificate.ts';
import { findPath, MAX_PATH_LENGTH } from '../../../src/core/identity/path.ts';
import { commonName } from '../../support/pki-certificate.ts';
import type { Authority, CertificateOptions } from '../../support/pki.ts';
import { createAuthority } from '../../support/pki.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import * as der from '../../support/der.ts';
import { assertIdentified, codeOf, domain, HOUR, judge, MINUTE, NOW, trustIn } from './judging.ts';

const keys = createKeyPair();
const root = createAuthority();
const trust = trustIn([root]);

/** Intermediates one below the other, `count` of them. */
function descend(authority: Authority, count: number, options: CertificateOptions = {}): Authority {
  let lowest = authority;
  for (let i = 1; i <= count; i += 1) lowest = lowest.intermediate({ subject: `Intermediate ${i}`, ...options });
  return lowest;
}

test('RFC 5280 6.1: a leaf by the root, by an intermediate, and by an intermediate of an intermediate', () => {
  for (const depth of [0, 1, 2]) {
    assert.equal(codeOf(judge(descend(root, depth).issue({ keys }).chain, trust)), 'identified', String(depth));
  }
});

test('RFC 8446 4.4.2: the others may come in any order, with others that do not matter, and with the root', () => {
  const chain = descend(root, 3).issue({ keys }).chain;
  const [leaf = new Uint8Array(), ...others] = chain;
  const foreign = createAuthority({ trustDomain: 'elsewhere.org' });
  const mixed = [leaf, foreign.certificate.der, ...others.toReversed(), ...root.bundle, foreign.issue().der];
  assert.equal(codeOf(judge(mixed, trust)), 'identified');
});

test('a missing intermediate is a chain that is not trusted', () => {
  const [leaf = new Uint8Array()] = descend(root, 1).issue({ keys }).chain;
  const verdict = judge([leaf], trust);
  assert.equal(codeOf(verdict), 'peer_chain_untrusted');
  assert.match(verdict.kind === 'rejected' ? verdict.fault.detail : '', /CN=Intermediate 1/);
});

test('a root that the peer brings along is worth nothing', () => {
  const imposter = createAuthority({ subject: 'Imposter' });
  const issued = imposter.issue({ keys });
  assert.equal(codeOf(judge([...issued.chain, ...imposter.bundle], trust)), 'peer_chain_untrusted');
});

test('a root of the same name with another key is worth nothing', () => {
  const imposter = createAuthority();
  const issued = imposter.issue({ keys });
  assert.equal(codeOf(judge([...issued.chain, ...imposter.bundle], trust)), 'peer_chain_untrusted');
  const claiming = imposter.issue({ keys, authorityKeyId: null });
  assert.equal(codeOf(judge(claiming.chain, trust)), 'peer_signature_invalid');
});

test('RFC 5280 6.1.3 a 1: a wrong signature is refused, on the leaf and above it', () => {
  assert.equal(codeOf(judge(root.issue({ keys, breakSignature: true }).chain, trust)), 'peer_signature_invalid');
  const broken = root.intermediate({ breakSignature: true });
  assert.equal(codeOf(judge(broken.issue({ keys }).chain, trust)), 'peer_signature_invalid');
});

test('a self-signed leaf is refused', () => {
  const self = createAuthority({ uris: ['spiffe://example.org/agent'], cA: false, keyUsage: ['digitalSignature'] });
  assert.equal(codeOf(judge([self.certificate.der], trust)), 'peer_chain_untrusted');
});

test('RFC 5280 6.1.3 a 2: an expired certificate is refused, wherever it stands', () => {
  const past = { notBefore: new Date(NOW - 2 * HOUR), notAfter: new Date(NOW - HOUR) };
  assert.equal(codeOf(judge(root.issue({ keys, ...past }).chain, trust)), 'peer_certificate_expired');
  assert.equal(codeOf(judge(root.intermediate(past).issue({ keys }).chain, trust)), 'peer_certificate_expired');
  const old = createAuthority(past);
  assert.equal(codeOf(judge(old.issue({ keys }).chain, trustIn([old]))), 'peer_certificate_expired');
});

test('RFC 5280 6.1.3 a 2: a certificate that is not yet valid is refused, wherever it stands', () => {
  const future = { notBefore: new Date(NOW + HOUR), notAfter: new Date(NOW + 2 * HOUR) };
  assert.equal(codeOf(judge(root.issue({ keys, ...future }).chain, trust)), 'peer_certificate_not_yet_valid');
  assert.equal(codeOf(judge(root.intermediate(future).issue({ keys }).chain, trust)), 'peer_certificate_not_yet_valid');
  const young = createAuthority(future);
  assert.equal(codeOf(judge(young.issue({ keys }).chain, trustIn([young]))), 'peer_certificate_not_yet_valid');
});

test('RFC 5280 4.1.2.5: both ends belong to the time of validity; only the beginning has a skew', () => {
  const second = Math.floor(NOW / 1000) * 1000;
  const issued = root.issue({ keys, notBefore: new Date(second), notAfter: new Date(second + HOUR) });
  const at = (atMs: number, clockSkewMs: number): string => codeOf(judge(issued.chain, trust, { atMs, clockSkewMs }));
  assert.equal(at(second, 0), 'identified');
  assert.equal(at(second - 1, 0), 'peer_certificate_not_yet_valid');
  assert.equal(at(second - MINUTE, MINUTE), 'identified');
  assert.equal(at(second - MINUTE - 1, MINUTE), 'peer_certificate_not_yet_valid');
  assert.equal(at(second + HOUR, MINUTE), 'identified');
  assert.equal(at(second + HOUR + 1, MINUTE), 'peer_certificate_expired');
});

test('the skew is 30 seconds unless told otherwise', () => {
  const second = Math.floor(NOW / 1000) * 1000;
  const issued = root.issue({ keys, notBefore: new Date(second) });
  assert.equal(codeOf(judge(issued.chain, trust, { atMs: second - 30_000 })), 'identified');
  assert.equal(codeOf(judge(issued.chain, trust, { atMs: second - 30_001 })), 'peer_certificate_not_yet_valid');
});

test('a verdict holds to the earliest end in the path, whoever it belongs to', () => {
  const ends = [3, 2, 1].map((hours) => Math.floor(NOW / 1000) * 1000 + hours * HOUR);
  for (const [rootEnd = 0, middleEnd = 0, leafEnd = 0] of [ends, ends.toReversed(), [ends[1], ends[2], ends[0]]]) {
    const authority = createAuthority({ notAfter: new Date(rootEnd) });
    const middle = authority.intermediate({ notAfter: new Date(middleEnd) });
    const verdict = judge(middle.issue({ keys, notAfter: new Date(leafEnd) }).chain, trustIn([authority]));
    assertIdentified(verdict);
    assert.equal(verdict.validUntilMs, Math.min(...ends));
  }
});

test('RFC 5280 6.1.4 m: a path longer than pathLenConstraint allows is refused', () => {
  for (const [limit, depth, expected] of [
    [0, 0, 'identified'],
    [0, 1, 'peer_path_length_exceeded'],
    [1, 1, 'identified'],
    [1, 2, 'peer_path_length_exceeded'],
    [5, 2, 'identified'],
  ] as const) {
    const limited = createAuthority({ pathLength: limit });
    const verdict = judge(descend(limited, depth).issue({ keys }).chain, trustIn([limited]));
    assert.equal(codeOf(verdict), expected, `${limit} ${depth}`);
  }
});

test('RFC 5280 6.1.4 m: the limit of an intermediate counts as well', () => {
  const limited = root.intermediate({ subject: 'Limited', pathLength: 0 });
  assert.equal(codeOf(judge(limited.issue({ keys }).chain, trust)), 'identified');
  assert.equal(codeOf(judge(descend(limited, 1).issue({ keys }).chain, trust)), 'peer_path_length_exceeded');
});

test('RFC 5280 6.1.4 l: self-issued intermediates do not count', () => {
  const limited = createAuthority({ subject: 'Same', pathLength: 0 });
  const rollover = limited.intermediate({ subject: 'Same' });
  assert.equal(codeOf(judge(rollover.issue({ keys }).chain, trustIn([limited]))), 'identified');
});

test('a path has at most eight certificates', () => {
  const longest = descend(root, MAX_PATH_LENGTH - 2);
  assert.equal(codeOf(judge(longest.issue({ keys }).chain, trust)), 'identified');
  assert.equal(
    codeOf(judge(descend(longest, 1, { subject: 'One more' }).issue({ keys }).chain, trust)),
    'peer_chain_untrusted',
  );
});

test('algorithm policy: SHA-1 on the leaf or an intermediate is refused, a weak issuer key too', () => {
  assert.equal(codeOf(judge(root.issue({ keys, digest: 'sha1' }).chain, trust)), 'peer_algorithm_refused');
  assert.equal(
    codeOf(judge(root.intermediate({ digest: 'sha1' }).issue({ keys }).chain, trust)),
    'peer_algorithm_refused',
  );
  assert.equal(
    codeOf(judge(root.intermediate({ keyKind: 'rsa1024' }).issue({ keys }).chain, trust)),
    'peer_algorithm_refused',
  );
});

test('algorithm policy: how an anchor is signed does not matter, since it is trusted as it stands', () => {
  const old = createAuthority({ keyKind: 'rsa2048', digest: 'sha1' });
  assert.equal(codeOf(judge(old.issue({ keys }).chain, trustIn([old]))), 'identified');
});

test('paths of RSA, P-384, P-521 and Ed25519 keys', () => {
  for (const keyKind of ['rsa2048', 'p384', 'p521', 'ed25519'] as const) {
    const authority = createAuthority({ keyKind });
    assert.equal(
      codeOf(judge(authority.intermediate().issue({ keys }).chain, trustIn([authority]))),
      'identified',
      keyKind,
    );
  }
  const pss = createAuthority({ keyKind: 'rsa2048' });
  assert.equal(codeOf(judge(pss.issue({ keys, digest: 'pss-sha256' }).chain, trustIn([pss]))), 'identified');
});

test('roll-over: two roots of one name with different keys, with and without key identifiers', () => {
  const [first, second] = [createAuthority(), createAuthority()];
  const both = trustIn([first, second]);
  for (const authority of [first, second]) {
    assert.equal(codeOf(judge(authority.issue({ keys }).chain, both)), 'identified');
    assert.equal(codeOf(judge(authority.issue({ keys, authorityKeyId: null }).chain, both)), 'identified');
  }
});

test('roll-over: of two intermediates with one key, the one that is in force leads on', () => {
  const shared = createKeyPair();
  const past = { notBefore: new Date(NOW - 2 * HOUR), notAfter: new Date(NOW - HOUR) };
  const old = root.intermediate({ keys: shared, ...past });
  const fresh = root.intermediate({ keys: shared });
  const leaf = fresh.issue({ keys }).der;
  assert.equal(codeOf(judge([leaf, old.certificate.der, fresh.certificate.der], trust)), 'identified');
  assert.equal(codeOf(judge([leaf, old.certificate.der], trust)), 'peer_certificate_expired');
});

test('RFC 5280 4.2.1.1: a key identifier that points elsewhere leads nowhere', () => {
  const elsewhere = root.issue({ keys, authorityKeyId: Buffer.alloc(20) });
  assert.equal(codeOf(judge(elsewhere.chain, trust)), 'peer_chain_untrusted');
});

test('RFC 5280 4.1.2.4: names are compared as they are encoded', () => {
  const printable = der.sequence(der.setOf(der.sequence(der.oid('2.5.4.3'), der.printable('Root of example.org'))));
  assert.equal(codeOf(judge(root.issue({ keys, rawIssuer: printable }).chain, trust)), 'peer_chain_untrusted');
  assert.equal(
    codeOf(judge(root.issue({ keys, rawIssuer: commonName('Root of example.org') }).chain, trust)),
    'identified',
  );
});

test('the reason from furthest up the path is the one that is told, whichever way was tried first', () => {
  const expired = { notBefore: new Date(NOW - 2 * HOUR), notAfter: new Date(NOW - HOUR) };
  const shared = createKeyPair();
  const unsigned = root.intermediate({ keys: shared, breakSignature: true }).certificate.der;
  const stale = root.intermediate({ subject: 'Above', ...expired }).intermediate({ keys: shared });
  const leaf = stale.issue({ keys }).der;
  assert.equal(codeOf(judge([leaf, unsigned, ...stale.certificate.chain], trust)), 'peer_certificate_expired');
  assert.equal(codeOf(judge([leaf, ...stale.certificate.chain, unsigned], trust)), 'peer_certificate_expired');
});

test('no certificate is in a path twice', () => {
  const shared = createKeyPair();
  const middle = root.intermediate({ subject: 'Middle', keys: shared });
  const twin = createAuthority({ subject: 'Middle', keys: shared }).certificate.der;
  const [leaf, ...presented] = [middle.issue({ keys }).der, twin, middle.certificate.der].map((bytes) => {
    const result = parseCertificate(bytes);
    assert.ok(result.ok);
    return result.value;
  });
  assert.ok(leaf !== undefined);
  const trustDomain = domain('example.org');
  const anchors = trust.anchors.get(trustDomain) ?? [];
  const path = findPath(leaf, { trustDomain, presented, anchors, atMs: NOW, clockSkewMs: 0, purpose: 'client' });
  assert.ok(path.ok);
  assert.deepEqual(
    path.value.map(({ serial }) => serial),
    [leaf, ...presented, anchors[0]?.certificate].map((certificate) => certificate?.serial),
  );
});

test('circles of certificates that sign each other end', () => {
  const [a, b] = [createKeyPair(), createKeyPair()];
  const nameA = commonName('A');
  const nameB = commonName('B');
  const signerA = createAuthority({ subject: 'A', keys: a });
  const signerB = createAuthority({ subject: 'B', keys: b });
  const aByB = signerB.intermediate({ subject: 'A', keys: a, rawIssuer: nameB }).certificate.der;
  const bByA = signerA.intermediate({ subject: 'B', keys: b, rawIssuer: nameA }).certificate.der;
  const leaf = signerA.issue({ keys }).der;
  assert.equal(codeOf(judge([leaf, aByB, bByA], trust)), 'peer_chain_untrusted');
});

test('many ways that all lead nowhere cost a bounded number of signature checks', () => {
  const shared = createKeyPair();
  const maze = Array.from(
    { length: 9 },
    (_, i) => createAuthority({ subject: 'Maze', keys: shared, serial: BigInt(i + 1) }).certificate.der,
  );
  const leaf = createAuthority({ subject: 'Maze', keys: shared }).issue({ keys }).der;
  assert.equal(codeOf(judge([leaf, ...maze], trust)), 'peer_chain_untrusted');
});

test('a way out behind more than 16 wrong ones is not found: work is bounded before it is complete', () => {
  const shared = createKeyPair();
  const decoys = Array.from({ length: 16 }, () => createAuthority());
  const right = createAuthority({ keys: shared });
  const leaf = right.issue({ keys, authorityKeyId: null });
  assert.equal(codeOf(judge(leaf.chain, trustIn([...decoys.slice(1), right]))), 'identified');
  assert.notEqual(codeOf(judge(leaf.chain, trustIn([...decoys, right]))), 'identified');
  assert.equal(codeOf(judge(right.issue({ keys }).chain, trustIn([...decoys, right]))), 'identified');
});
