import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseCrl } from '../../../src/core/identity/crl.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { makeCrl } from '../../../src/core/issuance/crl.ts';
import { openSigner } from '../../../src/core/issuance/ca-signer.ts';
import { newSerial } from '../../../src/core/issuance/deps.ts';
import { issueSvid } from '../../../src/core/issuance/svid.ts';
import { createAuthority } from '../../support/pki.ts';
import { systemRandom } from '../../support/system-clock.ts';
import {
  DAY,
  deps,
  depsAt,
  errorOf,
  EXAMPLE,
  HOUR,
  ID,
  issuingSigner,
  MINUTE,
  NOW,
  request,
  rootSigner,
  spied,
  valueOf,
} from './making.ts';

import type { CaSigner } from '../../../src/core/issuance/ca-signer.ts';
import type { CrlRequest } from '../../../src/core/issuance/crl.ts';
import type { IssuedSvid } from '../../../src/core/issuance/svid.ts';

const signer = await issuingSigner();
const make = (wanted: Partial<CrlRequest> = {}, by: CaSigner = signer) =>
  makeCrl(by, { revoked: [], number: 1, ttlMs: HOUR, ...wanted }, deps);

async function svid(by: CaSigner): Promise<IssuedSvid> {
  const serial = newSerial(systemRandom);
  return valueOf(await issueSvid(by, { request: await request(), spiffeId: ID, ttlMs: HOUR, serial }, deps));
}

/** The verdict of somebody who believes the root and has these lists. */
function verdict(by: CaSigner, { chain }: IssuedSvid, crls: readonly Uint8Array[], requireCrl = false): string {
  const trust = valueOf(createTrustStore(new Map([[EXAMPLE, [by.root]]]), crls));
  const found = verifyPeer(chain, trust, NOW, { purpose: 'client', requireCrl });
  return found.kind === 'rejected' ? found.fault.code : found.kind;
}

for (const kind of ['p256', 'ed25519'] as const) {
  test(`RFC 5280 5, 6.3: a list by an intermediate of ${kind} revokes what it issued, and its root's list covers the intermediate`, async () => {
    const by = await issuingSigner('p256', kind);
    const [good, bad] = [await svid(by), await svid(by)];
    const list = valueOf(await make({ revoked: [{ serial: bad.serial, atMs: NOW }] }, by));
    assert.deepEqual([verdict(by, good, [list]), verdict(by, bad, [list])], ['identified', 'peer_certificate_revoked']);
    assert.equal(verdict(by, good, [list], true), 'peer_revocation_unknown');
  });
}

test('RFC 5280 6.3: with the lists of root and intermediate every certificate is covered', async () => {
  const root = await rootSigner();
  const direct = await svid(root);
  const list = valueOf(await make({}, root));
  assert.equal(verdict(root, direct, [list], true), 'identified');
  const revoked = valueOf(await make({ revoked: [{ serial: direct.serial, atMs: NOW }] }, root));
  assert.equal(verdict(root, direct, [revoked], true), 'peer_certificate_revoked');
});

test('RFC 5280 5.1, 5.2: version 2, a minute back, due in time, by the CA, with its key identifier', async () => {
  const crl = valueOf(parseCrl(valueOf(await make({ revoked: [{ serial: '00AB', atMs: NOW }] }))));
  assert.deepEqual([crl.thisUpdateMs, crl.nextUpdateMs], [NOW - MINUTE, NOW + HOUR]);
  assert.equal(crl.authorityKeyId, signer.certificate.extensions.subjectKeyId);
  assert.deepEqual([crl.revoked.has('ab'), crl.revoked.size, crl.delta, crl.unusable], [true, 1, false, undefined]);
});

test('RFC 5280 5.2.3: a list says its number', async () => {
  const list = Buffer.from(valueOf(await make({ number: 300 })));
  assert.ok(list.includes(Buffer.from('0603551d1404040202012c', 'hex')));
});

const REFUSED: Readonly<Record<string, readonly [Partial<CrlRequest>, RegExp]>> = {
  'a number that is none': [{ number: Number.NaN }, /whole number/],
  'a number below nought': [{ number: -1 }, /whole number/],
  'a number with a fraction': [{ number: 1.5 }, /whole number/],
  'a number that is not exact': [{ number: 2 ** 60 }, /whole number/],
  'no time to live': [{ ttlMs: 0 }, /a list is for/],
  'an endless time to live': [{ ttlMs: Number.POSITIVE_INFINITY }, /a list is for/],
  'a serial that is none': [{ revoked: [{ serial: 'x', atMs: NOW }] }, /no serial and time/],
  'a serial of nought': [{ revoked: [{ serial: '0', atMs: NOW }] }, /./],
  'a serial of 21 octets': [{ revoked: [{ serial: '1'.repeat(42), atMs: NOW }] }, /no serial and time/],
  'a moment that is none': [{ revoked: [{ serial: '1', atMs: Number.NaN }] }, /no serial and time/],
  'a moment after all years': [{ revoked: [{ serial: '1', atMs: 1e15 }] }, /no serial and time/],
  'a serial twice': [{ revoked: ['1', '01'].map((serial) => ({ serial, atMs: NOW })) }, /twice|not say/],
};
for (const [what, [wanted, problem]] of Object.entries(REFUSED)) {
  test(`a list with ${what} is not signed`, async () => {
    const { signer: by, signed } = spied(signer);
    assert.match(errorOf(await make(wanted, by)), problem);
    assert.equal(signed.length, 0);
  });
}

test('a CA that may not sign lists signs none; a key that is gone or another gives none', async () => {
  const ca = createAuthority({ keyUsage: ['keyCertSign'] });
  const rootDer = ca.bundle[0] ?? new Uint8Array();
  const parts = { trustDomain: EXAMPLE, chain: [], rootDer, privateKey: ca.certificate.privateKey };
  const mute = valueOf(await openSigner(parts, Date.now()));
  assert.equal(
    errorOf(await makeCrl(mute, { revoked: [], number: 1, ttlMs: HOUR }, depsAt(Date.now()))),
    'the CA may not sign lists',
  );
  assert.match(errorOf(await make({}, { ...signer, sign: () => Promise.reject(new Error('gone')) })), /does not sign/);
  assert.match(errorOf(await make({}, { ...signer, sign: signer.standIn.sign })), /is not signed by/);
  const { subject } = (await rootSigner()).certificate;
  const renamed = { ...signer, certificate: { ...signer.certificate, subject } };
  assert.equal(errorOf(await make({}, renamed)), 'the list is not signed by the CA');
});

test('a list of 50,000 entries is made and read', async () => {
  const revoked = Array.from({ length: 50_000 }, (_, index) => ({ serial: (index + 1).toString(16), atMs: NOW }));
  assert.equal(valueOf(parseCrl(valueOf(await make({ revoked })))).revoked.size, 50_000);
});

test('property: every serial that was given is revoked, and no other', async () => {
  const serials = fc.uniqueArray(fc.bigInt({ min: 1n, max: (1n << 159n) - 1n }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      serials,
      fc.nat(2_000_000_000),
      fc.integer({ min: 0, max: NOW + DAY }),
      async (all, number, atMs) => {
        const revoked = all.map((serial) => ({ serial: serial.toString(16), atMs }));
        const crl = valueOf(parseCrl(valueOf(await make({ revoked, number }))));
        assert.equal(crl.revoked.size, revoked.length);
        for (const { serial } of revoked) assert.ok(crl.revoked.has(serial));
      },
    ),
    { numRuns: 50 },
  );
});
