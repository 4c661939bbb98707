import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';

import { parseCertificate } from '../../../src/core/identity/certificate.ts';
import type { CertificateExtensions } from '../../../src/core/identity/extensions.ts';
import * as der from '../../support/der.ts';
import type { CertificateOptions } from '../../support/pki.ts';
import { createAuthority } from '../../support/pki.ts';
import type { Extension } from '../../support/pki-certificate.ts';
import { extension, generalName, OID } from '../../support/pki-certificate.ts';
import { createKeyPair, keyIdentifier } from '../../support/pki-keys.ts';

const root = createAuthority();
const keys = createKeyPair();
const issue = (options: CertificateOptions): Uint8Array => root.issue({ keys, ...options }).der;

function reading(options: CertificateOptions): CertificateExtensions {
  const result = parseCertificate(issue(options));
  assert.ok(result.ok, JSON.stringify(result));
  return result.value.extensions;
}

function refusal(options: CertificateOptions): string {
  const result = parseCertificate(issue(options));
  assert.ok(!result.ok, 'was read');
  return result.error.detail;
}

const manyExtensions = (count: number): CertificateOptions => ({
  editExtensions: () =>
    Array.from({ length: count }, (_, i) => ({ oid: `1.2.${i}`, critical: false, value: der.derNull() })),
});
const dnsNames = (count: number): CertificateOptions => ({
  dnsNames: Array.from({ length: count }, (_, i) => `n${i}.example.org`),
  uris: [],
});
const constraints = (...parts: readonly Uint8Array[]): CertificateOptions =>
  only(OID.basicConstraints, der.sequence(...parts));
const authorityKey = (...parts: readonly Uint8Array[]): CertificateOptions =>
  only(OID.authorityKeyIdentifier, der.sequence(...parts));

/** Only this extension, with this value. */
const only = (oid: string, value: Uint8Array, critical = false): CertificateOptions => ({
  editExtensions: () => [{ oid, critical, value }],
});

test('all extensions that matter are read, as OpenSSL reads them', () => {
  const bytes = issue({
    uris: ['spiffe://example.org/agent'],
    dnsNames: ['a.example.org', '*.example.org'],
    keyUsage: ['digitalSignature', 'keyAgreement'],
    extensions: [extension.crlDistributionPoints('http://example.org/crl')],
  });
  const result = parseCertificate(bytes);
  assert.ok(result.ok);
  const { extensions } = result.value;
  const other = new X509Certificate(bytes);
  assert.deepEqual(extensions.subjectAltName, {
    critical: true,
    names: [
      { form: 'uri', text: 'spiffe://example.org/agent' },
      { form: 'dns', text: 'a.example.org' },
      { form: 'dns', text: '*.example.org' },
    ],
  });
  assert.equal(other.subjectAltName, 'URI:spiffe://example.org/agent, DNS:a.example.org, DNS:*.example.org');
  assert.deepEqual(extensions.extendedKeyUsage, other.keyUsage);
  assert.deepEqual(extensions.keyUsage, { critical: true, bits: new Set([0, 4]) });
  assert.deepEqual(extensions.basicConstraints, { cA: other.ca, pathLength: undefined });
  assert.equal(extensions.subjectKeyId, keyIdentifier(keys).toHex());
  assert.equal(extensions.authorityKeyId, keyIdentifier(root.certificate.keys).toHex());
  assert.deepEqual(extensions.distributionPoints, [generalName.uri('http://example.org/crl').toHex()]);
  assert.deepEqual(extensions.unknownCritical, []);
});

test('what is not there is undefined', () => {
  const found = reading(only('1.2.3', der.derNull()));
  assert.deepEqual(
    [found.subjectAltName, found.keyUsage, found.extendedKeyUsage, found.basicConstraints, found.nameConstraints],
    [undefined, undefined, undefined, undefined, undefined],
  );
  assert.deepEqual([found.subjectKeyId, found.authorityKeyId, found.distributionPoints], [undefined, undefined, []]);
});

test('RFC 5280 4.2: an extension that is there twice is refused, even with the same value', () => {
  for (const twice of [
    extension.keyUsage(['digitalSignature']),
    { oid: '1.2.3', critical: false, value: der.derNull() },
  ]) {
    assert.match(refusal({ editExtensions: (list) => [...list, twice, twice] }), /there twice/);
  }
  const second = extension.subjectAltName([generalName.uri('spiffe://example.org/admin')]);
  assert.match(refusal({ extensions: [second] }), /2\.5\.29\.17: there twice/);
});

test('RFC 5280 4.2: critical extensions that are not read are named', () => {
  const made: Extension[] = ['1.2.3.4', '2.5.29.36', '2.5.29.54'].map((oid) => ({
    oid,
    critical: true,
    value: der.derNull(),
  }));
  const harmless: Extension = { oid: '1.2.3.5', critical: false, value: der.derNull() };
  assert.deepEqual(reading({ extensions: [...made, harmless] }).unknownCritical, ['1.2.3.4', '2.5.29.36', '2.5.29.54']);
});

test('a critical distribution point would promise that we fetch from it, so it counts as not processed', () => {
  const point = { ...extension.crlDistributionPoints('http://example.org/crl'), critical: true };
  assert.deepEqual(reading({ extensions: [point] }).unknownCritical, [OID.crlDistributionPoints]);
});

test('RFC 5280 4.1.2.9: an empty list of extensions is refused', () => {
  const result = parseCertificate(issue({ editExtensions: () => [] }));
  assert.ok(!result.ok);
  assert.match(result.error.detail, /extensions: missing/);
});

test('more than 64 extensions are refused', () => {
  reading(manyExtensions(64));
  assert.match(refusal(manyExtensions(65)), /more than 64/);
});

test('X.690 11.5: critical FALSE spelt out is refused', () => {
  const item = der.sequence(der.oid('1.2.3'), der.boolean(false), der.octetString(der.derNull()));
  const bytes = Buffer.from(issue(only('1.2.3', der.derNull())));
  const good = der.sequence(der.oid('1.2.3'), der.octetString(der.derNull()));
  const at = bytes.indexOf(good);
  assert.ok(at > 0);
  // The same certificate, by hand, with the longer item: every length around it grows by three.
  const grown = growAt(bytes, at, good.length, item);
  const result = parseCertificate(grown);
  assert.ok(!result.ok);
  assert.match(result.error.detail, /default value is left out/);
});

/** Puts `item` in place of `length` octets at `at` and corrects the lengths of all elements around them. */
function growAt(bytes: Uint8Array, at: number, length: number, item: Uint8Array): Uint8Array {
  const rebuild = (element: Uint8Array, offset: number): Uint8Array => {
    if (offset === at && element.length === length) return item;
    const head = (element[1] ?? 0) < 0x80 ? 2 : 2 + ((element[1] ?? 0) & 0x7f);
    const constructed = ((element[0] ?? 0) & 0x20) !== 0;
    if (!constructed || at < offset || at >= offset + element.length) return element;
    const parts: Uint8Array[] = [];
    for (let i = head; i < element.length;) {
      const partHead = (element[i + 1] ?? 0) < 0x80 ? 2 : 2 + ((element[i + 1] ?? 0) & 0x7f);
      const size =
        partHead === 2
          ? (element[i + 1] ?? 0)
          : element.subarray(i + 2, i + partHead).reduce((sum, octet) => sum * 256 + octet, 0);
      parts.push(rebuild(element.subarray(i, i + partHead + size), offset + i));
      i += partHead + size;
    }
    return der.tlv(element[0] ?? 0, ...parts);
  };
  return rebuild(bytes, 0);
}

test('RFC 5280 4.2.1.6: an empty SAN is refused', () => {
  assert.match(refusal(only(OID.subjectAltName, der.sequence())), /no such form/);
});

test('RFC 5280 4.2.1.6: NUL, controls and bytes above 7E in IA5 names are refused (CVE-2026-47778, CVE-2025-66220)', () => {
  for (const octet of [0, 1, 10, 13, 31, 127, 128, 255]) {
    const bytes = Buffer.concat([Buffer.from('spiffe://example.org/a'), Buffer.from([octet]), Buffer.from('b')]);
    assert.match(refusal({ uris: [bytes] }), /visible ASCII/, String(octet));
    assert.match(refusal({ otherNames: [generalName.email(bytes)] }), /visible ASCII/, String(octet));
    assert.match(refusal({ dnsNames: [Buffer.from([97, octet])] }), /visible ASCII/, String(octet));
  }
});

test('DNS names that are none are refused: they go into headers (CVE-2021-44532)', () => {
  for (const text of [
    '',
    'a b',
    'a, URI:spiffe://example.org/admin',
    'a"b',
    'a;b',
    'a=b',
    'a/b',
    'a:b',
    'x'.repeat(254),
  ]) {
    assert.match(refusal({ dnsNames: [text] }), /not a DNS name/, text);
  }
});

test('the other forms of name are taken note of, not read', () => {
  const names = [
    generalName.email('a@example.org'),
    generalName.ip(Buffer.from([127, 0, 0, 1])),
    generalName.directory(der.sequence()),
    generalName.other('1.2.3', der.utf8('x')),
    der.contextPrimitive(8, Buffer.from([42])),
  ];
  const forms = reading({ uris: [], otherNames: names }).subjectAltName?.names.map(({ form }) => form);
  assert.deepEqual(forms, ['email', 'ip', 'directory', 'other', 'other']);
});

test('forms of name that do not exist are refused', () => {
  for (const wrong of [
    der.contextPrimitive(9, Buffer.from('a')),
    der.context(6, Buffer.from('a')),
    der.contextPrimitive(4, Buffer.alloc(0)),
    der.utf8('a'),
  ]) {
    assert.match(refusal({ otherNames: [wrong] }), /no such form/);
  }
});

test('a thousand names are refused: constraints are compared with each', () => {
  reading(dnsNames(128));
  assert.match(refusal(dnsNames(129)), /more than 128/);
  assert.match(refusal(dnsNames(1000)), /more than 128/);
});

test('a name of over 4096 bytes is refused', () => {
  reading({ uris: ['a'.repeat(4096)] });
  assert.match(refusal({ uris: ['a'.repeat(4097)] }), /over 4096/);
});

test('RFC 5280 4.2.1.3: a key usage without any bit is refused', () => {
  assert.match(refusal(only(OID.keyUsage, der.namedBits([]))), /no bit/);
  assert.match(refusal(only(OID.keyUsage, der.bitString(Buffer.from([0x80]), 0))), /named bit list/);
});

test('RFC 5280 4.2.1.9: basic constraints', () => {
  assert.deepEqual(reading(constraints()).basicConstraints, { cA: false, pathLength: undefined });
  assert.deepEqual(reading(constraints(der.boolean(true))).basicConstraints, { cA: true, pathLength: undefined });
  assert.deepEqual(reading(constraints(der.boolean(true), der.integer(3))).basicConstraints, {
    cA: true,
    pathLength: 3,
  });
  assert.match(refusal(constraints(der.boolean(false))), /default value/);
  assert.match(refusal(constraints(der.integer(3))), /without cA/);
  assert.match(refusal(constraints(der.boolean(true), der.integer(-1))), /negative/);
  assert.match(refusal(constraints(der.boolean(true), der.integer(1), der.integer(1))), /something follows/);
});

test('RFC 5280 4.2.1.10: name constraints', () => {
  const made = extension.nameConstraints(
    [generalName.uri('.example.org'), generalName.dns('')],
    [generalName.uri('bad.example.org')],
  );
  assert.deepEqual(reading({ extensions: [made] }).nameConstraints, {
    permitted: [
      { form: 'uri', text: '.example.org' },
      { form: 'dns', text: '' },
    ],
    excluded: [{ form: 'uri', text: 'bad.example.org' }],
  });
  assert.match(refusal(only(OID.nameConstraints, der.sequence())), /empty/);
  const minimum = der.sequence(generalName.uri('example.org'), der.contextPrimitive(0, Buffer.from([1])));
  assert.match(refusal(only(OID.nameConstraints, der.sequence(der.context(0, minimum)))), /something follows/);
});

test('name constraints are at most 128 on a side', () => {
  const many = Array.from({ length: 129 }, () => generalName.uri('a'));
  assert.match(refusal({ extensions: [extension.nameConstraints(many, [])] }), /more than 128/);
  assert.match(refusal({ extensions: [extension.nameConstraints([], many)] }), /more than 128/);
});

test('RFC 5280 4.2.1.12: an empty extended key usage is refused', () => {
  assert.match(refusal(only(OID.extendedKeyUsage, der.sequence())), /missing/);
  assert.match(refusal(only(OID.extendedKeyUsage, der.sequence(der.utf8('a')))), /tag 12/);
});

test('RFC 5280 4.2.1.1: an authority key identifier with issuer and serial number beside, or instead', () => {
  const id = keyIdentifier(keys);
  const issuer = der.context(1, generalName.directory(der.sequence()));
  const serial = der.contextPrimitive(2, Buffer.from([1]));
  assert.equal(reading(authorityKey(der.contextPrimitive(0, id), issuer, serial)).authorityKeyId, id.toHex());
  assert.equal(reading(authorityKey(issuer, serial)).authorityKeyId, undefined);
  assert.match(refusal(authorityKey(serial, issuer)), /something follows/);
});

test('RFC 5280 4.2.1.13: distribution points with reasons, issuer or relative name', () => {
  const uri = generalName.uri('http://example.org/crl');
  const full = der.context(0, der.context(0, uri));
  const relative = der.context(0, der.context(1, der.sequence()));
  const reasons = der.contextPrimitive(1, Buffer.from([6, 0x40]));
  const issuer = der.context(2, generalName.directory(der.sequence()));
  const points = (...list: readonly Uint8Array[]): readonly string[] =>
    reading(only(OID.crlDistributionPoints, der.sequence(...list))).distributionPoints;
  const hex = uri.toHex();
  assert.deepEqual(points(der.sequence(full), der.sequence(full, reasons, issuer)), [hex, hex]);
  assert.deepEqual(points(der.sequence(relative), der.sequence(issuer)), []);
  assert.match(refusal(only(OID.crlDistributionPoints, der.sequence(der.sequence(issuer, full)))), /something follows/);
});

test('bytes after the value of an extension are refused', () => {
  for (const made of [
    extension.keyUsage(['digitalSignature']),
    extension.basicConstraints(false, undefined),
    extension.extendedKeyUsage([OID.clientAuth]),
  ]) {
    assert.match(refusal(only(made.oid, Buffer.concat([made.value, der.derNull()]))), /something follows/, made.oid);
  }
});
