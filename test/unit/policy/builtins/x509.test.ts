import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import type { BuiltinContext } from '../../../../src/core/policy/builtin.ts';
import { HOST_BUILTINS } from '../../../../src/core/policy/builtins/table.ts';
import { FREE, limited } from '../../../support/builtin-call.ts';
import * as der from '../../../support/der.ts';
import { answer } from '../../../support/json-builtin.ts';
import { OID, extension, generalName } from '../../../support/pki-certificate.ts';
import type { Extension } from '../../../support/pki-certificate.ts';
import { createAuthority } from '../../../support/pki.ts';
import type { CertificateOptions, LeafOptions } from '../../../support/pki.ts';

const HOUR = 3_600_000;
const PARSE = 'crypto.x509.parse_certificates';
const VERIFY = 'crypto.x509.parse_and_verify_certificates';
const VERIFY_WITH = 'crypto.x509.parse_and_verify_certificates_with_options';

type Shown = Readonly<Record<string, unknown>>;

function at(ms: number): BuiltinContext {
  return { ...FREE, nowNs: () => `${BigInt(ms) * 1_000_000n}` };
}

const NOW = at(Date.now());

function parse(text: string): Shown | undefined {
  return (answer(PARSE, [text]) as Shown[] | undefined)?.[0];
}

function pem(...certificates: readonly Uint8Array[]): string {
  return certificates.map((one) => der.pem('CERTIFICATE', one)).join('');
}

const root = createAuthority({ uris: [] });

function parsed(options: LeafOptions): Shown | undefined {
  return parse(root.issue(options).certPem);
}

describe('crypto.x509.parse_certificates: Go shows a certificate', () => {
  test('the fields agree with what OpenSSL reads', () => {
    for (const keyKind of ['p256', 'p384', 'p521', 'p224', 'ed25519', 'rsa2048'] as const) {
      const { certPem, der: bytes } = root.issue({ keyKind, subject: 'A name', dnsNames: ['a.example'] });
      const shown = parse(certPem);
      const other = new X509Certificate(bytes);
      assert.ok(shown !== undefined);
      assert.equal(shown['Raw'], Buffer.from(bytes).toString('base64'));
      assert.equal(new Date(String(shown['NotAfter'])).getTime(), new Date(other.validTo).getTime());
      assert.deepEqual(shown['DNSNames'], ['a.example']);
      assert.deepEqual(shown['URIStrings'], ['spiffe://example.org/agent']);
      assert.equal((shown['Subject'] as Shown)['CommonName'], 'A name');
      assert.equal(
        shown['RawSubjectPublicKeyInfo'],
        other.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
      );
      assert.deepEqual(
        [shown['IsCA'], shown['Version'], shown['KeyUsage'], shown['ExtKeyUsage']],
        [false, 3, 1, [1, 2]],
      );
      assert.equal(shown['PublicKeyAlgorithm'], { ed25519: 4, rsa2048: 1 }[keyKind as string] ?? 3);
    }
  });

  test('PEM, base64 of PEM and base64 of DER one behind the other are the same', () => {
    const [one, other] = [root.issue(), root.issue()];
    const text = pem(one.der, other.der);
    const want = answer(PARSE, [text]);
    assert.equal((want as unknown[]).length, 2);
    assert.deepEqual(answer(PARSE, [Buffer.from(text).toString('base64')]), want);
    assert.deepEqual(answer(PARSE, [Buffer.concat([one.der, other.der]).toString('base64')]), want);
    assert.deepEqual(answer(PARSE, ['']), []);
  });

  test('a number of 20 bytes keeps all of its digits', () => {
    const serial = 2n ** 158n + 1n;
    const text = HOST_BUILTINS.get(PARSE)?.call([{ kind: 'string', value: root.issue({ serial }).certPem }], FREE);
    assert.ok(JSON.stringify(text).includes(String(serial)));
  });

  test('URIs are taken apart as by Go', () => {
    const uris = (parsed({ uris: ['http://u:p@h.example:80/a%20b?q#f%2f', 'spiffe://a/b c', 'urn:x:y'] })?.['URIs'] ??
      []) as Shown[];
    assert.deepEqual(
      uris.map(({ Host, Path, RawPath, RawQuery, Opaque, User }) => [Host, Path, RawPath, RawQuery, Opaque, User]),
      [
        ['h.example:80', '/a b', '', 'q', '', {}],
        ['a', '/b c', '/b c', '', '', null],
        ['', '', '', '', 'x:y', null],
      ],
    );
  });

  const refused: readonly (readonly [string, LeafOptions])[] = [
    ['a negative serial number', { serial: -5n }],
    ['two signature algorithms', { outerAlgorithm: der.sequence(der.oid('1.2.840.10045.4.3.3')) }],
    ['an extension twice', { editExtensions: (list) => [...list, ...list.slice(0, 1)] }],
    ['version 4', { version: 4 }],
    ['a URI with a bad escape', { uris: ['http://a/%zz'] }],
    ['a URI with an invalid domain', { uris: ['http://a..b/'] }],
    ['a name that is not ASCII', { dnsNames: ['\u00e9.example'] }],
    ['an address of five bytes', { otherNames: [generalName.ip(Buffer.alloc(5))] }],
    ['a critical key identifier', { editExtensions: critical('2.5.29.14') }],
    ['a critical authority key identifier', { editExtensions: critical('2.5.29.35') }],
    ['a time with a fraction', { rawNotBefore: der.generalizedTime('20200101000000.5Z') }],
    ['the thirtieth of February', { rawNotBefore: der.utcTime('210230000000Z') }],
    ['a point that is not on its curve', { rawSpki: offCurve() }],
    ['name constraints that are empty', { extensions: [extension.nameConstraints([], [])] }],
    [
      'a malformed extension',
      { extensions: [{ oid: '2.5.29.37', critical: false, value: Buffer.from([0x30, 0x80]) }] },
    ],
  ];
  for (const [title, options] of refused) test(`refused: ${title}`, () => assert.equal(parsed(options), undefined));

  test('refused: other blocks of PEM, data behind a certificate, no base64', () => {
    const { certPem, der: bytes } = root.issue();
    assert.equal(parse(certPem.replaceAll('CERTIFICATE', 'X509 CRL')), undefined);
    assert.equal(parse(Buffer.concat([bytes, Buffer.from([0])]).toString('base64')), undefined);
    assert.equal(parse('%'), undefined);
    for (let length = 0; length < bytes.length; length += 7)
      assert.notEqual(typeof parse(Buffer.from(bytes.subarray(0, length)).toString('base64')), 'object');
  });

  test('any change of bytes gives a certificate or an error of its own', () => {
    const { der: bytes } = root.issue({
      subject: 'x',
      extensions: [extension.nameConstraints([generalName.dns('a')], [])],
    });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (index, value) => {
        const changed = Buffer.from(bytes);
        changed[index] = value;
        answer(PARSE, [changed.toString('base64')]);
      }),
      { numRuns: 500 },
    );
  });
});

function critical(oid: string): (list: readonly Extension[]) => readonly Extension[] {
  return (list) => list.map((one) => (one.oid === oid ? { ...one, critical: true } : one));
}

/** A key of P-256 whose point is (1, 1). */
function offCurve(): Uint8Array {
  const point = Buffer.concat([
    Buffer.from([4]),
    Buffer.alloc(31),
    Buffer.from([1]),
    Buffer.alloc(31),
    Buffer.from([1]),
  ]);
  return der.sequence(der.sequence(der.oid('1.2.840.10045.2.1'), der.oid('1.2.840.10045.3.1.7')), der.bitString(point));
}

describe('RFC 5280 6.1: the last certificate is verified up to the first', () => {
  const leafOptions = { dnsNames: ['a.example.org'], subject: 'leaf' };

  function verified(middle: CertificateOptions, leaf: LeafOptions = {}, context = NOW): unknown {
    const authority = root.intermediate({ uris: [], ...middle });
    const issued = authority.issue({ ...leafOptions, uris: [], ...leaf });
    const text = pem(root.certificate.der, authority.certificate.der, issued.der);
    return (answer(VERIFY, [text], context) as unknown[])[0];
  }

  test('a chain is given leaf first', () => {
    const authority = root.intermediate({ uris: [] });
    const leaf = authority.issue(leafOptions);
    const [valid, chain] = answer(VERIFY, [pem(root.certificate.der, authority.certificate.der, leaf.der)], NOW) as [
      boolean,
      Shown[],
    ];
    assert.equal(valid, true);
    assert.deepEqual(
      chain.map((one) => one['Raw']),
      [leaf.der, authority.certificate.der, root.certificate.der].map((one) => Buffer.from(one).toString('base64')),
    );
    assert.ok(chain.every((one) => 'URIStrings' in one));
  });

  test('whatever algorithms Go verifies', () => {
    for (const keyKind of ['p256', 'p384', 'p521', 'p224', 'ed25519', 'rsa2048'] as const)
      assert.equal(verified({ keyKind }), true, keyKind);
    assert.equal(verified({ keyKind: 'rsa2048' }, { digest: 'pss-sha256' }), true);
  });

  const refused: readonly (readonly [string, CertificateOptions, LeafOptions])[] = [
    ['a broken signature', {}, { breakSignature: true }],
    ['a broken signature above', { breakSignature: true }, {}],
    ['SHA-1', {}, { digest: 'sha1' }],
    ['4.2.1.9: an issuer that is no authority', { cA: false }, {}],
    ['4.2.1.9: an issuer without basic constraints', { cA: null }, {}],
    ['4.2.1.3: a key that may not sign certificates', { keyUsage: ['digitalSignature'] }, {}],
    ['expired', {}, { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) }],
    ['not valid yet', {}, { notBefore: new Date(Date.now() + HOUR), notAfter: new Date(Date.now() + 2 * HOUR) }],
    ['an expired issuer', { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) }, {}],
    [
      '4.2: a critical extension that nobody knows',
      {},
      { extensions: [{ oid: '1.2.3.4', critical: true, value: der.derNull() }] },
    ],
    ['4.2.1.12: another usage', {}, { extendedKeyUsage: [OID.clientAuth] }],
    ['4.2.1.12: another usage above', { extendedKeyUsage: [OID.clientAuth] }, {}],
    ['4.2.1.10: a name that is excluded', nameConstraints([], [generalName.dns('example.org')]), {}],
    ['4.2.1.10: a name that is not permitted', nameConstraints([generalName.dns('other.org')], []), {}],
    ['4.2.1.10: a URI with an address', nameConstraints([generalName.uri('x.org')], []), { uris: ['http://[::1]/'] }],
    [
      '4.2.1.10: an address',
      nameConstraints([], [range()]),
      { otherNames: [generalName.ip(Buffer.from([10, 1, 2, 3]))] },
    ],
    [
      '4.2.1.10: a wildcard over an excluded name',
      nameConstraints([], [generalName.dns('b.example.org')]),
      { dnsNames: ['*.example.org'] },
    ],
    ['4.2.1.11: policies are demanded, which are not judged here', { extensions: [policyConstraint()] }, {}],
  ];
  for (const [title, middle, leaf] of refused)
    test(`refused: ${title}`, () => assert.equal(verified(middle, leaf), false));

  test('names within constraints are accepted', () => {
    assert.equal(verified(nameConstraints([generalName.dns('example.org')], [generalName.dns('b.example.org')])), true);
    assert.equal(verified(nameConstraints([generalName.dns('.example.org'), range()], [])), true);
  });

  test('4.2.1.9: a path that is too long', () => {
    const short = createAuthority({ pathLength: 0, uris: [] });
    const authority = short.intermediate({ uris: [] });
    const text = pem(short.certificate.der, authority.certificate.der, authority.issue(leafOptions).der);
    assert.deepEqual(answer(VERIFY, [text], NOW), [false, []]);
    assert.equal(
      (answer(VERIFY, [pem(short.certificate.der, short.issue(leafOptions).der)], NOW) as unknown[])[0],
      true,
    );
  });

  test('another root, one certificate, none and garbage are not valid', () => {
    const leaf = root.issue(leafOptions);
    for (const text of [
      pem(createAuthority().certificate.der, leaf.der),
      leaf.certPem,
      '',
      'x',
      pem(leaf.der, root.certificate.der),
    ])
      assert.deepEqual(answer(VERIFY, [text], NOW), [false, []]);
  });

  test('the time is that of the decision, so the answer is never cached', () => {
    assert.equal(verified({}, {}, at(Date.now() + 30 * HOUR)), false);
    assert.equal(verified({}, {}, at(Date.now() - 2 * HOUR)), false);
    for (const name of [VERIFY, VERIFY_WITH]) assert.equal(HOST_BUILTINS.get(name)?.nondeterministic, true);
  });

  test('equal names do not make the search long, and every signature is paid for', () => {
    const twins = Array.from({ length: 60 }, () => createAuthority({ subject: 'twin', uris: [] }));
    const leaf = twins[0]?.issue({ subject: 'leaf', authorityKeyId: null });
    assert.ok(leaf !== undefined);
    const text = pem(root.certificate.der, ...twins.slice(1).map(({ certificate }) => certificate.der), leaf.der);
    assert.deepEqual(answer(VERIFY, [text], NOW), [false, []]);
    assert.throws(() => answer(VERIFY, [text], { ...limited(200_000_000), nowNs: () => NOW.nowNs() }), EvaluationHalt);
  });
});

function nameConstraints(permitted: readonly Uint8Array[], excluded: readonly Uint8Array[]): CertificateOptions {
  return { extensions: [extension.nameConstraints(permitted, excluded)] };
}

function range(): Uint8Array {
  return generalName.ip(Buffer.from([10, 0, 0, 0, 255, 0, 0, 0]));
}

function policyConstraint(): Extension {
  return { oid: '2.5.29.36', critical: true, value: der.sequence(der.contextPrimitive(0, Buffer.from([0]))) };
}

describe('crypto.x509.parse_and_verify_certificates_with_options', () => {
  const leaf = root.issue({
    subject: 'leaf',
    dnsNames: ['*.example.org'],
    otherNames: [generalName.ip(Buffer.from([10, 1, 2, 3]))],
  });
  const text = pem(root.certificate.der, leaf.der);
  const cases: readonly (readonly [unknown, boolean | undefined])[] = [
    [{}, true],
    [{ DNSName: 'a.example.org' }, true],
    [{ DNSName: 'A.Example.org.' }, true],
    [{ DNSName: 'a.b.example.org' }, false],
    [{ DNSName: 'example.org' }, false],
    [{ DNSName: '10.1.2.3' }, true],
    [{ DNSName: '[10.1.2.3]' }, true],
    [{ DNSName: '10.1.2.4' }, false],
    [{ KeyUsages: ['KeyUsageClientAuth'] }, true],
    [{ KeyUsages: ['KeyUsageCodeSigning'] }, false],
    [{ KeyUsages: ['KeyUsageCodeSigning', 'KeyUsageAny'] }, true],
    [{ KeyUsages: [] }, true],
    [{ CurrentTime: 0 }, false],
    [{ MaxConstraintComparisons: 5 }, true],
    [{ KeyUsages: ['Nonsense'] }, undefined],
    [{ KeyUsages: 'KeyUsageAny' }, undefined],
    [{ CurrentTime: 1.5 }, undefined],
    [{ DNSName: 5 }, undefined],
    [{ Other: 1 }, undefined],
    [[], undefined],
  ];
  for (const [options, want] of cases) {
    test(JSON.stringify(options), () =>
      assert.equal((answer(VERIFY_WITH, [text, options], NOW) as unknown[] | undefined)?.[0], want),
    );
  }
});

test('reading is paid for before it is done', () => {
  const text = pem(...Array.from({ length: 40 }, () => root.certificate.der));
  assert.throws(() => answer(PARSE, [text], limited(200_000_000)), EvaluationHalt);
  assert.throws(() => answer(PARSE, ['%'.repeat(100_000)], limited(200_000_000)), EvaluationHalt);
});
