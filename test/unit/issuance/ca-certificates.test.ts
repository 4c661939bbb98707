import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { test } from 'node:test';

import { parseCertificate } from '../../../src/core/identity/certificate.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { openSigner } from '../../../src/core/issuance/ca-signer.ts';
import { createIntermediate, intermediateFromCsr } from '../../../src/core/issuance/intermediate.ts';
import { createRoot } from '../../../src/core/issuance/root.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { commonName, extension } from '../../support/pki-certificate.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { encodeExtension, extensionRequest, rawCsr } from '../../support/raw-csr.ts';
import {
  DAY,
  deps,
  depsAt,
  errorOf,
  EXAMPLE,
  HOUR,
  issuingSigner,
  MINUTE,
  NOW,
  rootSigner,
  spied,
  valueOf,
} from './making.ts';

import type { Certificate } from '../../../src/core/identity/certificate.ts';
import type { RootRequest } from '../../../src/core/issuance/root.ts';

const read = (bytes: Uint8Array): Certificate => valueOf(parseCertificate(bytes));

for (const keyKind of ['p256', 'ed25519'] as const) {
  test(`X509-SVID 3.2, 4.1, 4.3: a root of ${keyKind} is a CA with critical keyCertSign and cRLSign and the trust domain's ID`, async () => {
    const { der, privateKey } = valueOf(await createRoot(EXAMPLE, { ttlMs: 30 * DAY, keyKind }, deps));
    const { extensions, notBeforeMs, notAfterMs, issuer, subject } = read(der);
    assert.deepEqual(extensions.basicConstraints, { cA: true, pathLength: 1 });
    assert.deepEqual([extensions.keyUsage?.critical, [...(extensions.keyUsage?.bits ?? [])]], [true, [5, 6]]);
    assert.deepEqual(extensions.subjectAltName?.names, [{ form: 'uri', text: 'spiffe://example.org' }]);
    assert.deepEqual([notBeforeMs, notAfterMs], [NOW - MINUTE, NOW + 30 * DAY]);
    assert.deepEqual(issuer, subject);
    assert.ok(Buffer.from(der).includes(Buffer.from('0603551d130101ff', 'hex')));
    const node = new X509Certificate(der);
    assert.equal(node.verify(node.publicKey) && node.checkPrivateKey(privateKey) && node.ca, true);
  });

  test(`an intermediate of ${keyKind} issues leaves only, and is verified by node:crypto`, async () => {
    const root = await rootSigner(keyKind);
    const { publicKey } = generateKeyPair(keyKind);
    const der = valueOf(await createIntermediate(root, { publicKey, ttlMs: HOUR, name: 'Issuing CA 1' }, deps));
    const { extensions } = read(der);
    assert.deepEqual(extensions.basicConstraints, { cA: true, pathLength: 0 });
    assert.deepEqual([extensions.keyUsage?.critical, [...(extensions.keyUsage?.bits ?? [])]], [true, [5, 6]]);
    assert.equal(extensions.authorityKeyId, root.certificate.extensions.subjectKeyId);
    const [node, above] = [new X509Certificate(der), new X509Certificate(root.root)];
    assert.equal(node.verify(above.publicKey) && node.checkIssued(above), true);
    assert.match(node.subject, /^CN=Issuing CA 1 [0-9a-f]{8}$/);
  });
}

test('two roots of one trust domain have names, serials and key identifiers of their own', async () => {
  const roots = [await rootSigner(), await rootSigner()].map(({ certificate }) => certificate);
  for (const of of [
    (ca: Certificate) => ca.subject.toHex(),
    (ca: Certificate) => ca.serial,
    (ca: Certificate) => ca.extensions.subjectKeyId,
  ]) {
    assert.equal(new Set(roots.map(of)).size, 2);
  }
});

test('RFC 5280 A.1: a common name has at most 64 characters, however long the trust domain', async () => {
  const name = `${'a'.repeat(200)}.org`;
  const { der } = valueOf(await createRoot(name, { ttlMs: DAY, keyKind: 'p256' }, deps));
  const [, text = ''] = /^CN=(.*)$/m.exec(new X509Certificate(der).subject) ?? [];
  assert.equal(text.length, 64);
  const root = await rootSigner();
  const request = { publicKey: generateKeyPair('p256').publicKey, ttlMs: HOUR, name: 'ü"+,\\ '.repeat(40) };
  assert.equal(errorOf(await createIntermediate(root, request, deps)), 'fine');
});

test('a root with a key that exists already: its public half is found, or given', async () => {
  const { privateKey, publicKey } = generateKeyPair('ed25519');
  for (const more of [{}, { publicKey }]) {
    const root = valueOf(await createRoot(EXAMPLE, { ttlMs: DAY, keyKind: 'ed25519', privateKey, ...more }, deps));
    assert.equal(root.privateKey, privateKey);
    assert.equal(new X509Certificate(root.der).publicKey.equals(publicKey), true);
  }
});

const NO_ROOTS: Readonly<Record<string, readonly [Partial<RootRequest>, RegExp]>> = {
  'a key of another kind than it says': [{ privateKey: generateKeyPair('ed25519').privateKey }, /of the kind ed25519/],
  'a key of RSA': [{ privateKey: createKeyPair('rsa2048').privateKey }, /neither ECDSA on P-256 nor Ed25519/],
  'a key of P-384': [{ privateKey: createKeyPair('p384').privateKey }, /neither ECDSA on P-256 nor Ed25519/],
  'a public half of another key': [
    { privateKey: generateKeyPair('p256').privateKey, publicKey: generateKeyPair('p256').publicKey },
    /not that of the certificate/,
  ],
  'no life': [{ ttlMs: 0 }, /a life is/],
  'a path length of -1': [{ pathLength: -1 }, /path length/],
  'a path length of no number': [{ pathLength: Number.NaN }, /path length/],
};
for (const [what, [change, problem]] of Object.entries(NO_ROOTS)) {
  test(`a root with ${what} is not made`, async () => {
    assert.match(errorOf(await createRoot(EXAMPLE, { ttlMs: DAY, keyKind: 'p256', ...change }, deps)), problem);
  });
}

test('an intermediate that the root does not allow is refused before the root signs anything', async () => {
  const made = valueOf(await createRoot(EXAMPLE, { ttlMs: DAY, keyKind: 'p256', pathLength: 0 }, deps));
  const parts = { trustDomain: EXAMPLE, chain: [], rootDer: made.der, privateKey: made.privateKey };
  for (const above of [valueOf(await openSigner(parts, NOW)), await issuingSigner()]) {
    const { signer, signed } = spied(above);
    const request = { publicKey: generateKeyPair('p256').publicKey, ttlMs: HOUR, name: 'Too deep' };
    assert.match(errorOf(await createIntermediate(signer, request, deps)), /^not signed: .*which allows 0$/);
    assert.equal(signed.length, 0);
  }
});

test('an intermediate has a key of its own, of an accepted kind, and ends with the CAs above', async () => {
  const root = await rootSigner();
  const attempt = (publicKey: ReturnType<typeof createPublicKey>, at = deps, ttlMs = HOUR): Promise<string> =>
    createIntermediate(root, { publicKey, ttlMs, name: 'CA' }, at).then(errorOf);
  const rootKey = createPublicKey({ key: Buffer.from(root.certificate.spki), format: 'der', type: 'spki' });
  const { publicKey } = generateKeyPair('p256');
  assert.equal(await attempt(rootKey), 'the key is that of a CA above it');
  assert.match(await attempt(createKeyPair('rsa3072').publicKey), /neither ECDSA on P-256 nor Ed25519/);
  assert.match(await attempt(publicKey, depsAt(NOW + DAY)), /ends at/);
  assert.match(await attempt(publicKey, depsAt(NOW - DAY)), /not valid before/);
  assert.match(await attempt(publicKey, deps, Number.NaN), /NaN ms/);
  const long = valueOf(await createIntermediate(root, { publicKey, ttlMs: 400 * DAY, name: 'CA' }, deps));
  assert.equal(read(long).notAfterMs, root.notAfterMs);
});

test('a root whose key is gone, or is another, gives no intermediate', async () => {
  const root = await rootSigner();
  const request = { publicKey: generateKeyPair('p256').publicKey, ttlMs: HOUR, name: 'CA' };
  const gone = { ...root, sign: () => Promise.reject(new Error('gone')) };
  assert.match(errorOf(await createIntermediate(gone, request, deps)), /the key does not sign/);
  const { sign } = await rootSigner();
  assert.match(
    errorOf(await createIntermediate({ ...root, sign }, request, deps)),
    /not signed by the issuer it names/,
  );
});

test('an intermediate from a request: possession is proven, and nothing but the key is taken', async () => {
  const root = await rootSigner();
  const { privateKey } = generateKeyPair('ed25519');
  const from = (csr: Uint8Array) => intermediateFromCsr(root, { csr, ttlMs: HOUR, name: 'Elsewhere' }, deps);
  const plain = read(valueOf(await from(await createCsr(privateKey))));
  assert.equal(createPublicKey(privateKey).equals(new X509Certificate(plain.der).publicKey), true);
  const wishes = extensionRequest(encodeExtension(extension.basicConstraints(true, 9)));
  const wished = read(valueOf(await from(rawCsr({ subject: commonName('Root'), attributes: wishes }))));
  assert.deepEqual(wished.extensions.basicConstraints, { cA: true, pathLength: 0 });
  assert.match(new X509Certificate(wished.der).subject, /^CN=Elsewhere /);
  assert.match(errorOf(await from(rawCsr({ signedBy: createKeyPair() }))), /not by the key of the request/);
  assert.match(errorOf(await from(rawCsr({ keys: createKeyPair('rsa2048') }))), /neither ECDSA/);
});

test('a trust domain that is none has no root', async () => {
  for (const name of ['Example.org', '', 'a/b', 'a b', 'ä.org', 'a'.repeat(256)]) {
    assert.notEqual(errorOf(await createRoot(name, { ttlMs: DAY, keyKind: 'p256' }, deps)), 'fine', name);
  }
});
