import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { readKeyInfo } from '../../../../src/core/policy/builtins/public-key.ts';
import { isSignedBy } from '../../../../src/core/policy/builtins/x509-signature.ts';
import { FREE } from '../../../support/builtin-call.ts';
import * as der from '../../../support/der.ts';
import { answer } from '../../../support/json-builtin.ts';
import { createKeyPair, signBytes, spkiOf } from '../../../support/pki-keys.ts';

const RSA = '1.2.840.113549.1.1.1';
const DSA = '1.2.840.10040.4.1';
const EC = '1.2.840.10045.2.1';
const P256 = '1.2.840.10045.3.1.7';
const [ED25519, X25519] = ['1.3.101.112', '1.3.101.110'];

/** A subjectPublicKeyInfo, nothing of it checked. */
function info(oid: string, parameters: readonly Uint8Array[], key: Uint8Array): Uint8Array {
  return der.sequence(der.sequence(der.oid(oid), ...parameters), der.bitString(key));
}

function rsa(n: bigint, e: bigint): Uint8Array {
  return info(RSA, [der.derNull()], der.sequence(der.integer(n), der.integer(e)));
}

function dsa(p: number, q: number, g: number, y: number): Uint8Array {
  return info(DSA, [der.sequence(der.integer(p), der.integer(q), der.integer(g))], der.integer(y));
}

const bytes32 = new Uint8Array(32).fill(9);
const ec = createKeyPair();
const point = spkiOf(ec).subarray(-65);

describe('RFC 5280 4.1.2.7: keys that are read', () => {
  test('RFC 3279 2.3.1: RSA, with exponents of 63 bits, whether or not it is good for a signature', () => {
    for (const [n, e] of [
      [15n, 1n],
      [2n ** 2048n + 1n, 2n ** 63n - 1n],
    ] as const) {
      const { algorithm, key } = readKeyInfo(rsa(n, e));
      assert.equal(algorithm, 1);
      assert.ok(key?.kind === 'rsa');
      assert.deepEqual([key.n, key.e], [n, e]);
    }
  });
  test('RFC 3279 2.3.2: DSA', () => {
    const { algorithm, key } = readKeyInfo(dsa(23, 11, 2, 8));
    assert.equal(algorithm, 2);
    assert.deepEqual(key, { kind: 'dsa', p: 23n, q: 11n, g: 2n, y: 8n });
  });
  test('RFC 5480 2: an uncompressed point of a curve that has a name', () => {
    const { algorithm, key } = readKeyInfo(spkiOf(ec));
    assert.equal(algorithm, 3);
    assert.ok(key?.kind === 'ec');
    const text = [key.x, key.y].map((part) => part.toString(16).padStart(64, '0')).join('');
    assert.equal(text, Buffer.from(point.subarray(1)).toString('hex'));
  });
  test('RFC 8410 4: Ed25519; X25519 where keys may agree on secrets', () => {
    const { algorithm, key } = readKeyInfo(info(ED25519, [], bytes32));
    assert.equal(algorithm, 4);
    assert.ok(key?.kind === 'ed25519');
    assert.deepEqual(readKeyInfo(info(X25519, [], bytes32), true), { algorithm: 0, key: { kind: 'x25519' } });
  });
  test('another algorithm is none, where keys are not for agreement', () => {
    for (const oid of [X25519, '1.2.3'])
      assert.deepEqual(readKeyInfo(info(oid, [], bytes32)), { algorithm: 0, key: undefined });
  });
  test('what Go reads over behind algorithm and key does not keep OpenSSL from the key', () => {
    const parts = [der.sequence(der.oid(EC), der.oid(P256)), der.bitString(point), der.derNull()];
    const { key } = readKeyInfo(der.sequence(...parts));
    assert.ok(key?.kind === 'ec');
    assert.deepEqual(key.object().export({ type: 'spki', format: 'der' }), Buffer.from(spkiOf(ec)));
  });
});

describe('keys that are refused', () => {
  const compressed = Buffer.concat([Buffer.from([2]), point.subarray(1, 33)]);
  const hybrid = Buffer.concat([Buffer.from([6]), point.subarray(1)]);
  const cases: readonly (readonly [string, Uint8Array, agreement?: boolean])[] = [
    ['RSA without parameters', info(RSA, [], der.sequence(der.integer(15), der.integer(3)))],
    [
      'RSA with parameters that are not NULL',
      info(RSA, [der.integer(0)], der.sequence(der.integer(15), der.integer(3))),
    ],
    ['RSA with a modulus of zero', rsa(0n, 3n)],
    ['RSA with a negative modulus', rsa(-15n, 3n)],
    ['RSA with an exponent of zero', rsa(15n, 0n)],
    ['RSA with an exponent of 64 bits', rsa(15n, 2n ** 63n)],
    ...([0, 1, 2, 3] as const).map((at) => {
      const [p, q, g, y] = [23, 11, 2, 8].with(at, 0);
      return [`DSA with a zero in place ${at}`, dsa(p ?? 0, q ?? 0, g ?? 0, y ?? 0)] as const;
    }),
    ['DSA with a negative number', dsa(23, 11, 2, -8)],
    ['a curve that nobody knows', info(EC, [der.oid('1.3.132.0.10')], point)],
    ['a curve that is not named', info(EC, [der.sequence()], point)],
    ['a compressed point', info(EC, [der.oid(P256)], compressed)],
    ['a hybrid point', info(EC, [der.oid(P256)], hybrid)],
    ['a point of another curve', info(EC, [der.oid('1.3.132.0.34')], point)],
    ['a point that is one byte longer', info(EC, [der.oid(P256)], Buffer.concat([point, Buffer.from([0])]))],
    ['Ed25519 with parameters', info(ED25519, [der.derNull()], bytes32)],
    ['Ed25519 of 31 bytes', info(ED25519, [], bytes32.subarray(1))],
    ['X25519 with parameters', info(X25519, [der.derNull()], bytes32), true],
    ['X25519 of 31 bytes', info(X25519, [], bytes32.subarray(1)), true],
    ['for agreement an algorithm that nobody knows', info('1.3.101.111', [], bytes32), true],
  ];
  for (const [title, bytes, agreement] of cases)
    test(title, () => assert.throws(() => readKeyInfo(bytes, agreement), BuiltinError));
});

test('any change of bytes gives a key or an error of its own, also when it is used', () => {
  const seeds = [spkiOf(ec), spkiOf(createKeyPair('rsa1024')), spkiOf(createKeyPair('ed25519')), dsa(23, 11, 2, 8)];
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.nat(400), fc.nat(255), (seed, at, value) => {
      const changed = Buffer.from(seed);
      changed[at % changed.length] = value;
      try {
        const { key } = readKeyInfo(changed);
        if (key !== undefined && 'object' in key) key.object();
      } catch (problem) {
        assert.ok(problem instanceof BuiltinError);
      }
    }),
    { numRuns: 500 },
  );
});

const keyOf = (bytes: Uint8Array): NonNullable<ReturnType<typeof readKeyInfo>['key']> =>
  readKeyInfo(bytes).key ?? assert.fail('no key');

describe('a signature on a certificate, by number of the algorithm and type of key', () => {
  const signed = Buffer.from('signed');
  const small = createKeyPair('rsa1024');

  test('an algorithm of another type of key, none, and one that Go no longer verifies', () => {
    const key = keyOf(spkiOf(ec));
    const signature = signBytes(ec, 'sha256', signed);
    assert.equal(isSignedBy(key, 10, signed, signature, FREE), true);
    for (const number of [0, 4, 7, 9, 11, 16, 17])
      assert.equal(isSignedBy(key, number, signed, signature, FREE), false, String(number));
  });
  test('RSA that is as long as the modulus only', () => {
    const key = keyOf(spkiOf(small));
    const signature = signBytes(small, 'sha256', signed);
    assert.equal(isSignedBy(key, 4, signed, signature, FREE), true);
    for (const other of [signature.subarray(1), Buffer.concat([Buffer.alloc(1), signature]), Buffer.alloc(0)])
      assert.equal(isSignedBy(key, 4, signed, other, FREE), false);
  });
  test('PSS with a hash that is too long for the modulus is no fault', () => {
    assert.equal(isSignedBy(keyOf(spkiOf(small)), 15, signed, Buffer.alloc(128, 1), FREE), false);
  });
});

const pkcs8 = (oid: string, parameters: readonly Uint8Array[], key: Uint8Array): string =>
  der.pem('PRIVATE KEY', der.sequence(der.integer(0), der.sequence(der.oid(oid), ...parameters), der.octetString(key)));
const sec1 = (version: number, d: Uint8Array, ...more: readonly Uint8Array[]): Uint8Array =>
  der.sequence(der.integer(version), der.octetString(d), ...more);
const shown = (text: string): unknown => answer('crypto.parse_private_keys', [text]);

describe('RFC 8410 7, RFC 5915 3, RFC 8017 A.1: private keys that are read, and that are not', () => {
  const seed = Buffer.alloc(32, 5);
  const okp = der.octetString(seed);

  test('X25519 is there, and nothing of it is seen', () => {
    assert.deepEqual(shown(pkcs8(X25519, [], okp)), [{}]);
    const jwk = answer('crypto.x509.parse_rsa_private_key', [pkcs8(X25519, [], okp)]) as Record<string, string>;
    assert.deepEqual([jwk['kty'], jwk['crv'], jwk['d']], ['OKP', 'X25519', seed.toString('base64url')]);
  });
  test('a short private number is written in the length of its curve', () => {
    const text = der.pem('EC PRIVATE KEY', sec1(1, Buffer.from([5]), der.context(0, der.oid(P256))));
    const jwk = answer('crypto.x509.parse_rsa_private_key', [text]) as Record<string, string>;
    assert.equal(Buffer.from(jwk['d'] ?? '', 'base64url').toString('hex'), '05'.padStart(64, '0'));
  });
  test('the curve that PKCS#8 names comes before the one in the key', () => {
    const key = sec1(1, Buffer.from([5]), der.context(0, der.oid('1.3.132.0.34')));
    assert.deepEqual(
      shown(pkcs8(EC, [der.oid(P256)], key)),
      shown(pkcs8(EC, [der.oid(P256)], sec1(1, Buffer.from([5])))),
    );
    assert.notDeepEqual(shown(pkcs8(EC, [], key)), shown(pkcs8(EC, [der.oid(P256)], key)));
  });
  const refused: readonly (readonly [string, string])[] = [
    ['Ed25519 with parameters', pkcs8(ED25519, [der.derNull()], okp)],
    ['Ed25519 of 31 bytes', pkcs8(ED25519, [], der.octetString(seed.subarray(1)))],
    ['an algorithm that nobody knows', pkcs8('1.2.3', [], okp)],
    ['a curve that nobody names', pkcs8(EC, [], sec1(1, Buffer.from([5])))],
    ['a curve that nobody knows', pkcs8(EC, [der.oid('1.3.132.0.10')], sec1(1, Buffer.from([5])))],
    ['an elliptic curve key of version 2', pkcs8(EC, [der.oid(P256)], sec1(2, Buffer.from([5])))],
    ['a private number of zero', pkcs8(EC, [der.oid(P256)], sec1(1, Buffer.from([0])))],
    ['a private number as large as the order, and larger', pkcs8(EC, [der.oid(P256)], sec1(1, Buffer.alloc(32, 0xff)))],
    ['a private number that is too long', pkcs8(EC, [der.oid(P256)], sec1(1, Buffer.alloc(33, 1)))],
    ['a public half that is no bit string', pkcs8(EC, [der.oid(P256)], sec1(1, seed, der.context(1, der.derNull())))],
    ...pkcs1Variants(),
  ];
  for (const [title, text] of refused) test(title, () => assert.equal(shown(text), undefined));
});

/** A good RSA key with one thing wrong in each. */
function pkcs1Variants(): readonly (readonly [string, string])[] {
  const bytes = createKeyPair('rsa1024').privateKey.export({ type: 'pkcs1', format: 'der' });
  const body = bytes.subarray(4);
  const version = (value: number): Uint8Array => der.sequence(der.integer(value), body.subarray(der.integer(0).length));
  const variants: readonly (readonly [string, Uint8Array])[] = [
    ['RSA with data behind it', Buffer.concat([bytes, Buffer.from([5, 0])])],
    ['RSA of version 2', version(2)],
    ['RSA with more than two primes', der.sequence(body, der.sequence())],
    ['RSA with negative primes', der.sequence(...[0, 3233, 17, 413, -61, -53].map(der.integer))],
  ];
  assert.notDeepEqual(answer('crypto.parse_private_keys', [der.pem('RSA PRIVATE KEY', version(0))]), undefined);
  return variants.map(([title, one]) => [title, der.pem('RSA PRIVATE KEY', one)]);
}
