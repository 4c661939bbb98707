import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { limited } from '../../../support/builtin-call.ts';
import * as der from '../../../support/der.ts';
import { answer } from '../../../support/json-builtin.ts';
import { OID, commonName, encodeExtensions, extension, generalName } from '../../../support/pki-certificate.ts';
import type { Extension } from '../../../support/pki-certificate.ts';
import { createKeyPair, signBytes, signatureAlgorithm, spkiOf } from '../../../support/pki-keys.ts';
import type { KeyKind, KeyPair } from '../../../support/pki-keys.ts';

const PARSE = 'crypto.x509.parse_certificate_request';
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const CHALLENGE_PASSWORD = '1.2.840.113549.1.9.7';

type Shown = Readonly<Record<string, unknown>>;
type RequestOptions = {
  readonly keys?: KeyPair;
  readonly version?: number;
  readonly subject?: Uint8Array;
  /** Encoded; undefined leaves the whole field out. */
  readonly attributes?: readonly Uint8Array[];
  readonly spki?: Uint8Array;
};

const keys = createKeyPair();

function info(options: RequestOptions = {}): Uint8Array {
  return der.sequence(
    der.integer(options.version ?? 0),
    options.subject ?? commonName('applicant'),
    options.spki ?? spkiOf(options.keys ?? keys),
    ...(options.attributes === undefined ? [] : [der.context(0, ...options.attributes)]),
  );
}

/** A CertificationRequest (RFC 2986 4.2), signed by its own key. */
function request(options: RequestOptions = {}): Uint8Array {
  const signer = options.keys ?? keys;
  const bytes = info(options);
  return der.sequence(bytes, signatureAlgorithm(signer, 'sha256'), der.bitString(signBytes(signer, 'sha256', bytes)));
}

function attribute(oid: string, ...values: readonly Uint8Array[]): Uint8Array {
  return der.sequence(der.oid(oid), der.setOf(...values));
}

function wanted(...extensions: readonly Extension[]): Uint8Array {
  return attribute(EXTENSION_REQUEST, encodeExtensions(extensions));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function parsed(options: RequestOptions = {}): Shown | undefined {
  return answer(PARSE, [base64(request(options))]) as Shown | undefined;
}

const NAMES = extension.subjectAltName([
  generalName.dns('a.example'),
  generalName.email('me@a.example'),
  generalName.ip(Buffer.from([10, 0, 0, 1])),
  generalName.uri('spiffe://a.example/x'),
]);

describe('RFC 2986 4: a certification request', () => {
  test('each part is shown as its bytes, and read', () => {
    const bytes = request();
    assert.deepEqual(answer(PARSE, [base64(bytes)]), {
      Raw: base64(bytes),
      RawTBSCertificateRequest: base64(info()),
      RawSubjectPublicKeyInfo: base64(spkiOf(keys)),
      RawSubject: base64(commonName('applicant')),
      Version: 0,
      Signature: base64(signatureIn(bytes)),
      SignatureAlgorithm: 10,
      PublicKeyAlgorithm: 3,
      PublicKey: point(),
      Subject: {
        Country: null,
        Locality: null,
        Organization: null,
        OrganizationalUnit: null,
        PostalCode: null,
        Province: null,
        StreetAddress: null,
        CommonName: 'applicant',
        SerialNumber: '',
        Names: [{ Type: [2, 5, 4, 3], Value: 'applicant' }],
        ExtraNames: null,
      },
      Attributes: null,
      Extensions: null,
      ExtraExtensions: null,
      DNSNames: null,
      EmailAddresses: null,
      IPAddresses: null,
      URIs: null,
    });
  });

  for (const [kind, publicKey, signature] of [
    ['p384', 3, 10],
    ['ed25519', 4, 16],
    ['rsa2048', 1, 4],
  ] satisfies readonly (readonly [KeyKind, number, number])[])
    test(`the numbers of Go's algorithms: ${kind}`, () => {
      const shown = parsed({ keys: createKeyPair(kind) });
      assert.deepEqual([shown?.['PublicKeyAlgorithm'], shown?.['SignatureAlgorithm']], [publicKey, signature]);
    });

  test('a key of an algorithm that nobody knows is null, the request is read all the same', () => {
    const spki = der.sequence(der.sequence(der.oid('1.2.3.4')), der.bitString(Buffer.from([1])));
    const shown = parsed({ spki });
    assert.deepEqual([shown?.['PublicKeyAlgorithm'], shown?.['PublicKey']], [0, null]);
  });

  test('the version is shown, whatever it is', () => assert.equal(parsed({ version: 5 })?.['Version'], 5));

  test('PEM, base64 of PEM and base64 of DER are the same', () => {
    const bytes = request({ attributes: [wanted(NAMES)] });
    const text = der.pem('CERTIFICATE REQUEST', bytes);
    const want = answer(PARSE, [base64(bytes)]);
    assert.notEqual(want, undefined);
    for (const form of [text, base64(Buffer.from(text))]) assert.deepEqual(answer(PARSE, [form]), want);
  });

  const refused: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['no base64', '%'],
    ['data behind the request', base64(Buffer.concat([request(), Buffer.from([5, 0])]))],
    ['PEM of another type', der.pem('NEW CERTIFICATE REQUEST', request())],
    ['base64 of PEM of another type', base64(Buffer.from(der.pem('CERTIFICATE', request())))],
    ['a type that only begins alike', der.pem('CERTIFICATE REQUESTS', request())],
    ['text before PEM', `\n${der.pem('CERTIFICATE REQUEST', request())}`],
    ['no signature', base64(der.sequence(info(), signatureAlgorithm(keys, 'sha256')))],
    ['a key that is malformed', base64(request({ spki: der.sequence(der.derNull()) }))],
    ['a subject that is no name', base64(request({ subject: der.sequence(der.derNull()) }))],
  ];
  for (const [title, text] of refused) test(`refused: ${title}`, () => assert.equal(answer(PARSE, [text]), undefined));

  test('cut anywhere it is no request', () => {
    const bytes = request({ attributes: [wanted(NAMES)] });
    for (let length = 0; length < bytes.length; length += 1)
      assert.equal(answer(PARSE, [base64(bytes.subarray(0, length))]), undefined, String(length));
  });

  test('any change of bytes gives a request or an error of its own', () => {
    const bytes = request({ attributes: [attribute(CHALLENGE_PASSWORD, der.utf8('x')), wanted(NAMES)] });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (index, value) => {
        const changed = Buffer.from(bytes);
        changed[index] = value;
        const shown = answer(PARSE, [changed.toString('base64')]) as Shown | undefined;
        assert.equal(shown?.['Raw'] ?? changed.toString('base64'), changed.toString('base64'));
      }),
      { numRuns: 300 },
    );
  });

  test('reading is paid for before it is done', () => {
    assert.throws(() => answer(PARSE, ['%'.repeat(100_000)], limited(200_000_000)), EvaluationHalt);
    assert.notEqual(answer(PARSE, [base64(request())], limited(20_000_000)), undefined);
  });
});

/** The signature as it stands at the end: behind the tag, the length and the count of unused bits. */
function signatureIn(bytes: Uint8Array): Uint8Array {
  const algorithm = signatureAlgorithm(keys, 'sha256');
  const at = Buffer.from(bytes).indexOf(algorithm) + algorithm.length;
  return bytes.subarray(at + 3);
}

function point(): Shown {
  const { x = '', y = '' } = keys.publicKey.export({ format: 'jwk' });
  const [X, Y] = [x, y].map((text) => Number(BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`)));
  return { Curve: {}, X, Y };
}

describe('RFC 2985 5.4.2: extensions that are asked for', () => {
  test('alternative names are read from them', () => {
    const shown = parsed({ attributes: [wanted(NAMES)] });
    assert.deepEqual(shown?.['DNSNames'], ['a.example']);
    assert.deepEqual(shown?.['EmailAddresses'], ['me@a.example']);
    assert.deepEqual(shown?.['IPAddresses'], ['10.0.0.1']);
    assert.deepEqual(
      ((shown?.['URIs'] ?? []) as Shown[]).map(({ Scheme, Host, Path }) => [Scheme, Host, Path]),
      [['spiffe', 'a.example', '/x']],
    );
  });

  test('all are listed, of several requests too', () => {
    const usage = extension.keyUsage(['digitalSignature']);
    const shown = parsed({ attributes: [wanted(NAMES), wanted(usage)] });
    assert.deepEqual(shown?.['Extensions'], [
      { Id: OID.subjectAltName.split('.').map(Number), Critical: false, Value: base64(NAMES.value) },
      { Id: OID.keyUsage.split('.').map(Number), Critical: true, Value: base64(usage.value) },
    ]);
  });

  test('other attributes ask for none, whatever is in them', () => {
    const other = attribute('1.3.6.1.4.1.311.2.1.14', encodeExtensions([NAMES]));
    const shown = parsed({ attributes: [other] });
    assert.deepEqual([shown?.['Extensions'], shown?.['DNSNames']], [null, null]);
  });

  test('an empty request asks for none', () => {
    for (const values of [[], [der.sequence()]])
      assert.equal(parsed({ attributes: [attribute(EXTENSION_REQUEST, ...values)] })?.['Extensions'], null);
  });

  const refused: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['one twice in a request', [wanted(NAMES, NAMES)]],
    ['one in two requests', [wanted(NAMES), wanted(NAMES)]],
    ['a value that is no list', [attribute(EXTENSION_REQUEST, der.utf8('x'))]],
    ['a list of something else', [attribute(EXTENSION_REQUEST, der.sequence(der.derNull()))]],
    ['names that are malformed', [wanted({ ...NAMES, value: der.derNull() })]],
    ['an address of five bytes', [wanted(extension.subjectAltName([generalName.ip(Buffer.alloc(5))]))]],
  ];
  for (const [title, attributes] of refused)
    test(`refused: ${title}`, () => assert.equal(parsed({ attributes }), undefined));
});

function attributesOf(shown: Shown | undefined): readonly Shown[] {
  return (shown?.['Attributes'] ?? []) as Shown[];
}

describe('Go pkix.AttributeTypeAndValueSET: which attributes are shown', () => {
  const type = [1, 2, 3];

  function shownAs(...values: readonly Uint8Array[]): unknown {
    return parsed({ attributes: [attribute('1.2.3', ...values)] })?.['Attributes'];
  }

  function shownValue(value: Uint8Array): unknown {
    const [only] = shownAs(der.sequence(der.sequence(der.oid('1.2.4'), value))) as { Value: { Value: unknown }[][] }[];
    return only?.Value[0]?.[0]?.Value;
  }

  test('an extension request is one: each extension a type and its bytes', () => {
    assert.deepEqual(parsed({ attributes: [wanted(NAMES)] })?.['Attributes'], [
      {
        Type: EXTENSION_REQUEST.split('.').map(Number),
        Value: [[{ Type: [2, 5, 29, 17], Value: base64(NAMES.value) }]],
      },
    ]);
  });

  test('of a critical extension the second element is shown, which is its flag', () => {
    assert.deepEqual(
      attributesOf(parsed({ attributes: [wanted({ ...NAMES, critical: true })] })).map((one) => one['Value']),
      [[[{ Type: [2, 5, 29, 17], Value: true }]]],
    );
  });

  const values: readonly (readonly [string, Uint8Array, unknown])[] = [
    ['an octet string is base64', der.octetString(Buffer.from([1, 2, 3])), 'AQID'],
    ['a boolean', der.boolean(false), false],
    ['an integer', der.integer(-300), -300],
    ['an object identifier is its numbers', der.oid('2.5.4.3'), [2, 5, 4, 3]],
    ['a UTF8String', der.utf8('\u00e9'), '\u00e9'],
    ['a PrintableString', der.printable('a'), 'a'],
    ['an IA5String', der.tlv(0x16, Buffer.from('a@b')), 'a@b'],
    ['a NumericString', der.tlv(0x12, Buffer.from('1 2')), '1 2'],
    ['a T61String', der.tlv(0x14, Buffer.from('t')), 't'],
    ['what has no type in Go is null', der.tlv(0x1a, Buffer.from('visible')), null],
    ['a list is null', der.sequence(der.integer(1)), null],
  ];
  for (const [title, value, want] of values) test(title, () => assert.deepEqual(shownValue(value), want));

  test('a list without pairs is null, an attribute without values has none', () => {
    assert.deepEqual(shownAs(der.sequence()), [{ Type: type, Value: [null] }]);
    assert.deepEqual(shownAs(), [{ Type: type, Value: [] }]);
  });

  const leftOut: readonly (readonly [string, Uint8Array])[] = [
    ['one whose value is a string', attribute(CHALLENGE_PASSWORD, der.utf8('x'))],
    ['one whose value is a set of pairs', attribute('1.2.3', der.setOf(der.sequence(der.oid('1.2.4'), der.utf8('x'))))],
    ['one whose pairs are sets', attribute('1.2.3', der.sequence(der.setOf(der.oid('1.2.4'), der.utf8('x'))))],
    ['one whose pairs have no type', attribute('1.2.3', der.sequence(der.sequence(der.utf8('x'))))],
    ['one without a set', der.sequence(der.oid('1.2.3'))],
    ['one that is none', der.derNull()],
  ];
  for (const [title, one] of leftOut)
    test(`left out, and no error: ${title}`, () => {
      const shown = parsed({ attributes: [one, wanted(NAMES)] });
      assert.equal(attributesOf(shown).length, 1);
      assert.deepEqual(shown?.['DNSNames'], ['a.example']);
    });
});
