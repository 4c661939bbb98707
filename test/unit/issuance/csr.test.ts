import assert from 'node:assert/strict';
import { createECDH, createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { test } from 'node:test';

import fc from 'fast-check';

import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { MAX_CSR_BYTES, readCaCsr, readCsr } from '../../../src/core/issuance/csr.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import * as der from '../../support/der.ts';
import { commonName, extension, generalName } from '../../support/pki-certificate.ts';
import { createKeyPair, signatureAlgorithm, spkiOf } from '../../support/pki-keys.ts';
import { asking, encodeExtension, extensionRequest, rawCsr, requestAttribute } from '../../support/raw-csr.ts';
import { dsaSpki, ID, kindOf, valueOf } from './making.ts';

import type { IssuanceFault } from '../../../src/core/model/svid.ts';
import type { Extension } from '../../support/pki-certificate.ts';
import type { KeyKind } from '../../support/pki-keys.ts';
import type { RawCsr } from '../../support/raw-csr.ts';

const SANS = extension.subjectAltName(
  Array.from({ length: 2_000 }, (_, index) => generalName.dns(`host-${index}.example.org`)),
);

for (const kind of ['p256', 'p384', 'p521', 'ed25519', 'rsa2048', 'rsa3072'] as const) {
  test(`RFC 2986 4.2: a request that is signed by its own key of ${kind} is read, and only its key is taken`, () => {
    const keys = createKeyPair(kind);
    const read = valueOf(readCsr(rawCsr({ keys, subject: commonName('admin') })));
    assert.deepEqual(Buffer.from(read.spki), Buffer.from(spkiOf(keys)));
    assert.equal(read.spkiSha256, createHash('sha256').update(spkiOf(keys)).digest('hex'));
    assert.equal(read.publicKey.equals(keys.publicKey), true);
    assert.deepEqual(Object.keys(read).toSorted(), ['publicKey', 'spki', 'spkiSha256', 'uris']);
  });
}

for (const kind of ['p256', 'ed25519'] as const) {
  test(`createCsr with ${kind}: an empty subject, no attributes, read by readCsr`, async () => {
    const { privateKey, publicKey } = generateKeyPair(kind);
    const bytes = await createCsr(privateKey);
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const content = der.sequence(der.integer(0), der.sequence(), spki, der.context(0));
    assert.ok(Buffer.from(bytes).includes(content));
    assert.deepEqual(Buffer.from(valueOf(readCsr(bytes)).spki), spki);
    assert.deepEqual(Buffer.from(valueOf(readCsr(await createCsr(privateKey, publicKey))).spki), spki);
  });
}

test('createCsr with a key of another kind says which kinds there are', async () => {
  await assert.rejects(createCsr(createKeyPair('rsa2048').privateKey), /ECDSA P-256 or Ed25519/);
  await assert.rejects(createCsr(createKeyPair('p384').privateKey), /ECDSA P-256 or Ed25519/);
});

const EXTENSIONS = '1.2.840.113549.1.9.14';
const MICROSOFT = '1.3.6.1.4.1.311.2.1.14';
const OTHER_FORMS = [
  generalName.dns('root.example.org'),
  generalName.ip(Buffer.of(192, 0, 2, 1)),
  generalName.email('root@example.org'),
  generalName.directory(commonName('root')),
  generalName.other('1.2.3', der.utf8('root')),
];

/** What a request asks for beside its key is neither granted nor held against it. */
const READ_OVER: Readonly<Record<string, RawCsr>> = {
  'a subject of somebody else': { subject: commonName('root of example.org') },
  'names of every other form': asking(extension.subjectAltName(OTHER_FORMS, true)),
  '128 names': asking(extension.subjectAltName(Array.from({ length: 128 }, () => generalName.dns('a')))),
  'no CA': asking(extension.basicConstraints(false, undefined)),
  'uses of a leaf': asking(extension.keyUsage(['digitalSignature']), extension.extendedKeyUsage(['2.5.29.37.0'])),
  'a critical extension that nobody knows': asking({ oid: '1.2.3.4', critical: true, value: der.derNull() }),
  'an extension that is none of its kind': asking({ oid: '2.5.29.30', critical: true, value: der.derNull() }),
  'no extension at all': { attributes: extensionRequest() },
  'an extension request without value': { attributes: der.context(0, der.sequence(der.oid(EXTENSIONS), der.setOf())) },
  'to be a CA in an attribute that asks for nothing': {
    attributes: requestAttribute('1.2.3', encodeExtension(extension.basicConstraints(true, 5))),
  },
  'a challenge password': {
    attributes: der.context(0, der.sequence(der.oid('1.2.840.113549.1.9.7'), der.setOf(der.utf8('secret')))),
  },
};
for (const [what, options] of Object.entries(READ_OVER)) {
  test(`a request that asks for ${what} is read over: nothing but its key comes out`, () => {
    const keys = createKeyPair();
    const read = valueOf(readCsr(rawCsr({ ...options, keys })));
    assert.deepEqual([read.spki, read.uris], [new Uint8Array(spkiOf(keys)), []]);
  });
}

test('a request that asks for one URI is read, whatever it says: who grants an ID compares', () => {
  for (const uri of [ID, 'https://example.org', '']) {
    const names = [generalName.dns('a'), generalName.uri(uri), generalName.email('a@b')];
    const { uris } = valueOf(readCsr(rawCsr(asking(extension.subjectAltName(names)))));
    assert.deepEqual(uris, [uri]);
    assert.ok(Object.isFrozen(uris));
  }
});

test("a CA's request may ask for what it likes; all else is checked as for anybody", () => {
  const keys = createKeyPair();
  for (const [, options] of MORE) {
    const read = valueOf(readCaCsr(rawCsr({ ...options, keys })));
    assert.deepEqual(Object.keys(read).toSorted(), ['publicKey', 'spki', 'spkiSha256']);
    assert.ok(Object.isFrozen(read) && read.publicKey.equals(keys.publicKey));
  }
  for (const [what, kind, bytes] of FAULTS.filter((row) => row[1] !== 'csr_asks_for_more'))
    assert.equal(kindOf(readCaCsr(bytes)), kind, what);
});

/** SubjectPublicKeyInfo of ECDSA with these octets as its point. */
function ecSpki(curve: string, point: Uint8Array): Uint8Array {
  return der.sequence(der.sequence(der.oid('1.2.840.10045.2.1'), der.oid(curve)), der.bitString(point));
}

/** SubjectPublicKeyInfo of RSA with this modulus and exponent. */
function rsaSpki(modulus: bigint, exponent: bigint): Uint8Array {
  const key = der.sequence(der.integer(modulus), der.integer(exponent));
  return der.sequence(der.sequence(der.oid('1.2.840.113549.1.1.1'), der.derNull()), der.bitString(key));
}

const P256 = '1.2.840.10045.3.1.7';
const point = spkiOf(createKeyPair()).subarray(-65);
const compressed = Uint8Array.of((point[64] ?? 0) % 2 === 0 ? 2 : 3, ...point.subarray(1, 33));
const offCurve = Uint8Array.from(point, (octet, index) => (index === 64 ? octet ^ 1 : octet));
const odd2048 = (1n << 2047n) + 1n;
const others = createKeyPair();
const algorithmIdentifier = signatureAlgorithm(others, 'sha256');

/** An odd number of 2048 bits with this factor. */
function multipleOf(factor: bigint): bigint {
  const first = (1n << 2047n) / factor + 1n;
  return (first % 2n === 0n ? first + 1n : first) * factor;
}

const CA = extension.basicConstraints(true, undefined);
const URI = extension.subjectAltName([generalName.uri(ID)]);
const many = Array.from({ length: 64 }, (_, index) => ({
  oid: `1.2.3.${index}`,
  critical: false,
  value: der.derNull(),
}));

/** What no workload may have, by its last part, so that nothing before it hides it. */
const MORE: readonly (readonly [what: string, options: RawCsr, detail: RegExp])[] = [
  ['to be a CA', asking(CA), /asks to be a CA \(basic constraints\)/],
  ['to be a CA, not critical', asking({ ...CA, critical: false }), /basic constraints/],
  ['to be a CA with a path length', asking(extension.basicConstraints(true, 5)), /asks to be a CA/],
  ['a path length', asking(extension.basicConstraints(false, 5)), /a path length without cA/],
  ['to be a CA by half', asking({ ...CA, value: der.sequence(der.tlv(1, Buffer.of(1))) }), /a BOOLEAN is 00 or FF/],
  ['to be a CA, and more', asking({ ...CA, value: Buffer.concat([der.sequence(), der.derNull()]) }), /follows/],
  ['to sign certificates', asking(extension.keyUsage(['digitalSignature', 'keyCertSign'])), /CA \(key usage\)/],
  ['to sign lists', asking(extension.keyUsage(['cRLSign'], false)), /asks to be a CA \(key usage\)/],
  ['uses that cannot be read', asking({ ...extension.keyUsage([]), value: der.derNull() }), /key usage: tag 5/],
  ['two URIs', asking(extension.subjectAltName([generalName.uri(ID), generalName.uri(ID)])), /more than one URI/],
  ['no name', asking(extension.subjectAltName([])), /subject alternative name: no such form/],
  ['names that cannot be read', asking({ ...SANS, value: der.derNull() }), /subject alternative name: tag 5/],
  ['a name of no form', asking(extension.subjectAltName([der.derNull()])), /no such form of name/],
  ['a URI with a NUL', asking(extension.subjectAltName([generalName.uri(`${ID}\0`)])), /not visible ASCII/],
  ['a URI of 5 KB', asking(extension.subjectAltName([generalName.uri('a'.repeat(5_000))])), /over 4096 bytes/],
  ['names, and more', asking({ ...URI, value: Buffer.concat([URI.value, der.derNull()]) }), /something follows/],
  ['129 names', asking(extension.subjectAltName(Array.from({ length: 129 }, () => generalName.dns('a')))), /than 128/],
  ['two thousand names', asking(SANS), /more than 128/],
  ['to be a CA after 63 other extensions', asking(...many.slice(1), CA), /asks to be a CA/],
  ['to be a CA by the attribute of Microsoft', { attributes: requestAttribute(MICROSOFT, encodeExtension(CA)) }, /CA/],
  ['to be a CA in a second value', { attributes: requests(der.setOf(list(URI), list(CA))) }, /asks to be a CA/],
  [
    'to be a CA in a second attribute',
    { attributes: requests(der.setOf(list(URI)), der.setOf(list(CA))) },
    /to be a CA/,
  ],
  [
    'a URI in each of two attributes',
    { attributes: requests(der.setOf(list(URI)), der.setOf(list(URI))) },
    /than one URI/,
  ],
];

type Row = readonly [what: string, kind: IssuanceFault['kind'], bytes: Uint8Array, detail: RegExp];

const key = (what: string, options: RawCsr, detail = /public key: not of an accepted kind/): Row => [
  what,
  'csr_key_refused',
  rawCsr(options),
  detail,
];

const FAULTS: readonly Row[] = [
  ['nothing', 'csr_malformed', new Uint8Array(0), /request: missing/],
  ['a megabyte', 'csr_malformed', new Uint8Array(1 << 20), /over 65536 bytes/],
  ['a million names', 'csr_malformed', millionNames(), /over 65536 bytes/],
  ['a certificate', 'csr_malformed', rawCsr({ version: der.context(0, der.integer(2)) }), /version/],
  ['version 2', 'csr_malformed', rawCsr({ version: der.integer(1) }), /version: not 1/],
  ['no attributes element', 'csr_malformed', rawCsr({ attributes: null }), /attributes: missing/],
  ['attributes that are none', 'csr_malformed', rawCsr({ attributes: der.context(0, der.integer(1)) }), /attribute/],
  ['an attribute without values', 'csr_malformed', rawCsr({ attributes: noValues() }), /attribute values: missing/],
  ['an attribute with more', 'csr_malformed', rawCsr({ attributes: tooMuch() }), /attribute: something follows/],
  ['content with more', 'csr_malformed', rawCsr({ inside: der.derNull() }), /request content: something follows/],
  ['a request with more', 'csr_malformed', rawCsr({ outside: der.derNull() }), /request: something follows/],
  ['bytes after it', 'csr_malformed', Buffer.concat([rawCsr(), Buffer.of(0)]), /request: something follows/],
  ['a subject of 5 KB', 'csr_malformed', rawCsr({ subject: commonName('a'.repeat(5_000)) }), /subject: over 4096/],
  ['a length that is not the shortest', 'csr_malformed', longForm(rawCsr()), /written shorter/],
  ['an extension there twice', 'csr_malformed', rawCsr(asking(URI, URI)), /extension 2\.5\.29\.17: there twice/],
  ['65 extensions', 'csr_malformed', rawCsr(asking(...many, CA)), /extension request: more than 64/],
  [
    'extensions that are none',
    'csr_malformed',
    rawCsr({ attributes: extensionRequest(der.derNull()) }),
    /request: tag 5/,
  ],
  [
    'an extension request that is none',
    'csr_malformed',
    rawCsr({ attributes: requests(der.setOf(CA.value.subarray(2))) }),
    /tag 1 /,
  ],
  ...MORE.map(([what, options, detail]): Row => [what, 'csr_asks_for_more', rawCsr(options), detail]),
  [
    'the signature of another, to be a CA',
    'csr_signature_invalid',
    rawCsr({ ...asking(CA), signedBy: others }),
    /not by/,
  ],
  key('no key at all', { spki: der.sequence() }),
  key('RSA of 1024 bits', { keys: createKeyPair('rsa1024') }),
  key('RSA of 8200 bits', { spki: rsaSpki((1n << 8199n) + 1n, 65_537n) }),
  key('RSA with exponent 1', { spki: rsaSpki(odd2048, 1n) }),
  key('RSA with an even exponent', { spki: rsaSpki(odd2048, 65_536n) }),
  key('DSA', { spki: dsaSpki() }),
  key('P-224', { keys: createKeyPair('p224') }),
  key('secp256k1', { keys: createKeyPair('secp256k1') }),
  key('the point at infinity', { spki: ecSpki(P256, Uint8Array.of(0)) }),
  key('a compressed point', { spki: ecSpki(P256, compressed) }),
  key('a point off the curve', { spki: ecSpki(P256, offCurve) }, /the numbers are no key/),
  key('RSA with a factor 3', { spki: rsaSpki(multipleOf(3n), 65_537n) }, /small factor/),
  key('RSA with a factor 251', { spki: rsaSpki(multipleOf(251n), 65_537n) }, /small factor/),
  key('an even RSA modulus', { spki: rsaSpki(1n << 2047n, 65_537n) }, /small factor|no key/),
  ['the signature of another', 'csr_signature_invalid', rawCsr({ signedBy: others }), /not by the key of the request/],
  ['an empty signature', 'csr_signature_invalid', rawCsr({ signature: new Uint8Array(0) }), /not by the key/],
  ['SHA-1', 'csr_signature_invalid', rawCsr({ digest: 'sha1' }), /algorithm [0-9a-f]+ is not accepted/],
  [
    'an algorithm of another kind of key',
    'csr_signature_invalid',
    rawCsr({ keys: createKeyPair('ed25519'), algorithm: algorithmIdentifier }),
    /not by the key/,
  ],
];

for (const [what, kind, bytes, detail] of FAULTS) {
  test(`${kind}: ${what}`, () => {
    const read = readCsr(bytes);
    assert.equal(kindOf(read), kind);
    assert.match(read.ok ? '' : read.error.detail, detail);
    assert.match(read.ok ? '' : read.error.detail, /^certificate request: /);
  });
}

function millionNames(): Uint8Array {
  const name = generalName.dns('a');
  const names = { ...SANS, value: der.sequence(Buffer.alloc(name.length * 1_000_000, name)) };
  return rawCsr({ attributes: extensionRequest(encodeExtension(names)) });
}

/** An extension request's value. */
function list(one: Extension): Uint8Array {
  return der.sequence(encodeExtension(one));
}

/** Extension requests with these sets of values. */
function requests(...sets: readonly Uint8Array[]): Uint8Array {
  return der.context(0, ...sets.map((set) => der.sequence(der.oid(EXTENSIONS), set)));
}

function noValues(): Uint8Array {
  return der.context(0, der.sequence(der.oid('1.2.3')));
}

function tooMuch(): Uint8Array {
  return der.context(0, der.sequence(der.oid('1.2.3'), der.setOf(), der.setOf()));
}

/** The same with one more length octet than needed. */
function longForm(bytes: Uint8Array): Uint8Array {
  const content = bytes.subarray(der.derLength(bytes.length).length + 1);
  return Buffer.concat([Buffer.of(0x30, 0x83, 0, content.length >> 8, content.length & 0xff), content]);
}

/** A request with an attribute of that many octets. */
function filled(length: number): Uint8Array {
  const value = der.octetString(Buffer.alloc(length));
  const attributes = der.context(0, der.sequence(der.oid('1.2.3'), der.setOf(value)));
  return rawCsr({ keys: createKeyPair('ed25519'), attributes });
}

test('a request of 64 KiB is read, one octet more is not', () => {
  const rest = MAX_CSR_BYTES - filled(60_000).length;
  assert.equal(filled(60_000 + rest).length, MAX_CSR_BYTES);
  assert.equal(kindOf(readCsr(filled(60_000 + rest))), 'issued');
  assert.equal(kindOf(readCsr(filled(60_001 + rest))), 'csr_malformed');
});

const base64url = (bytes: Buffer): string => bytes.toString('base64url');

for (const [kind, curve] of [
  ['p256', 'prime256v1'],
  ['p384', 'secp384r1'],
  ['p521', 'secp521r1'],
] as const) {
  test(`a key whose private half is 1 or n - 1 is anybody's: ${kind}`, () => {
    const ecdh = createECDH(curve);
    ecdh.setPrivateKey(Uint8Array.of(1));
    const generator = ecdh.getPublicKey();
    const size = (generator.length - 1) / 2;
    const [x, y, d] = [generator.subarray(1, 1 + size), generator.subarray(1 + size), Buffer.alloc(size)];
    d[size - 1] = 1;
    const crv = { p256: 'P-256', p384: 'P-384', p521: 'P-521' }[kind];
    const jwk = { kty: 'EC', crv, x: base64url(x), y: base64url(y), d: base64url(d) };
    const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
    const keys = { kind: kind as KeyKind, privateKey, publicKey: createPublicKey(privateKey) };
    const read = readCsr(rawCsr({ keys }));
    assert.equal(kindOf(read), 'csr_key_refused');
    assert.match(read.ok ? '' : read.error.detail, /generator/);
  });
}

/** RFC 8032 5.1: y of the points whose order divides 8, and the encodings that are not reduced. */
const TORSION = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
];

const P = (1n << 255n) - 19n;

/** Base to an exponent, modulo p. */
function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, ((base % P) + P) % P];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

const over = (numerator: bigint, denominator: bigint): bigint =>
  (((numerator * power(denominator, P - 2n)) % P) + P) % P;
const D = over(-121_665n, 121_666n);

/** y of twice the point with this y (RFC 8032 5.1.4); it needs no more of x than its square. */
function twice(y: bigint): bigint {
  const xx = over(y * y - 1n, D * y * y + 1n);
  return over(y * y + xx, 1n - D * xx * y * y);
}

const yOf = (text: string): bigint => BigInt(`0x${Buffer.from(Buffer.from(text, 'hex').toReversed()).toString('hex')}`);

test('RFC 8032: the points that are refused are those whose order divides 8, and a key is none of them', () => {
  for (const text of TORSION) assert.equal(twice(twice(twice(yOf(text)))), 1n, text);
  assert.equal(new Set(TORSION.map((text) => yOf(text) % P)).size, 5);
  const bits = spkiOf(createKeyPair('ed25519')).subarray(12);
  bits[31] = (bits[31] ?? 0) & 0x7f;
  assert.notEqual(twice(twice(twice(yOf(Buffer.from(bits).toString('hex'))))), 1n);
});

/** Older OpenSSL takes R = 0, S = 0 for the signature of most messages by such a key; 3.5 refuses them, and this must not rest on which one is there. */
for (const text of TORSION) {
  test(`RFC 8032: the key ${text.slice(0, 4)}…${text.slice(-2)}, for which anybody can sign, is refused as a key`, () => {
    for (const sign of [0, 0x80]) {
      const bits = Buffer.from(text, 'hex');
      bits[31] = (bits[31] ?? 0) | sign;
      const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bits]);
      const signature = Buffer.alloc(64);
      signature[0] = 1;
      const read = readCsr(rawCsr({ keys: createKeyPair('ed25519'), spki, signature }));
      assert.equal(kindOf(read), 'csr_key_refused');
      assert.match(read.ok ? '' : read.error.detail, /small order/);
    }
  });
}

test('works on a copy: what becomes of the bytes afterwards changes nothing', () => {
  const bytes = Uint8Array.from(rawCsr());
  const read = valueOf(readCsr(bytes));
  bytes.fill(0);
  assert.equal(read.spki[0], 0x30);
  assert.ok(Object.isFrozen(read) && read.spki.buffer.byteLength === read.spki.length);
});

test('property: no bytes throw, and what is read is the key of a request whose signature its own key made', () => {
  const good = rawCsr({ keys: createKeyPair('ed25519'), subject: commonName('agent') });
  const mutated = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map((changes) => {
      const bytes = Uint8Array.from(good);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  const cut = fc.nat(good.length).map((length) => good.subarray(0, length));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated, cut), (bytes) => {
      const read = readCsr(bytes);
      const whole = Buffer.from(bytes).equals(good);
      assert.equal(read.ok, whole);
    }),
    { numRuns: 500 },
  );
});

test('property: no bytes in an extension request throw, and none but a leaf and one URI comes out', () => {
  const keys = createKeyPair('ed25519');
  const good = Buffer.concat([encodeExtension(URI), encodeExtension(extension.keyUsage(['digitalSignature']))]);
  const mutated = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => {
    const bytes = Uint8Array.from(good);
    bytes[at] = value;
    return bytes;
  });
  const value = fc.uint8Array({ maxLength: 60 });
  const oid = fc.constantFrom('2.5.29.15', '2.5.29.17', '2.5.29.19', '1.2.3');
  const hostile = fc.tuple(oid, fc.boolean(), value).map(([one, critical, bytes]) => {
    return encodeExtension({ oid: one, critical, value: bytes });
  });
  const kinds = new Set<string>();
  fc.assert(
    fc.property(fc.oneof(value, mutated, hostile), (bytes) => {
      const read = readCsr(rawCsr({ keys, attributes: extensionRequest(bytes) }));
      kinds.add(kindOf(read));
      assert.ok(read.ok ? read.value.uris.length <= 1 : /^csr_(?:malformed|asks_for_more)$/.test(read.error.kind));
    }),
    { numRuns: 500 },
  );
  assert.deepEqual([...kinds].toSorted(), ['csr_asks_for_more', 'csr_malformed', 'issued']);
});
