import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseCertificate } from '../../../src/core/identity/certificate.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { readCsr } from '../../../src/core/issuance/csr.ts';
import { newSerial } from '../../../src/core/issuance/deps.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { issueSvid } from '../../../src/core/issuance/svid.ts';
import * as der from '../../support/der.ts';
import { commonName, extension, generalName } from '../../support/pki-certificate.ts';
import { createKeyPair } from '../../support/pki-keys.ts';
import { asking, rawCsr } from '../../support/raw-csr.ts';
import { systemRandom } from '../../support/system-clock.ts';
import {
  DAY,
  deps,
  depsAt,
  HOUR,
  ID,
  issuingSigner,
  kindOf,
  MINUTE,
  NOW,
  request,
  rootSigner,
  spied,
  valueOf,
} from './making.ts';

import type { Certificate } from '../../../src/core/identity/certificate.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { IssuanceFault } from '../../../src/core/model/svid.ts';
import type { CaSigner } from '../../../src/core/issuance/ca-signer.ts';
import type { IssuedSvid, SvidRequest } from '../../../src/core/issuance/svid.ts';
import type { RawCsr } from '../../support/raw-csr.ts';

const signer = await issuingSigner();
const asked = await request();

function issue(
  wanted: Partial<SvidRequest> = {},
  by: CaSigner = signer,
  at = deps,
): Promise<Result<IssuedSvid, IssuanceFault>> {
  const serial = newSerial(systemRandom);
  return issueSvid(by, { request: asked, spiffeId: ID, ttlMs: HOUR, serial, ...wanted }, at);
}

function leafOf({ chain: [leaf] }: IssuedSvid): Certificate {
  return valueOf(parseCertificate(leaf ?? new Uint8Array()));
}

test('X509-SVID 2, 4: one URI SAN, critical with an empty subject, digitalSignature, both extended key usages, no CA', async () => {
  const { extensions, subject } = leafOf(valueOf(await issue()));
  assert.deepEqual(extensions.subjectAltName, { critical: true, names: [{ form: 'uri', text: ID }] });
  assert.deepEqual([extensions.basicConstraints?.cA, subject.length], [false, 2]);
  assert.deepEqual([extensions.keyUsage?.critical, [...(extensions.keyUsage?.bits ?? [])]], [true, [0]]);
  assert.deepEqual(extensions.extendedKeyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  assert.equal(extensions.authorityKeyId, signer.certificate.extensions.subjectKeyId);
});

test('RFC 5280 4.2.1.9, RFC 7093 2: basicConstraints are critical, the key identifier is of the SHA-256 of the key', async () => {
  const { der: bytes, extensions } = leafOf(valueOf(await issue()));
  assert.ok(Buffer.from(bytes).includes(Buffer.from('0603551d130101ff', 'hex')));
  const bits = asked.spki.subarray(-65);
  assert.equal(extensions.subjectKeyId, createHash('sha256').update(bits).digest('hex').slice(0, 40));
});

test('serial, key, times and ID are as asked, and the chain is the leaf and the CAs below the root', async () => {
  const issued = valueOf(await issue({ serial: '00AB12' }));
  const leaf = leafOf(issued);
  const { chain, ...facts } = issued;
  assert.deepEqual(facts, {
    spiffeId: ID,
    serial: 'ab12',
    spkiSha256: asked.spkiSha256,
    notBeforeMs: NOW - MINUTE,
    notAfterMs: NOW + HOUR,
  });
  assert.deepEqual([leaf.serial, leaf.notBeforeMs, leaf.notAfterMs], ['ab12', NOW - MINUTE, NOW + HOUR]);
  assert.deepEqual(leaf.spki, asked.spki);
  assert.deepEqual(chain.slice(1), [signer.certificate.der]);
});

test('a root that signs by itself gives a chain of the leaf alone', async () => {
  const issued = valueOf(await issue({}, await rootSigner()));
  assert.equal(issued.chain.length, 1);
});

for (const rootKind of ['p256', 'ed25519'] as const) {
  for (const kind of ['p256', 'ed25519'] as const) {
    test(`a root of ${rootKind} and a CA of ${kind} issue for every accepted kind of key; node:crypto verifies each link`, async () => {
      const by = await issuingSigner(rootKind, kind);
      const root = new X509Certificate(by.root);
      for (const leafKind of ['p256', 'p384', 'p521', 'ed25519', 'rsa2048'] as const) {
        const read = valueOf(readCsr(rawCsr({ keys: createKeyPair(leafKind) })));
        const { chain } = valueOf(await issue({ request: read }, by));
        const [leaf, middle] = chain.map((one) => new X509Certificate(one));
        assert.ok(leaf !== undefined && middle !== undefined && chain.length === 2);
        assert.equal(leaf.verify(middle.publicKey) && leaf.checkIssued(middle), true);
        assert.equal(middle.verify(root.publicKey) && middle.checkIssued(root) && root.verify(root.publicKey), true);
        assert.equal(leaf.publicKey.equals(read.publicKey), true);
      }
    });
  }
}

test('what a request asks for beside its key changes not one octet of what is issued', async () => {
  const by = await issuingSigner('ed25519');
  const keys = createKeyPair();
  const sans = [generalName.dns('root'), generalName.uri(ID), generalName.email('root@example.org')];
  const hostile: readonly RawCsr[] = [
    { keys, subject: commonName('root of example.org') },
    { keys, ...asking(extension.basicConstraints(false, undefined)) },
    { keys, ...asking(extension.keyUsage(['digitalSignature', 'keyAgreement'])) },
    { keys, ...asking(extension.subjectAltName(sans, true)) },
    { keys, ...asking({ oid: '1.2.3.4', critical: true, value: der.derNull() }) },
    { keys, digest: 'sha512' },
  ];
  const bytes = async (csr: RawCsr): Promise<Uint8Array | undefined> => {
    const read = valueOf(readCsr(rawCsr(csr)));
    return valueOf(await issue({ request: read, serial: '4d2' }, by)).chain[0];
  };
  const plain = await bytes({ keys });
  for (const csr of hostile) assert.deepEqual(await bytes(csr), plain);
});

for (const uri of [
  'spiffe://example.org/ns/a/sa/root',
  `${ID}/`,
  `${ID}b`,
  ID.toUpperCase(),
  ID.replace('spiffe', 'SPIFFE'),
  `${ID}?a`,
  'spiffe://example.org',
  'spiffe://other.org/ns/a/sa/b',
  'https://example.org/ns/a/sa/b',
  '',
]) {
  test(`a request for the URI ${uri} is refused by name where ${ID} is granted, and the CA's key signs nothing`, async () => {
    const { signer: by, signed } = spied(signer);
    const read = valueOf(readCsr(rawCsr(asking(extension.subjectAltName([generalName.uri(uri)])))));
    const issued = await issue({ request: read }, by);
    assert.equal(kindOf(issued), 'csr_asks_for_more');
    assert.ok(!issued.ok && issued.error.detail.includes(`the URI ${uri},`));
    assert.equal(signed.length, 0);
  });
}

const REFUSED: Readonly<Record<string, readonly [Partial<SvidRequest>, IssuanceFault['kind'], RegExp]>> = {
  'an ID of another trust domain': [{ spiffeId: 'spiffe://other.org/a' }, 'id_refused', /is of other\.org/],
  'an ID without path': [{ spiffeId: 'spiffe://example.org' }, 'id_refused', /not a workload/],
  'an ID with a trailing slash': [{ spiffeId: 'spiffe://example.org/a/' }, 'id_refused', /ends in a slash/],
  'an ID with dot segments': [{ spiffeId: 'spiffe://example.org/../a' }, 'id_refused', /relative segment/],
  'an ID of 2049 bytes': [{ spiffeId: `spiffe://example.org/${'a'.repeat(2029)}` }, 'id_refused', /longer than/],
  'no SPIFFE ID': [{ spiffeId: 'https://example.org/a' }, 'id_refused', /scheme/],
  'no life at all': [{ ttlMs: 0 }, 'lifetime_refused', /0 ms/],
  'a negative life': [{ ttlMs: -HOUR }, 'lifetime_refused', /-3600000 ms/],
  'a life of no number': [{ ttlMs: Number.NaN }, 'lifetime_refused', /NaN ms/],
  'an endless life': [{ ttlMs: Number.POSITIVE_INFINITY }, 'lifetime_refused', /Infinity ms/],
  'no serial number': [{ serial: '' }, 'certificate_refused', /serial number/],
  'a serial number of nought': [{ serial: '0000' }, 'certificate_refused', /serial number/],
  'a serial number of 21 octets': [{ serial: '1'.repeat(42) }, 'certificate_refused', /serial number/],
  'a serial number that is none': [{ serial: '0x12' }, 'certificate_refused', /serial number/],
  'a DNS name that is none': [{ dnsNames: ['a b'] }, 'certificate_refused', /not signed: .*not a DNS name/],
  'a thousand DNS names': [{ dnsNames: Array(1_000).fill('a') }, 'certificate_refused', /not signed: .*more than 128/],
  'an address that is none': [{ ipAddresses: ['1.2.3'] }, 'certificate_refused', /no IP address/],
};
for (const [what, [wanted, kind, detail]] of Object.entries(REFUSED)) {
  test(`${what} is refused as ${kind}, and the CA's key signs nothing`, async () => {
    const { signer: by, signed } = spied(signer);
    const issued = await issue(wanted, by);
    assert.equal(kindOf(issued), kind);
    assert.match(issued.ok ? '' : issued.error.detail, detail);
    assert.equal(signed.length, 0);
  });
}

test('the key of the CA, and that of a CA above it, is refused as a key', async () => {
  const keys = createKeyPair();
  const read = valueOf(readCsr(rawCsr({ keys })));
  for (const caKeys of [
    [read.spki, ...signer.caKeys],
    [...signer.caKeys, read.spki],
  ]) {
    const { signer: by, signed } = spied({ ...signer, caKeys });
    assert.equal(kindOf(await issue({ request: read }, by)), 'csr_key_refused');
    assert.equal(signed.length, 0);
  }
  assert.deepEqual(signer.caKeys[0], signer.certificate.spki);
  assert.equal(signer.caKeys.length, 2);
});

test('what is signed is the very bytes that were judged, once', async () => {
  const { signer: by, signed } = spied(signer);
  const leaf = leafOf(valueOf(await issue({}, by)));
  assert.deepEqual(signed, [leaf.tbs]);
});

test('a key that does not sign is an issuer that is not there; one that signs as another is found out', async () => {
  const silent = { ...signer, sign: () => Promise.reject(new Error('CKR_DEVICE_REMOVED')) };
  const issued = await issue({}, silent);
  assert.equal(kindOf(issued), 'issuer_unavailable');
  assert.ok(!JSON.stringify(issued).includes('CKR'));
  const other = await issuingSigner();
  const lying = await issue({}, { ...signer, sign: other.sign });
  assert.equal(kindOf(lying), 'certificate_refused');
  assert.match(lying.ok ? '' : lying.error.detail, /not signed by the issuer it names/);
});

test('a life that the CA does not have is cut down to its end, whatever CA above ends first', async () => {
  const issued = valueOf(await issue({ ttlMs: 30 * DAY }));
  assert.equal(issued.notAfterMs, NOW + 12 * HOUR);
  const long = await issuingSigner('p256', 'p256', 30 * DAY);
  assert.equal(valueOf(await issue({ ttlMs: 30 * DAY }, long)).notAfterMs, NOW + DAY);
});

test('where less than a minute is left of what was asked, the issuer is done; what fits is still issued', async () => {
  const end = NOW + 12 * HOUR;
  const at = (leftMs: number): ReturnType<typeof depsAt> => depsAt(end - leftMs);
  assert.equal(valueOf(await issue({}, signer, at(MINUTE))).notAfterMs, end);
  assert.equal(kindOf(await issue({}, signer, at(MINUTE - 1))), 'issuer_unavailable');
  assert.equal(valueOf(await issue({ ttlMs: 5_000 }, signer, at(10_000))).notAfterMs, end - 5_000);
  assert.equal(kindOf(await issue({}, signer, at(-1))), 'issuer_unavailable');
});

test('backdating stops where a CA begins, and before that nothing is issued', async () => {
  const begins = signer.notBeforeMs;
  assert.equal(begins, NOW - MINUTE);
  assert.equal(valueOf(await issue({}, signer, depsAt(NOW - 20_000))).notBeforeMs, begins);
  assert.equal(kindOf(await issue({}, signer, depsAt(begins - 1))), 'issuer_unavailable');
});

test('times are whole seconds, rounded down', async () => {
  const issued = valueOf(await issue({ ttlMs: 5_000 }, signer, depsAt(NOW + 999)));
  assert.deepEqual([issued.notBeforeMs, issued.notAfterMs], [NOW - MINUTE, NOW + 5_000]);
});

const segment = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}$/);
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const names = fc.array(fc.oneof(fc.domain(), fc.string({ maxLength: 20 })), { maxLength: 3 });
const signers = [signer, await issuingSigner('ed25519'), await rootSigner('ed25519')];

test('property: for any ID, key and life, what is issued passes as client and server, and is as asked', async () => {
  await fc.assert(
    fc.asyncProperty(
      path,
      fc.constantFrom(...signers),
      fc.constantFrom('p256' as const, 'ed25519' as const),
      fc.integer({ min: 1_000, max: 40 * DAY }),
      fc.uint8Array({ minLength: 20, maxLength: 20 }),
      async (rest, by, kind, ttlMs, random) => {
        const spiffeId = `spiffe://example.org/${rest}`;
        const { privateKey, publicKey } = generateKeyPair(kind);
        const csr = valueOf(readCsr(await createCsr(privateKey)));
        const serial = newSerial(() => Uint8Array.from(random));
        const issued = valueOf(await issue({ request: csr, spiffeId, ttlMs, serial }, by));
        for (const purpose of ['client', 'server'] as const) {
          const verdict = verifyPeer(issued.chain, by.trust, NOW, { purpose, requireCrl: false });
          assert.equal(verdict.kind === 'identified' && verdict.spiffeId, spiffeId);
        }
        const leaf = new X509Certificate(issued.chain[0] ?? Buffer.alloc(0));
        assert.equal(leaf.verify(new X509Certificate(by.certificate.der).publicKey), true);
        assert.equal(leaf.checkPrivateKey(privateKey) && leaf.publicKey.equals(publicKey), true);
        assert.equal(leaf.subjectAltName, `URI:${spiffeId}`);
        assert.equal(leaf.serialNumber.toLowerCase(), serial);
        assert.equal(leaf.validToDate.getTime(), Math.min(by.notAfterMs, Math.floor((NOW + ttlMs) / 1_000) * 1_000));
        assert.equal(issued.notAfterMs, leaf.validToDate.getTime());
      },
    ),
    { numRuns: 40 },
  );
});

test('property: no ID, name or address throws; what is issued passes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string(),
      names,
      names,
      fc.string({ maxLength: 50 }),
      async (id, dnsNames, ipAddresses, serial) => {
        const { signer: by, signed } = spied(signer);
        const issued = await issue({ spiffeId: `spiffe://example.org/${id}`, dnsNames, ipAddresses, serial }, by);
        assert.equal(signed.length, issued.ok ? 1 : 0);
      },
    ),
    { numRuns: 100 },
  );
  await fc.assert(
    fc.asyncProperty(names, async (dnsNames) => {
      const { signer: by, signed } = spied(signer);
      const issued = await issue({ dnsNames }, by);
      assert.equal(signed.length, issued.ok ? 1 : 0);
      if (issued.ok)
        assert.deepEqual(leafOf(issued.value).extensions.subjectAltName?.names.length, dnsNames.length + 1);
    }),
    { numRuns: 100 },
  );
});
