import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

import { context, derNull, integer, oid, sequence } from './der.ts';

/** Kinds of key a test can ask for; `p256` is the quick one. Some are there only to be refused. */
export type KeyKind = 'p256' | 'p384' | 'p521' | 'p224' | 'secp256k1' | 'ed25519' | 'rsa1024' | 'rsa2048' | 'rsa3072';

/** How something is signed. The key's kind decides between RSA, ECDSA and Ed25519. */
export type Digest = 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'pss-sha256';

export type KeyPair = { readonly kind: KeyKind; readonly privateKey: KeyObject; readonly publicKey: KeyObject };

const CURVES = { p256: 'P-256', p384: 'P-384', p521: 'P-521', p224: 'P-224', secp256k1: 'secp256k1' } as const;
const RSA_BITS = { rsa1024: 1024, rsa2048: 2048, rsa3072: 3072 } as const;

/** A fresh key pair. */
export function createKeyPair(kind: KeyKind = 'p256'): KeyPair {
  if (kind === 'ed25519') return { kind, ...generateKeyPairSync('ed25519') };
  if (kind === 'rsa1024' || kind === 'rsa2048' || kind === 'rsa3072') {
    return { kind, ...generateKeyPairSync('rsa', { modulusLength: RSA_BITS[kind] }) };
  }
  return { kind, ...generateKeyPairSync('ec', { namedCurve: CURVES[kind] }) };
}

/** SubjectPublicKeyInfo of a key pair, DER. */
export function spkiOf(keys: KeyPair): Uint8Array {
  return keys.publicKey.export({ type: 'spki', format: 'der' });
}

/** Key identifier by RFC 7093 section 2 method 1: the first 160 bits of SHA-256. */
export function keyIdentifier(keys: KeyPair): Uint8Array {
  return createHash('sha256').update(spkiOf(keys)).digest().subarray(0, 20);
}

const ECDSA = {
  sha1: '1.2.840.10045.4.1',
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha512: '1.2.840.10045.4.3.4',
};
const RSA = {
  sha1: '1.2.840.113549.1.1.5',
  sha256: '1.2.840.113549.1.1.11',
  sha384: '1.2.840.113549.1.1.12',
  sha512: '1.2.840.113549.1.1.13',
};

/** The AlgorithmIdentifier of a signature by `keys` with `digest`. */
export function signatureAlgorithm(keys: KeyPair, digest: Digest): Uint8Array {
  if (keys.kind === 'ed25519') return sequence(oid('1.3.101.112'));
  if (digest === 'pss-sha256') return pssSha256();
  if (keys.kind.startsWith('rsa')) return sequence(oid(RSA[digest]), derNull());
  return sequence(oid(ECDSA[digest]));
}

function pssSha256(): Uint8Array {
  const sha256 = sequence(oid('2.16.840.1.101.3.4.2.1'), derNull());
  const mgf1 = sequence(oid('1.2.840.113549.1.1.8'), sha256);
  const parameters = sequence(context(0, sha256), context(1, mgf1), context(2, integer(32)));
  return sequence(oid('1.2.840.113549.1.1.10'), parameters);
}

/** Signs `bytes`; ECDSA signatures are DER. */
export function signBytes(keys: KeyPair, digest: Digest, bytes: Uint8Array): Uint8Array {
  if (keys.kind === 'ed25519') return sign(null, bytes, keys.privateKey);
  if (digest !== 'pss-sha256') return sign(digest, bytes, keys.privateKey);
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return sign('sha256', bytes, { key: keys.privateKey, padding, saltLength: 32 });
}
