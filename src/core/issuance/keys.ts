import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';

import { err, ok } from '../kernel/result.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../kernel/result.ts';

/** A key pair of ECDSA on P-256, for `@peculiar/x509` and as PKCS#8 PEM. */
export type SigningKeys = {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly privateKeyPem: string;
};

/** How everything here is signed (RFC 5758 3.2). */
export const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' } as const;

const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/** Makes a new key pair. */
export function generateKeys(): SigningKeys {
  return signingKeys(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
}

/** Reads a private key from PEM; a text says what is wrong, and never what stands there. */
export function readKeys(pem: string): Result<SigningKeys, string> {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return err('the key is not ECDSA on P-256');
    return ok(signingKeys(key));
  } catch {
    return err('not a private key in PEM');
  }
}

function signingKeys(key: KeyObject): SigningKeys {
  return {
    privateKey: key.toCryptoKey(KEY_ALGORITHM, false, ['sign']) as CryptoKey,
    publicKey: createPublicKey(key).toCryptoKey(KEY_ALGORITHM, true, ['verify']) as CryptoKey,
    privateKeyPem: key.export({ type: 'pkcs8', format: 'pem' }),
  };
}
