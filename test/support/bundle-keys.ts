import { generateKeyPairSync, randomBytes } from 'node:crypto';

import { createSigningKey, createVerificationKey } from '../../src/core/bundle/signature-key.ts';

import type { SignatureAlgorithm } from '../../src/core/bundle/signature-algorithm.ts';
import type { SigningFacts, SigningKey, VerificationKey } from '../../src/core/bundle/signature-key.ts';

/** A fresh key for bundles, as texts and as what reads them. For HS both texts are the secret. */
export type BundleKeys = {
  readonly algorithm: SignatureAlgorithm;
  readonly privateText: string;
  readonly publicText: string;
  readonly verification: VerificationKey;
  readonly signing: (facts?: SigningFacts) => SigningKey;
};

const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const;

/** Makes keys for `algorithm`. An RSA pair is made once a process: it takes long. */
export function createBundleKeys(algorithm: SignatureAlgorithm, fresh = false): BundleKeys {
  const { privateText, publicText } = textsOf(algorithm, fresh);
  return {
    algorithm,
    privateText,
    publicText,
    verification: made(createVerificationKey(algorithm, publicText)),
    signing: (facts) => made(createSigningKey(algorithm, privateText, facts)),
  };
}

type Texts = Pick<BundleKeys, 'privateText' | 'publicText'>;

let rsa: Texts | undefined;

function textsOf(algorithm: SignatureAlgorithm, fresh: boolean): Texts {
  if (algorithm.startsWith('HS')) {
    const secret = randomBytes(32).toString('hex');
    return { privateText: secret, publicText: secret };
  }
  if (algorithm === 'ES256' || algorithm === 'ES384' || algorithm === 'ES512') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: CURVES[algorithm] });
    return {
      privateText: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      publicText: publicKey.export({ type: 'spki', format: 'pem' }),
    };
  }
  if (fresh) return rsaTexts();
  rsa ??= rsaTexts();
  return rsa;
}

/** PEM of a fresh RSA pair. */
export function rsaTexts(modulusLength = 2_048): Texts {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength });
  return {
    privateText: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    publicText: publicKey.export({ type: 'spki', format: 'pem' }),
  };
}

function made<T>(
  key: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: { detail: string } },
): T {
  if (!key.ok) throw new Error(key.error.detail);
  return key.value;
}
