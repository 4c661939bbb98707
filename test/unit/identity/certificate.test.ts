import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';

import fc from 'fast-check';

import type { Certificate } from '../../../src/core/identity/certificate.ts';
import { MAX_CERTIFICATE_BYTES, parseCertificate } from '../../../src/core/identity/certificate.ts';
import { formatName } from '../../../src/core/identity/distinguished-name.ts';
import * as der from '../../support/der.ts';
import type { CertificateOptions } from '../../support/pki.ts';
import { createAuthority } from '../../support/pki.ts';
import { createKeyPair, spkiOf } from '../../support/pki-keys.ts';

const root = createAuthority();
const keys = createKeyPair();

/** A leaf, all with one key: making keys takes longest. */
const issue = (options: CertificateOptions = {}): Uint8Array => root.issue({ keys, ...options }).der;

function reading(bytes: Uint8Array): Certificate {
  const result = parseCertificate(bytes);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

function refusal(bytes: Uint8Array): string {
  const result = parseCertificate(bytes);
  assert.ok(!result.ok, 'was read');
  assert.equal(result.error.code, 'peer_certificate_malformed');
  return result.error.detail;
}

test('RFC 5280 4.1: a certificate is read as OpenSSL reads it', () => {
  const issued = root.issue({ id: 'spiffe://example.org/agent', subject: 'agent', dnsNames: ['agent.example.org'] });
  const certificate = reading(issued.der);
  const other = new X509Certificate(issued.der);
  assert.equal(certificate.serial, other.serialNumber.toLowerCase().replace(/^0/, ''));
  assert.equal(certificate.notBeforeMs, other.validFromDate.getTime());
  assert.equal(certificate.notAfterMs, other.validToDate.getTime());
  assert.equal(formatName(certificate.subject), other.subject);
  assert.equal(formatName(certificate.issuer), other.issuer);
  assert.equal(certificate.spki.toHex(), other.publicKey.export({ type: 'spki', format: 'der' }).toHex());
});

test('RFC 5280 4.1: what is read as signed is what the library checks the signature of', () => {
  const issued = issue();
  const certificate = reading(issued);
  assert.ok(new X509Certificate(issued).verify(root.certificate.keys.publicKey));
  assert.deepEqual([...certificate.der], [...issued]);
  assert.ok(Buffer.from(certificate.der).includes(Buffer.from(certificate.tbs)));
});

test('changing the bytes afterwards changes nothing that was read', () => {
  const bytes = Uint8Array.from(issue({ subject: 'agent' }));
  const certificate = reading(bytes);
  bytes.fill(0);
  assert.equal(formatName(certificate.subject), 'CN=agent');
  assert.equal(certificate.der[0], 0x30);
});

test('RFC 5280 4.1.2.1: versions 1 and 2 are refused, and a version spelt out that is the default', () => {
  assert.match(refusal(issue({ version: 1 })), /version/);
  assert.match(refusal(issue({ version: 2 })), /not 3/);
  assert.match(refusal(issue({ version: 4 })), /not 3/);
});

test('RFC 5280 4.1.2.2: serial numbers are positive and at most 20 octets long', () => {
  assert.equal(reading(issue({ serial: 1n })).serial, '1');
  assert.equal(reading(issue({ serial: 255n })).serial, 'ff');
  assert.equal(reading(issue({ serial: 0x0102n })).serial, '102');
  const largest = (1n << 160n) - 1n;
  assert.equal(reading(issue({ serial: largest })).serial, 'f'.repeat(40));
  for (const serial of [0n, -1n, -(1n << 64n), largest + 1n, 1n << 200n])
    assert.match(refusal(issue({ serial })), /serial/, String(serial));
});

test('RFC 5280 4.1.1.2: the algorithm inside and outside must be the same', () => {
  const rsa = der.sequence(der.oid('1.2.840.113549.1.1.11'), der.derNull());
  assert.match(refusal(issue({ outerAlgorithm: rsa })), /not the same/);
  assert.match(
    refusal(issue({ outerAlgorithm: der.sequence(der.oid('1.2.840.10045.4.3.2'), der.derNull()) })),
    /not the same/,
  );
});

test('an algorithm identifier beyond any use is refused', () => {
  const long = der.sequence(der.oid('1.2.840.10045.4.3.2'), der.octetString(new Uint8Array(300)));
  assert.match(refusal(issue({ outerAlgorithm: long })), /too long/);
});

test('RFC 5280 4.1.2.4: an empty issuer is refused', () => {
  assert.match(refusal(issue({ rawIssuer: der.sequence() })), /issuer: empty/);
});

test('RFC 5280 4.1.2.5: times of another form are refused', () => {
  assert.match(refusal(issue({ rawNotAfter: der.generalizedTime('20400101000000Z') })), /notAfter/);
  assert.match(refusal(issue({ rawNotBefore: der.utcTime('2601010000Z') })), /notBefore/);
  assert.equal(
    reading(issue({ notAfter: new Date('9999-12-31T23:59:59Z') })).notAfterMs,
    Date.UTC(9999, 11, 31, 23, 59, 59),
  );
});

test('RFC 5280 4.1.2.8: unique identifiers are read over', () => {
  const plain = issue();
  const withIds = insertIntoTbs(
    plain,
    der.contextPrimitive(1, Buffer.from([0, 1])),
    der.contextPrimitive(2, Buffer.from([0, 2])),
  );
  assert.equal(reading(withIds).serial, reading(plain).serial);
  assert.match(refusal(insertIntoTbs(plain, der.contextPrimitive(1, Buffer.from([9, 1])))), /unique identifier/);
});

/** The certificate with `extra` before its extensions; its signature is then wrong, which nobody looks at here. */
function insertIntoTbs(certificate: Uint8Array, ...extra: readonly Uint8Array[]): Uint8Array {
  const { tbs, signature, signatureAlgorithm } = reading(certificate);
  const parts: Uint8Array[] = [];
  const content = tbs.subarray(tbs[1] === 0x82 ? 4 : tbs[1] === 0x81 ? 3 : 2);
  for (let rest = content; rest.length > 0;) {
    const length = headLength(rest) + contentLength(rest);
    parts.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  const extensions = parts.pop() ?? new Uint8Array();
  return der.sequence(
    der.sequence(...parts, ...extra, extensions),
    Uint8Array.fromHex(signatureAlgorithm),
    der.bitString(signature),
  );
}

const headLength = (element: Uint8Array): number => ((element[1] ?? 0) < 0x80 ? 2 : 2 + ((element[1] ?? 0) & 0x7f));
function contentLength(element: Uint8Array): number {
  if ((element[1] ?? 0) < 0x80) return element[1] ?? 0;
  return element.subarray(2, headLength(element)).reduce((sum, octet) => sum * 256 + octet, 0);
}

test('bytes after a certificate, or inside after its signature, are refused', () => {
  const good = issue();
  assert.match(refusal(Buffer.concat([good, Buffer.from([0])])), /something follows/);
  const { tbs, signature, signatureAlgorithm } = reading(good);
  const parts = [tbs, Uint8Array.fromHex(signatureAlgorithm), der.bitString(signature)];
  reading(der.sequence(...parts));
  assert.match(refusal(der.sequence(...parts, der.derNull())), /something follows/);
});

test('a signature of a broken number of bits is refused', () => {
  const { tbs, signature, signatureAlgorithm } = reading(issue());
  const algorithm = Uint8Array.fromHex(signatureAlgorithm);
  const even = Uint8Array.from(signature);
  even[even.length - 1] = 0;
  assert.match(refusal(der.sequence(tbs, algorithm, der.bitString(even, 1))), /whole octets/);
});

test('a certificate has at most 64 KiB', () => {
  const big = issue({
    extensions: [{ oid: '1.2.3', critical: false, value: der.octetString(new Uint8Array(60_000)) }],
  });
  assert.ok(big.length < MAX_CERTIFICATE_BYTES);
  reading(big);
  const bigger = issue({
    extensions: [{ oid: '1.2.3', critical: false, value: der.octetString(new Uint8Array(66_000)) }],
  });
  assert.match(refusal(bigger), /over 65536/);
});

test('nothing and garbage are refused', () => {
  for (const bytes of [new Uint8Array(), Uint8Array.of(0x30), Buffer.from('-----BEGIN CERTIFICATE-----'), spkiOf(keys)])
    refusal(bytes);
});

test('property: a certificate cut short anywhere is refused', () => {
  const good = issue();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: good.length - 1 }), (length) => {
      refusal(good.subarray(0, length));
    }),
  );
});

test('property: any octets give a certificate or a fault, never a throw', () => {
  const good = issue();
  const spliced = fc
    .tuple(fc.nat(good.length), fc.nat(40), fc.uint8Array({ maxLength: 40 }))
    .map(([at, removed, added]) => Buffer.concat([good.subarray(0, at), added, good.subarray(at + removed)]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), spliced), (bytes) => {
      assert.equal(typeof parseCertificate(bytes).ok, 'boolean');
    }),
    { numRuns: 3000 },
  );
});
