import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import * as der from '../../../support/der.ts';
import { answer } from '../../../support/json-builtin.ts';
import { extension, generalName } from '../../../support/pki-certificate.ts';
import type { Extension } from '../../../support/pki-certificate.ts';
import { createAuthority } from '../../../support/pki.ts';
import type { CertificateOptions, LeafOptions } from '../../../support/pki.ts';

type Shown = Readonly<Record<string, unknown>>;

const root = createAuthority({ uris: [] });

/** The fields that are asked for; undefined where the certificate is refused. */
function shown(options: LeafOptions, ...names: readonly string[]): readonly unknown[] | undefined {
  const [one] = (answer('crypto.x509.parse_certificates', [root.issue({ uris: [], ...options }).certPem]) ??
    []) as Shown[];
  return one === undefined ? undefined : names.map((name) => one[name]);
}

function added(oid: string, value: Uint8Array, critical = false): CertificateOptions {
  return { extensions: [{ oid, critical, value }] };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

const small = (number: number, value: number): Uint8Array => der.contextPrimitive(number, Buffer.from([value]));

const pair = (oid: string, value: Uint8Array): Uint8Array => der.setOf(der.sequence(der.oid(oid), value));

describe('RFC 5280 4.1.2.4: names', () => {
  test('attributes by name in order, of common names and serial numbers the last', () => {
    const rawSubject = der.sequence(
      pair('2.5.4.6', der.printable('AT')),
      pair('2.5.4.7', der.utf8('Wien')),
      pair('2.5.4.8', der.utf8('W')),
      pair('2.5.4.9', der.utf8('Ring 1')),
      pair('2.5.4.10', der.utf8('O')),
      pair('2.5.4.10', der.utf8('P')),
      pair('2.5.4.11', der.utf8('U')),
      pair('2.5.4.17', der.utf8('1010')),
      pair('2.5.4.3', der.utf8('one')),
      pair('2.5.4.3', der.utf8('two')),
      pair('2.5.4.5', der.printable('1')),
      pair('2.5.4.5', der.printable('2')),
      pair('1.2.3', der.utf8('strange')),
    );
    const { Names, ...subject } = (shown({ rawSubject }, 'Subject')?.[0] ?? {}) as Shown;
    assert.deepEqual(subject, {
      Country: ['AT'],
      Locality: ['Wien'],
      Province: ['W'],
      StreetAddress: ['Ring 1'],
      Organization: ['O', 'P'],
      OrganizationalUnit: ['U'],
      PostalCode: ['1010'],
      CommonName: 'two',
      SerialNumber: '2',
      ExtraNames: null,
    });
    assert.equal((Names as unknown[]).length, 13);
    assert.deepEqual((Names as unknown[]).at(-1), { Type: [1, 2, 3], Value: 'strange' });
  });

  const strings: readonly (readonly [string, Uint8Array, string | undefined])[] = [
    ['UTF-8', der.utf8('\u00e9\u{1f600}'), '\u00e9\u{1f600}'],
    ['what is no UTF-8', der.tlv(0x0c, Buffer.from([0xff])), undefined],
    ['a PrintableString with the asterisk and ampersand that Go takes', der.printable('*&a'), '*&a'],
    ['a PrintableString with what neither X.680 nor Go has', der.printable('a@b'), undefined],
    ['an IA5String', der.tlv(0x16, Buffer.from('a@b')), 'a@b'],
    ['an IA5String beyond ASCII', der.tlv(0x16, Buffer.from([0x80])), undefined],
    ['a NumericString', der.tlv(0x12, Buffer.from('1 2')), '1 2'],
    ['a NumericString with a letter', der.tlv(0x12, Buffer.from('1A')), undefined],
    ['a T61String is Latin-1', der.tlv(0x14, Buffer.from([0xe9])), '\u00e9'],
    ['a BMPString', der.tlv(0x1e, Buffer.from([0, 0x61, 0x20, 0xac])), 'a\u20ac'],
    ['a BMPString with a zero at its end', der.tlv(0x1e, Buffer.from([0, 0x61, 0, 0])), 'a'],
    ['a BMPString of an odd length', der.tlv(0x1e, Buffer.from([0, 0x61, 0])), undefined],
    ['a BMPString with a surrogate', der.tlv(0x1e, Buffer.from([0xd8, 0, 0xdc, 0])), undefined],
    ['a BMPString with no character', der.tlv(0x1e, Buffer.from([0xff, 0xfe])), undefined],
    ['another type of string', der.tlv(0x1c, Buffer.from([0, 0, 0, 0x61])), undefined],
  ];
  for (const [title, value, want] of strings)
    test(title, () => {
      const [subject] = shown({ rawSubject: der.sequence(pair('2.5.4.3', value)) }, 'Subject') ?? [];
      assert.equal((subject as Shown | undefined)?.['CommonName'], want);
    });

  test('a name is of sets', () => {
    const value = der.sequence(der.sequence(der.oid('2.5.4.3'), der.utf8('a')));
    assert.equal(shown({ rawSubject: der.sequence(value) }, 'Subject'), undefined);
  });
});

describe('RFC 5280 4.1.2.5: times are shown with the offset that they were written with', () => {
  const times: readonly (readonly [string, Uint8Array, string | undefined])[] = [
    ['4.1.2.5.1: the year 50 is 1950', der.utcTime('500101000000Z'), '1950-01-01T00:00:00Z'],
    ['4.1.2.5.1: the year 49 is 2049', der.utcTime('491231235959Z'), '2049-12-31T23:59:59Z'],
    ['without seconds', der.utcTime('2001010102Z'), '2020-01-01T01:02:00Z'],
    ['east of Greenwich', der.utcTime('200101010203+0130'), '2020-01-01T01:02:03+01:30'],
    ['west of Greenwich', der.utcTime('200101010203-0500'), '2020-01-01T01:02:03-05:00'],
    ['an offset of nothing, which is to be Z', der.utcTime('200101010203+0000'), undefined],
    ['an offset of sixty minutes', der.utcTime('200101010203+0060'), undefined],
    ['no zone', der.utcTime('200101010203'), undefined],
    ['four digits of the year', der.generalizedTime('20500101000000Z'), '2050-01-01T00:00:00Z'],
    ['a time without seconds that needs them', der.generalizedTime('205001010000Z'), undefined],
    ['a time that is text of another type', der.printable('20500101000000Z'), undefined],
  ];
  for (const [title, rawNotBefore, want] of times)
    test(title, () => assert.equal(shown({ rawNotBefore }, 'NotBefore')?.[0], want));
});

const DSA = der.sequence(
  der.sequence(der.oid('1.2.840.10040.4.1'), der.sequence(der.integer(23), der.integer(11), der.integer(2))),
  der.bitString(der.integer(8)),
);

describe('RFC 5280 4.2: what extensions say', () => {
  const dotted = [2, 16, 840, 1];
  const cases: readonly (readonly [string, CertificateOptions, Shown])[] = [
    [
      '4.2.1.3: nine bits of key usage',
      { keyUsage: null, extensions: [{ oid: '2.5.29.15', critical: true, value: der.namedBits([0, 8]) }] },
      { KeyUsage: 257 },
    ],
    [
      '4.2.1.12: usages that Go knows are numbers, others are themselves',
      { extendedKeyUsage: ['2.5.29.37.0', '1.3.6.1.5.5.7.3.9', '2.16.840.1', '1.3.6.1.4.1.311.61.1.1'] },
      { ExtKeyUsage: [0, 9, 13], UnknownExtKeyUsage: [dotted] },
    ],
    [
      '4.2.1.9: no limit of the path',
      { cA: true },
      { IsCA: true, BasicConstraintsValid: true, MaxPathLen: -1, MaxPathLenZero: false },
    ],
    ['4.2.1.9: a limit of nothing', { cA: true, pathLength: 0 }, { MaxPathLen: 0, MaxPathLenZero: true }],
    ['4.2.1.9: a limit', { cA: true, pathLength: 7 }, { MaxPathLen: 7, MaxPathLenZero: false }],
    ['4.2.1.9: no constraints', { cA: null }, { IsCA: false, BasicConstraintsValid: false, MaxPathLen: 0 }],
    [
      '4.2.1.10: name constraints',
      {
        extensions: [
          extension.nameConstraints(
            [generalName.dns('in.org'), generalName.ip(Buffer.from([10, 0, 0, 0, 255, 0, 0, 0]))],
            [generalName.dns('out.org'), generalName.email('me@out.org'), generalName.uri('.out.org')],
          ),
        ],
      },
      {
        PermittedDNSDomainsCritical: true,
        PermittedDNSDomains: ['in.org'],
        PermittedIPRanges: [{ IP: '10.0.0.0', Mask: base64(Buffer.from([255, 0, 0, 0])) }],
        PermittedEmailAddresses: null,
        ExcludedDNSDomains: ['out.org'],
        ExcludedIPRanges: null,
        ExcludedEmailAddresses: ['me@out.org'],
        ExcludedURIDomains: ['.out.org'],
      },
    ],
    [
      '4.2.1.10: name constraints that are not critical',
      { extensions: [extension.nameConstraints([generalName.dns('in.org')], [], false)] },
      { PermittedDNSDomainsCritical: false, PermittedDNSDomains: ['in.org'] },
    ],
    [
      'RFC 3279 2.3.2: a key of DSA, each number by its name',
      { rawSpki: DSA },
      { PublicKeyAlgorithm: 2, PublicKey: { P: 23, Q: 11, G: 2, Y: 8 } },
    ],
    [
      '4.2.1.4: policies, of which numbers of 32 bits have no numbered form',
      added('2.5.29.32', der.sequence(der.sequence(der.oid('1.2.3')), der.sequence(der.oid('1.2.2147483648')))),
      { Policies: ['1.2.3', '1.2.2147483648'], PolicyIdentifiers: [[1, 2, 3]] },
    ],
    [
      '4.2.1.5: policy mappings',
      added('2.5.29.33', der.sequence(der.sequence(der.oid('1.2.3'), der.oid('1.2.4')))),
      { PolicyMappings: [{ IssuerDomainPolicy: '1.2.3', SubjectDomainPolicy: '1.2.4' }] },
    ],
    [
      '4.2.1.11: policy constraints, zero being told from none',
      added('2.5.29.36', der.sequence(small(0, 0), small(1, 3))),
      {
        RequireExplicitPolicy: 0,
        RequireExplicitPolicyZero: true,
        InhibitPolicyMapping: 3,
        InhibitPolicyMappingZero: false,
        InhibitAnyPolicyZero: false,
      },
    ],
    [
      '4.2.1.11: the most of 64 bits, and a number below nothing, as Go reads them',
      added('2.5.29.36', der.sequence(der.contextPrimitive(0, Buffer.from('8000000000000000', 'hex')), small(1, 0xff))),
      { RequireExplicitPolicy: -(2 ** 63), InhibitPolicyMapping: -1 },
    ],
    ['4.2.1.14: inhibited any policy', added('2.5.29.54', der.integer(4)), { InhibitAnyPolicy: 4 }],
    [
      '4.2.1.13: every full name of every distribution point',
      added(
        '2.5.29.31',
        der.sequence(
          der.sequence(der.context(0, der.context(0, generalName.uri('http://a/'), generalName.uri('http://b/')))),
          der.sequence(small(1, 1)),
          der.sequence(der.context(0, der.context(0, generalName.uri('http://c/')))),
        ),
      ),
      { CRLDistributionPoints: ['http://a/', 'http://b/', 'http://c/'] },
    ],
    [
      '4.2.2.1: access to the authority, by method; places that are no URI are read over',
      added(
        '1.3.6.1.5.5.7.1.1',
        der.sequence(
          der.sequence(der.oid('1.3.6.1.5.5.7.48.1'), generalName.uri('http://ocsp/')),
          der.sequence(der.oid('1.3.6.1.5.5.7.48.2'), generalName.dns('no')),
          der.sequence(der.oid('1.3.6.1.5.5.7.48.2'), generalName.uri('http://ca/')),
          der.sequence(der.oid('1.3.6.1.5.5.7.48.3'), generalName.uri('http://other/')),
        ),
      ),
      { OCSPServer: ['http://ocsp/'], IssuingCertificateURL: ['http://ca/'] },
    ],
    [
      '4.2.1.1, 4.2.1.2: key identifiers',
      {
        authorityKeyId: Buffer.from('above'),
        editExtensions: (list) => [
          ...list.filter(({ oid }) => oid !== '2.5.29.14'),
          extension.subjectKeyIdentifier(Buffer.from('own')),
        ],
      },
      { AuthorityKeyId: base64(Buffer.from('above')), SubjectKeyId: base64(Buffer.from('own')) },
    ],
    [
      'one that nobody knows, and that is critical',
      added('1.2.3.4', der.derNull(), true),
      { UnhandledCriticalExtensions: [[1, 2, 3, 4]] },
    ],
    ['nothing', { editExtensions: () => [] }, { Extensions: null, ExtKeyUsage: null, DNSNames: null, KeyUsage: 0 }],
  ];
  for (const [title, options, want] of cases)
    test(title, () => assert.deepEqual(shown(options, ...Object.keys(want)), Object.values(want)));

  const twice = der.sequence(der.sequence(der.oid('1.2.3')), der.sequence(der.oid('1.2.3')));
  const refused: readonly (readonly [string, readonly Extension[]])[] = [
    ['4.2.1.4: a policy twice', added('2.5.29.32', twice).extensions ?? []],
    [
      '4.2.2.1: access to the authority that is critical',
      added('1.3.6.1.5.5.7.1.1', der.sequence(), true).extensions ?? [],
    ],
    ['4.2.1.3: bits that are no bits', added('2.5.29.15', der.derNull()).extensions ?? []],
    ['4.2.1.14: no number', added('2.5.29.54', der.derNull()).extensions ?? []],
    ['4.2.1.14: a number beyond 64 bits', added('2.5.29.54', der.integer(2n ** 63n)).extensions ?? []],
    [
      '4.2.1.11: a number beyond 64 bits',
      added('2.5.29.36', der.sequence(der.contextPrimitive(0, Buffer.from('008000000000000000', 'hex')))).extensions ??
        [],
    ],
  ];
  for (const [title, extensions] of refused)
    test(`refused: ${title}`, () => assert.equal(shown({ keyUsage: null, extensions }, 'Raw'), undefined));
});

test('4.1: a certificate of version 1 has no extensions, of version 2 neither', () => {
  assert.deepEqual(shown({ version: 1, editExtensions: () => [] }, 'Version', 'Extensions'), [1, null]);
  assert.deepEqual(shown({ version: 2, dnsNames: ['a.org'] }, 'Version', 'DNSNames'), [2, null]);
});
