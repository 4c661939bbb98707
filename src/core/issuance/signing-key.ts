import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';

import type { KeyObject } from 'node:crypto';

/** Keys that authorities have and that sidecars make for themselves: ECDSA on P-256, and Ed25519 (RFC 8410). */
export type KeyKind = 'p256' | 'ed25519';

/** A private key with its public half. The private one may live in a token, from which nothing comes out but signatures. */
export type KeyPair = { readonly privateKey: KeyObject; readonly publicKey: KeyObject };

/** The encoded AlgorithmIdentifier of signatures by each kind: ecdsa-with-SHA256 (RFC 5758 3.2), Ed25519 (RFC 8410 3). */
const SIGNATURES: Readonly<Record<KeyKind, { readonly algorithm: string; readonly hash: string | null }>> = {
  p256: { algorithm: '300a06082a8648ce3d040302', hash: 'sha256' },
  ed25519: { algorithm: '300506032b6570', hash: null },
};

/** Makes a new key pair, in memory. */
export function generateKeyPair(kind: KeyKind): KeyPair {
  return kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** The kind of a key; undefined for any other. A private key in a token may not tell: ask its public half. */
export function kindOfKey(key: KeyObject): KeyKind | undefined {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 'p256' : undefined;
}

/** SubjectPublicKeyInfo of a public key, or of the public half of a private one, DER. */
export function spkiOf(key: KeyObject): Uint8Array {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
}

/** Encoded AlgorithmIdentifier of what `signBytes` makes with a key of this kind. */
export function signatureAlgorithm(kind: KeyKind): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(SIGNATURES[kind].algorithm);
}

/** Signs off the main thread, since a token may take its time. Rejects where the key cannot be used. ECDSA signatures are DER (RFC 3279 2.2.3). */
export function signBytes(kind: KeyKind, privateKey: KeyObject, bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    sign(SIGNATURES[kind].hash, bytes, privateKey, (error, signature) => {
      if (error === null) resolve(new Uint8Array(signature));
      else reject(error);
    });
  });
}
