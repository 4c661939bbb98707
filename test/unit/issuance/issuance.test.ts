import assert from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { test } from 'node:test';

import { parseCertificate } from '../../../src/core/identity/certificate.ts';
import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { createAuthority, openAuthority } from '../../../src/core/issuance/authority.ts';
import { makeCrl } from '../../../src/core/issuance/crl.ts';
import { issueLeaf } from '../../../src/core/issuance/leaf.ts';
import { newSerial } from '../../../src/core/issuance/deps.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { systemClock, systemRandom } from '../../support/system-clock.ts';

import type { Certificate } from '../../../src/core/identity/certificate.ts';
import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { Authority } from '../../../src/core/issuance/authority.ts';
import type { IssuedCertificate, LeafRequest } from '../../../src/core/issuance/leaf.ts';

const deps = { clock: systemClock, random: systemRandom };
const HOUR = 3_600_000;
const ID = 'spiffe://example.org/ns/a/sa/b';

function valueOf<T, E>(result: Result<T, E>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

async function authority(trustDomain = 'example.org'): Promise<Authority> {
  return valueOf(await createAuthority(trustDomain, 24 * HOUR, deps));
}

async function leaf(request: Partial<LeafRequest> = {}, from?: Authority): Promise<IssuedCertificate> {
  return valueOf(await issueLeaf(from ?? (await authority()), { id: ID, ttlMs: HOUR, ...request }, deps));
}

async function errorOf(request: Partial<LeafRequest>): Promise<string> {
  const issued = await issueLeaf(await authority(), { id: ID, ttlMs: HOUR, ...request }, deps);
  return issued.ok ? 'issued' : issued.error;
}

function parsed(pem: string): Certificate {
  const [block] = valueOf(pemBlocks(pem));
  return valueOf(parseCertificate(block?.der ?? new Uint8Array()));
}

test('X509-SVID 4.1, 4.3: the root is a CA with critical keyCertSign and cRLSign, and names the trust domain without path', async () => {
  const { extensions } = parsed((await authority()).certificatePem);
  assert.deepEqual(extensions.basicConstraints, { cA: true, pathLength: 0 });
  assert.deepEqual([extensions.keyUsage?.critical, [...(extensions.keyUsage?.bits ?? [])]], [true, [5, 6]]);
  assert.match(JSON.stringify(extensions.subjectAltName?.names), /spiffe:\/\/example\.org"/);
});

test('X509-SVID 2, 4: a leaf has one URI SAN, critical with an empty subject, digitalSignature and both extended key usages', async () => {
  const root = await authority();
  const issued = await leaf({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'] }, root);
  const { extensions } = parsed(issued.certificatePem);
  assert.deepEqual([extensions.basicConstraints?.cA, extensions.subjectAltName?.critical], [false, true]);
  assert.deepEqual([extensions.keyUsage?.critical, [...(extensions.keyUsage?.bits ?? [])]], [true, [0]]);
  const node = new X509Certificate(issued.certificatePem);
  assert.equal(node.subjectAltName, `URI:${ID}, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1`);
  assert.deepEqual(node.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  assert.equal(node.subject, undefined);
  assert.equal(node.verify(new X509Certificate(root.certificatePem).publicKey), true);
  assert.equal(node.checkPrivateKey(createPrivateKey(issued.privateKeyPem)), true);
});

test('a leaf passes our own gate, and only with the bundle of its own authority', async () => {
  const root = await authority();
  const [block] = valueOf(pemBlocks((await leaf({}, root)).certificatePem));
  const chain = [block?.der ?? new Uint8Array()];
  const options = { purpose: 'client', requireCrl: false } as const;
  const verdict = verifyPeer(chain, root.signer.trust, Date.now(), options);
  assert.deepEqual([verdict.kind, verdict.kind === 'identified' && verdict.spiffeId], ['identified', ID]);
  const stranger = verifyPeer(chain, (await authority()).signer.trust, Date.now(), options);
  assert.equal(stranger.kind === 'rejected' && stranger.fault.code, 'peer_chain_untrusted');
});

test('a certificate begins a minute ago and ends with its time to live, in whole seconds', async () => {
  const nowMs = 1_800_000_000_999;
  const at = { clock: { wallMs: () => nowMs, monotonicMs: () => 0 }, random: systemRandom };
  const root = valueOf(await createAuthority('example.org', 10 * HOUR, at));
  const issued = valueOf(await issueLeaf(root, { id: ID, ttlMs: HOUR }, at));
  const { notBeforeMs, notAfterMs } = parsed(issued.certificatePem);
  assert.deepEqual([notBeforeMs, notAfterMs], [1_800_000_000_000 - 60_000, 1_800_000_000_000 + HOUR]);
  assert.equal(issued.notAfterMs, notAfterMs);
});

test('RFC 5280 4.1.2.2: a serial number is positive and has 20 octets, whatever the random bytes', () => {
  for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
    const serial = newSerial((length) => new Uint8Array(length).fill(byte));
    assert.equal(serial.length, 40);
    assert.ok(Number.parseInt(serial.slice(0, 2), 16) >= 0x40 && Number.parseInt(serial.slice(0, 2), 16) < 0x80);
  }
});

test('two leaves have different serials and different keys', async () => {
  const root = await authority();
  const [first, second] = [await leaf({}, root), await leaf({}, root)];
  assert.notEqual(first.serial, second.serial);
  assert.notEqual(first.privateKeyPem, second.privateKeyPem);
});

const REFUSED: Readonly<Record<string, readonly [Partial<LeafRequest>, RegExp]>> = {
  'an ID of another trust domain': [{ id: 'spiffe://other.org/a' }, /the ID is of other\.org/],
  'an ID without path': [{ id: 'spiffe://example.org' }, /trust domain, not a workload|path/],
  'an ID with a trailing slash': [{ id: 'spiffe://example.org/a/' }, /./],
  'an ID with dot segments': [{ id: 'spiffe://example.org/../a' }, /./],
  'no SPIFFE ID': [{ id: 'https://example.org/a' }, /./],
  'a life beyond that of the authority': [{ ttlMs: 25 * HOUR }, /the authority itself ends at/],
};
for (const [what, [request, reason]] of Object.entries(REFUSED)) {
  test(`${what} is refused`, async () => assert.match(await errorOf(request), reason));
}

test('a trust domain that is none has no authority', async () => {
  for (const name of ['Example.org', '', 'a/b', 'a b', 'ä.org', 'a'.repeat(256)]) {
    assert.equal((await createAuthority(name, HOUR, deps)).ok, false, name);
  }
});

test('an authority that was written down signs again', async () => {
  const root = await authority();
  const opened = valueOf(await openAuthority('example.org', root.certificatePem, root.privateKeyPem, Date.now()));
  assert.equal((await leaf({}, opened)).spiffeId, ID);
});

async function open(domain: string, certificate: string, key: string): Promise<string> {
  const opened = await openAuthority(domain, certificate, key, Date.now());
  return opened.ok ? 'opened' : opened.error;
}

test('an authority with the key of another, of another kind, of another domain, or none at all is not opened', async () => {
  const [root, other] = [await authority(), await authority()];
  assert.equal(
    await open('example.org', root.certificatePem, other.privateKeyPem),
    'the key is not that of the certificate',
  );
  const rsa = createKeyPair('rsa2048').privateKey.export({ type: 'pkcs8', format: 'pem' });
  assert.equal(await open('example.org', root.certificatePem, rsa), 'the key is not that of the certificate');
  assert.equal(await open('example.org', root.certificatePem, 'none'), 'not a private key in PEM');
  for (const certificates of ['none', root.certificatePem + root.certificatePem]) {
    assert.equal(await open('example.org', certificates, root.privateKeyPem), 'not one certificate in PEM');
  }
  assert.notEqual(await open('other.org', root.certificatePem, root.privateKeyPem), 'opened');
  const issued = await leaf({}, root);
  assert.notEqual(await open('example.org', issued.certificatePem, issued.privateKeyPem), 'opened');
});

test('RFC 5280 5: a revoked leaf is refused by the list, another of the same authority is not', async () => {
  const root = await authority();
  const [good, bad] = [await leaf({}, root), await leaf({}, root)];
  const crl = valueOf(
    await makeCrl(root.signer, { revoked: [{ serial: bad.serial, atMs: Date.now() }], number: 200, ttlMs: HOUR }, deps),
  );
  const [anchor] = valueOf(pemBlocks(root.certificatePem));
  const bundles = new Map([['example.org' as TrustDomain, [anchor?.der ?? new Uint8Array()]]]);
  const trust = valueOf(createTrustStore(bundles, [crl]));
  const judge = (issued: IssuedCertificate): string => {
    const [block] = valueOf(pemBlocks(issued.certificatePem));
    const verdict = verifyPeer([block?.der ?? new Uint8Array()], trust, Date.now(), {
      purpose: 'client',
      requireCrl: true,
    });
    return verdict.kind === 'rejected' ? verdict.fault.code : verdict.kind;
  };
  assert.deepEqual([judge(good), judge(bad)], ['identified', 'peer_certificate_revoked']);
});

test('an empty list, and lists with any number, are sound', async () => {
  const root = await authority();
  for (const number of [0, 127, 128, 255, 256, 1_800_000_000]) {
    assert.equal((await makeCrl(root.signer, { revoked: [], number, ttlMs: HOUR }, deps)).ok, true, String(number));
  }
});
