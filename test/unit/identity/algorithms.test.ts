import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { importPublicKey, isAcceptedSignature, verifySignature } from '../../../src/core/identity/algorithms.ts';
import * as der from '../../support/der.ts';
import type { Digest, KeyKind, KeyPair } from '../../support/pki-keys.ts';
import { createKeyPair, signatureAlgorithm, signBytes, spkiOf } from '../../support/pki-keys.ts';

const pairs = new Map<KeyKind, KeyPair>();

/** One pair of each kind, made when first asked for: RSA keys take their time. */
function pairOf(kind: KeyKind): KeyPair {
  const keys = pairs.get(kind) ?? createKeyPair(kind);
  pairs.set(kind, keys);
  return keys;
}

function verifies(keys: KeyPair, digest: Digest, change: (signed: Signed) => Signed = (signed) => signed): boolean {
  const key = importPublicKey(spkiOf(keys));
  assert.ok(key.ok, JSON.stringify(key));
  const tbs = Buffer.from('what is signed');
  const signature = signBytes(keys, digest, tbs);
  return verifySignature(
    change({ tbs, signature, signatureAlgorithm: signatureAlgorithm(keys, digest).toHex() }),
    key.value,
  );
}
type Signed = { readonly tbs: Uint8Array; readonly signature: Uint8Array; readonly signatureAlgorithm: string };

function refusal(spki: Uint8Array): string {
  const key = importPublicKey(spki);
  assert.ok(!key.ok, 'was taken');
  assert.equal(key.error.code, 'peer_algorithm_refused');
  return key.error.detail;
}

test('signatures of every accepted kind verify', () => {
  for (const kind of ['p256', 'p384', 'p521', 'rsa2048'] as const) {
    for (const digest of ['sha256', 'sha384', 'sha512'] as const)
      assert.ok(verifies(pairOf(kind), digest), `${kind} ${digest}`);
  }
  assert.ok(verifies(pairOf('rsa2048'), 'pss-sha256'));
  assert.ok(verifies(pairOf('ed25519'), 'sha256'));
});

test('RFC 4055 5: RSA with absent parameters is read like NULL', () => {
  const bare = der.sequence(der.oid('1.2.840.113549.1.1.11')).toHex();
  assert.ok(verifies(pairOf('rsa2048'), 'sha256', (signed) => ({ ...signed, signatureAlgorithm: bare })));
});

test('SHA-1 is refused, with RSA and ECDSA', () => {
  for (const kind of ['p256', 'rsa2048'] as const) {
    assert.equal(verifies(pairOf(kind), 'sha1'), false, kind);
    assert.equal(isAcceptedSignature(signatureAlgorithm(pairOf(kind), 'sha1').toHex()), false, kind);
  }
});

test('MD5, DSA, ECDSA with parameters, PSS with other parameters and nothing at all are refused', () => {
  const pss = der.sequence(der.oid('1.2.840.113549.1.1.10'), der.sequence());
  const list = [
    der.sequence(der.oid('1.2.840.113549.1.1.4'), der.derNull()),
    der.sequence(der.oid('1.2.840.10040.4.3')),
    der.sequence(der.oid('1.2.840.10045.4.3.2'), der.derNull()),
    der.sequence(der.oid('1.3.101.112'), der.derNull()),
    pss,
    der.sequence(),
  ];
  for (const algorithm of list) assert.equal(isAcceptedSignature(algorithm.toHex()), false, algorithm.toHex());
  for (const text of ['', 'constructor', '__proto__', 'toString']) assert.equal(isAcceptedSignature(text), false, text);
});

test('a signature by another key, over other bytes, or changed does not verify', () => {
  const key = importPublicKey(spkiOf(createKeyPair()));
  assert.ok(key.ok);
  const tbs = Buffer.from('what is signed');
  const keys = pairOf('p256');
  const algorithm = signatureAlgorithm(keys, 'sha256').toHex();
  const signature = signBytes(keys, 'sha256', tbs);
  assert.equal(verifySignature({ tbs, signature, signatureAlgorithm: algorithm }, key.value), false);
  assert.equal(
    verifies(keys, 'sha256', (signed) => ({ ...signed, tbs: Buffer.from('what is signeD') })),
    false,
  );
  assert.equal(
    verifies(keys, 'sha256', (signed) => ({ ...signed, signature: signed.signature.subarray(1) })),
    false,
  );
  assert.equal(
    verifies(keys, 'sha256', (signed) => ({ ...signed, signature: new Uint8Array() })),
    false,
  );
});

test('the algorithm must be that of the signature and fit the key', () => {
  const p256 = pairOf('p256');
  const sha384 = signatureAlgorithm(p256, 'sha384').toHex();
  const rsa = signatureAlgorithm(pairOf('rsa2048'), 'sha256').toHex();
  const ed25519 = signatureAlgorithm(pairOf('ed25519'), 'sha256').toHex();
  for (const algorithm of [sha384, rsa, ed25519]) {
    assert.equal(
      verifies(p256, 'sha256', (signed) => ({ ...signed, signatureAlgorithm: algorithm })),
      false,
      algorithm,
    );
  }
});

test('RSA under 2048 bits is refused', () => {
  assert.match(refusal(spkiOf(pairOf('rsa1024'))), /kind and size/);
  refusal(rsaSpki((1n << 2047n) - 1n, 65_537n));
});

/** An odd number of so many bits. */
const odd = (bits: bigint): bigint => (1n << (bits - 1n)) + 1n;

const rsaSpki = (modulus: bigint, exponent: bigint): Uint8Array =>
  der.sequence(
    der.sequence(der.oid('1.2.840.113549.1.1.1'), der.derNull()),
    der.bitString(der.sequence(der.integer(modulus), der.integer(exponent))),
  );

test('RSA sizes and exponents are bounded: both set the work of a check', () => {
  assert.ok(importPublicKey(rsaSpki(odd(2048n), 65_537n)).ok);
  assert.ok(importPublicKey(rsaSpki(odd(8192n), 3n)).ok);
  for (const [modulus, exponent] of [
    [odd(2048n), 1n],
    [odd(2048n), 0n],
    [odd(2048n), 65_536n],
    [odd(2048n), -3n],
    [odd(2048n), (1n << 64n) + 1n],
    [-odd(2048n), 65_537n],
    [odd(8193n), 65_537n],
    [odd(16_384n), 65_537n],
  ] as const) {
    assert.match(refusal(rsaSpki(modulus, exponent)), /kind and size/, `${exponent}`);
  }
});

test('curves beside P-256, P-384 and P-521 are refused', () => {
  for (const kind of ['p224', 'secp256k1'] as const) assert.match(refusal(spkiOf(pairOf(kind))), /kind and size/, kind);
});

const P256 = der.sequence(der.oid('1.2.840.10045.2.1'), der.oid('1.2.840.10045.3.1.7'));

test('RFC 5480 2.1.1: curves with spelt-out parameters never reach the library (CVE-2022-0778)', () => {
  const explicit = der.sequence(der.oid('1.2.840.10045.2.1'), der.sequence(der.integer(1)));
  assert.match(refusal(der.sequence(explicit, der.bitString(new Uint8Array(65).fill(4)))), /kind and size/);
});

test('RFC 5480 2.2: compressed points, points of another length and points off the curve are refused', () => {
  const spki = spkiOf(pairOf('p256'));
  const point = spki.subarray(spki.length - 65);
  const odd = (point[64] ?? 0) & 1;
  const compressed = Buffer.concat([Buffer.from([2 + odd]), point.subarray(1, 33)]);
  assert.match(refusal(der.sequence(P256, der.bitString(compressed))), /kind and size/);
  assert.match(refusal(der.sequence(P256, der.bitString(point.subarray(0, 64)))), /kind and size/);
  assert.match(refusal(der.sequence(P256, der.bitString(Uint8Array.of(0)))), /kind and size/);
  const off = Uint8Array.from(point);
  off[64] = (off[64] ?? 0) ^ 1;
  assert.match(refusal(der.sequence(P256, der.bitString(off))), /no key/);
});

test('RFC 8410: Ed25519 keys have 32 octets and no parameters', () => {
  const algorithm = der.sequence(der.oid('1.3.101.112'));
  assert.match(refusal(der.sequence(algorithm, der.bitString(new Uint8Array(31)))), /kind and size/);
  const withNull = der.sequence(der.oid('1.3.101.112'), der.derNull());
  assert.match(refusal(der.sequence(withNull, der.bitString(new Uint8Array(32)))), /kind and size/);
});

test('what is no SubjectPublicKeyInfo is refused', () => {
  for (const spki of [
    new Uint8Array(),
    der.sequence(),
    der.sequence(P256),
    der.derNull(),
    der.sequence(P256, der.octetString(Buffer.alloc(65))),
  ]) {
    refusal(spki);
  }
});

/** The bytes with one bit changed. */
const flip = (bytes: Uint8Array, at: number, bit: number): Uint8Array => {
  const changed = Uint8Array.from(bytes);
  changed[at % bytes.length] = (changed[at % bytes.length] ?? 0) ^ (1 << bit);
  return changed;
};

test('property: a changed key or signature is refused or does not verify, and nothing throws', () => {
  const keys = pairOf('p256');
  const spki = spkiOf(keys);
  const tbs = Buffer.from('what is signed');
  const algorithm = signatureAlgorithm(keys, 'sha256').toHex();
  const signature = signBytes(keys, 'sha256', tbs);
  fc.assert(
    fc.property(fc.nat(), fc.nat(7), fc.boolean(), (at, bit, inKey) => {
      const key = importPublicKey(inKey ? flip(spki, at, bit) : spki);
      if (!key.ok) return;
      const given = inKey ? signature : flip(signature, at, bit);
      assert.equal(verifySignature({ tbs, signature: given, signatureAlgorithm: algorithm }, key.value), false);
    }),
    { numRuns: 300 },
  );
});
