import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sha256Hex } from '../../../src/core/identity/bytes.ts';
import { leafExtensions } from '../../../src/core/issuance/extensions.ts';
import { signLeaf } from '../../../src/core/issuance/sign-leaf.ts';
import * as der from '../../support/der.ts';
import { extension, generalName, OID } from '../../support/pki-certificate.ts';
import { createKeyPair, spkiOf } from '../../support/pki-keys.ts';
import { encodeExtension } from '../../support/raw-csr.ts';
import { dsaSpki, HOUR, ID, issuingSigner, kindOf, MINUTE, NOW, rootSigner, spied } from './making.ts';

import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import type { LeafPromise, LeafTemplate } from '../../../src/core/issuance/sign-leaf.ts';
import type { Extension } from '../../support/pki-certificate.ts';

const signer = await issuingSigner();
const spki = new Uint8Array(spkiOf(createKeyPair()));
const times = { notBeforeMs: NOW - MINUTE, notAfterMs: NOW + HOUR };
const right: LeafTemplate = {
  serial: 'ab',
  spki,
  ...times,
  extensions: leafExtensions([{ type: 'url', value: ID }], spki, signer.certificate.extensions.subjectKeyId),
};
const promise: LeafPromise = { spiffeId: ID as SpiffeId, serial: 'ab', spkiSha256: sha256Hex(spki), ...times };

test('the right template is signed, once', async () => {
  const { signer: by, signed } = spied(signer);
  const leaf = await signLeaf(by, right, promise, NOW);
  assert.equal(kindOf(leaf), 'issued');
  assert.equal(signed.length, 1);
});

const leafUsages = [
  extension.keyUsage(['digitalSignature']),
  extension.extendedKeyUsage([OID.serverAuth, OID.clientAuth]),
];
const san = (...uris: readonly string[]): Extension => extension.subjectAltName(uris.map(generalName.uri), true);

/** A template with exactly these extensions. */
function saying(...extensions: readonly Extension[]): Partial<LeafTemplate> {
  return { extensions: extensions.map(encodeExtension) };
}

const unknown: Extension = { oid: '1.2.3.4', critical: true, value: der.derNull() };

const WRONG: Readonly<Record<string, readonly [Partial<LeafTemplate>, RegExp]>> = {
  'a CA': [saying(...leafUsages, san(ID), extension.basicConstraints(true, 0)), /cA is set/],
  'no name': [saying(...leafUsages), /no URI SAN/],
  'two IDs': [saying(...leafUsages, san(ID, `${ID}/x`)), /more than one URI SAN/],
  'a URI that is no SPIFFE ID': [saying(...leafUsages, san('https://example.org/a')), /scheme/],
  'an ID without path': [saying(...leafUsages, san('spiffe://example.org')), /leaf: spiffe:\/\/example\.org$/],
  'an ID of another trust domain': [
    saying(...leafUsages, san('spiffe://other.org/a')),
    /no trust bundle for other\.org/,
  ],
  'another ID than was promised': [saying(...leafUsages, san(`${ID}/x`)), /it says .*\/x/],
  'a name that is not critical': [
    saying(...leafUsages, extension.subjectAltName([generalName.uri(ID)], false)),
    /not critical/,
  ],
  'no key usage': [saying(san(ID)), /no key usage/],
  keyCertSign: [saying(extension.keyUsage(['digitalSignature', 'keyCertSign']), san(ID)), /keyCertSign or cRLSign/],
  'use as a server only': [
    saying(extension.keyUsage(['digitalSignature']), extension.extendedKeyUsage([OID.serverAuth]), san(ID)),
    /without both/,
  ],
  'a critical extension that nobody knows': [saying(...leafUsages, san(ID), unknown), /critical extension 1\.2\.3\.4/],
  'the key identifier of another issuer': [
    saying(...leafUsages, san(ID), extension.authorityKeyIdentifier(Buffer.alloc(20))),
    /no CA certificate or anchor/,
  ],
  'a time that is over': [{ notAfterMs: NOW - 1_000 }, /leaf: valid to/],
  'a time that is not yet': [{ notBeforeMs: NOW + HOUR / 2 }, /leaf: valid from/],
  'another end than was promised': [{ notAfterMs: NOW + 2 * HOUR }, /its notAfterMs is/],
  'another beginning than was promised': [{ notBeforeMs: NOW }, /its notBeforeMs is/],
  'another serial than was promised': [{ serial: 'ac' }, /its serial is ac, not ab/],
  'another key than was promised': [{ spki: new Uint8Array(spkiOf(createKeyPair())) }, /its spkiSha256 is/],
  'a key of DSA': [{ spki: dsaSpki() }, /public key: not of an accepted kind/],
  'a key of RSA with 1024 bits': [{ spki: spkiOf(createKeyPair('rsa1024')) }, /public key: not of an accepted kind/],
};
for (const [what, [change, detail]] of Object.entries(WRONG)) {
  test(`a template with ${what} is refused before the CA's key signs anything`, async () => {
    const { signer: by, signed } = spied(signer);
    const leaf = await signLeaf(by, { ...right, ...change }, promise, NOW);
    assert.equal(kindOf(leaf), 'certificate_refused');
    assert.match(leaf.ok ? '' : leaf.error.detail, /^not signed: /);
    assert.match(leaf.ok ? '' : leaf.error.detail, detail);
    assert.equal(signed.length, 0);
  });
}

test('a signer whose chain has become wrong signs nothing: its stand-in is judged in its place', async () => {
  const { standIn } = await rootSigner();
  for (const wrong of [
    { standIn },
    { standIn: { ...signer.standIn, chain: [] } },
    { certificate: { ...signer.certificate, subject: new Uint8Array([0x30, 0]) } },
  ]) {
    const { signer: by, signed } = spied({ ...signer, ...wrong });
    assert.equal(kindOf(await signLeaf(by, right, promise, NOW)), 'certificate_refused');
    assert.equal(signed.length, 0);
  }
});

test('the real root has the last word: a leaf that only the stand-in would accept is not given out', async () => {
  const { trust } = await issuingSigner();
  const { signer: by, signed } = spied({ ...signer, trust });
  const leaf = await signLeaf(by, right, promise, NOW);
  assert.equal(kindOf(leaf), 'certificate_refused');
  assert.equal(signed.length, 1);
  const alone = await signLeaf({ ...signer, chain: [] }, right, promise, NOW);
  assert.match(alone.ok ? '' : alone.error.detail, /^it would be refused as client: no CA certificate or anchor/);
});

test('nobody who trusts the real root believes what the throw-away key signed, nor the other way round', async () => {
  const leaf = await signLeaf({ ...signer, sign: signer.standIn.sign }, right, promise, NOW);
  assert.match(leaf.ok ? '' : leaf.error.detail, /not signed by the issuer it names/);
});
