import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openSigner } from '../../../src/core/issuance/ca-signer.ts';
import { createRoot } from '../../../src/core/issuance/root.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { extension, generalName, OID } from '../../support/pki-certificate.ts';
import { createAuthority } from '../../support/pki.ts';
import { DAY, deps, errorOf, EXAMPLE, HOUR, issuingSigner, NOW, valueOf } from './making.ts';

import type { SignerParts } from '../../../src/core/issuance/ca-signer.ts';
import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { Authority, CertificateOptions } from '../../support/pki.ts';

const MOMENT = Date.now();
const root = createAuthority();
const [rootDer = new Uint8Array()] = root.bundle;

/** What a CA made elsewhere is opened from. */
function partsOf(ca: Authority): SignerParts {
  const { chain, privateKey } = ca.certificate;
  return { trustDomain: EXAMPLE, chain, rootDer: ca.bundle[0] ?? rootDer, privateKey };
}

async function opening(ca: Authority, change: Partial<SignerParts> = {}, atMs = MOMENT): Promise<string> {
  return errorOf(await openSigner({ ...partsOf(ca), ...change }, atMs));
}

test('a root, an intermediate and one below it, made elsewhere, of either kind of key, are taken up', async () => {
  for (const keyKind of ['p256', 'ed25519'] as const) {
    const top = createAuthority({ keyKind });
    const middle = top.intermediate({ keyKind });
    const low = middle.intermediate({ keyKind, subject: 'Lower' });
    for (const [ca, length] of [
      [top, 0],
      [middle, 1],
      [low, 2],
    ] as const) {
      const signer = valueOf(await openSigner(partsOf(ca), MOMENT));
      assert.deepEqual([signer.chain.length, signer.keyKind, signer.caKeys.length], [length, keyKind, length + 1]);
      assert.deepEqual(Buffer.from(signer.certificate.der), Buffer.from(ca.certificate.der));
      assert.deepEqual(Buffer.from(signer.root), Buffer.from(top.bundle[0] ?? ''));
    }
  }
});

test('CAs above may have any key that identity accepts', async () => {
  for (const keyKind of ['rsa2048', 'p384', 'p521'] as const) {
    const top = createAuthority({ keyKind });
    assert.equal(await opening(top.intermediate()), 'fine');
    assert.equal(await opening(top), 'the key is neither ECDSA on P-256 nor Ed25519');
  }
});

test('a signer is valid as long as all of its CAs are', async () => {
  const second = Math.floor(MOMENT / 1_000) * 1_000;
  const short = { notBefore: new Date(second - HOUR), notAfter: new Date(second + HOUR) };
  const below = createAuthority(short).intermediate();
  const above = createAuthority().intermediate(short);
  for (const ca of [below, above]) {
    const { notBeforeMs, notAfterMs } = valueOf(await openSigner(partsOf(ca), MOMENT));
    assert.deepEqual([notBeforeMs, notAfterMs], [second - HOUR, second + HOUR]);
  }
});

const middle = (options: CertificateOptions): Authority => root.intermediate(options);
const past = { notBefore: new Date(MOMENT - 2 * DAY), notAfter: new Date(MOMENT - DAY) };
const future = { notBefore: new Date(MOMENT + HOUR), notAfter: new Date(MOMENT + DAY) };
const unknown = { oid: '1.2.3.4', critical: true, value: Uint8Array.of(5, 0) };

const REFUSED: Readonly<Record<string, readonly [Authority, RegExp, Partial<SignerParts>?]>> = {
  'the key of another': [
    root,
    /^the key is not that of the certificate$/,
    { privateKey: generateKeyPair('p256').privateKey },
  ],
  'a key of another kind': [
    root,
    /^the key does not sign; is it a private key/,
    { privateKey: generateKeyPair('ed25519').privateKey },
  ],
  'a public key': [root, /does not sign/, { privateKey: generateKeyPair('p256').publicKey }],
  'another trust domain': [root, /^root: issuer: a SPIFFE ID of/, { trustDomain: 'other.org' as TrustDomain }],
  'a root that is none': [root, /^root: certificate: /, { rootDer: Uint8Array.of(0x30, 0) }],
  'a root that is no CA': [createAuthority({ cA: false }), /^root: issuer: cA is not set/],
  'a root that has ended': [createAuthority(past), /a leaf under it: .*trust anchor: valid to/],
  'a root that has not begun': [createAuthority(future), /a leaf under it: .*trust anchor: valid from/],
  'a root of others': [middle({}), /does not lead to the root/, { rootDer: createAuthority().bundle[0] ?? rootDer }],
  'a chain that is none': [middle({}), /^certificate 1 of the chain: /, { chain: [Uint8Array.of(1)] }],
  'a chain with the root in it': [
    middle({}),
    /^the chain is not the CA, then its issuer/,
    { chain: [...middle({}).certificate.chain, rootDer] },
  ],
  'a chain in another order': [
    middle({}).intermediate({ subject: 'Lower' }),
    /./,
    { chain: middle({}).intermediate({ subject: 'Lower' }).certificate.chain.toReversed() },
  ],
  'a chain with a gap': [
    middle({}).intermediate({ subject: 'Lower' }),
    /does not lead to the root: no CA certificate/,
    { chain: middle({}).intermediate({ subject: 'Lower' }).certificate.chain.slice(0, 1) },
  ],
  'a certificate that the root did not sign': [middle({ breakSignature: true }), /not signed by the issuer it names/],
  'a certificate signed with SHA-1': [
    middle({ digest: 'sha1' }),
    /does not lead to the root: leaf: signature algorithm/,
  ],
  'an intermediate that has ended': [middle(past), /does not lead to the root: leaf: valid to/],
  'an intermediate that has not begun': [middle(future), /does not lead to the root: leaf: valid from/],
  'an intermediate that is no CA': [middle({ cA: false }), /a leaf under it: .*cA is not set/],
  'an intermediate that may not certify': [middle({ keyUsage: ['cRLSign'] }), /without keyCertSign/],
  'an intermediate of another trust domain': [middle({ uris: ['spiffe://other.org'] }), /a SPIFFE ID of other\.org/],
  'an intermediate that is a workload': [middle({ uris: ['spiffe://example.org/a'] }), /a SPIFFE ID with a path/],
  'an intermediate for clients only': [
    middle({ extendedKeyUsage: [OID.clientAuth] }),
    /refused as server: .*extended key/,
  ],
  'an intermediate for servers only': [
    middle({ extendedKeyUsage: [OID.serverAuth] }),
    /refused as client: .*extended key/,
  ],
  'an intermediate under a root that allows none': [
    createAuthority({ pathLength: 0 }).intermediate(),
    /a leaf under it: .*1 intermediates below/,
  ],
  'an intermediate for other names': [
    middle({ extensions: [extension.nameConstraints([generalName.uri('.other.org')], [])] }),
    /a leaf under it: .*not permitted/,
  ],
  'an intermediate with a critical extension that nobody knows': [middle({ extensions: [unknown] }), /1\.2\.3\.4/],
};
for (const [what, [ca, problem, change]] of Object.entries(REFUSED)) {
  test(`${what} is no signer`, async () => assert.match(await opening(ca, change), problem));
}

test('no error says anything of the key', async () => {
  const { privateKey } = generateKeyPair('p256');
  const { d = '' } = privateKey.export({ format: 'jwk' });
  for (const ca of [root, middle(past)]) assert.ok(!(await opening(ca, { privateKey })).includes(d));
});

test('a signer shows no key: nothing of it can be written down', async () => {
  const signer = await issuingSigner();
  const shown = Object.values(signer).concat(Object.values(signer.standIn));
  assert.ok(shown.every((value) => !(typeof value === 'object' && 'asymmetricKeyType' in value)));
  assert.ok(Object.isFrozen(signer));
});

test('what the key signs to show that it is the right one is no DER', async () => {
  const made = valueOf(await createRoot(EXAMPLE, { ttlMs: DAY, keyKind: 'ed25519' }, deps));
  const parts = { trustDomain: EXAMPLE, chain: [], rootDer: made.der, privateKey: made.privateKey };
  const signer = valueOf(await openSigner(parts, NOW));
  assert.equal(signer.certificate.der.length, made.der.length);
});
