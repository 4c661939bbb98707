import { createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';

import { ok } from '../kernel/result.ts';
import { refuse, show } from './fault.ts';
import { algorithmFacts, isSignatureAlgorithm, SIGNATURE_ALGORITHMS } from './signature-algorithm.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { AlgorithmFacts, SignatureAlgorithm } from './signature-algorithm.ts';

/** A key that bundles are verified with, by the one algorithm that it was configured for. The key itself does not show when printed. */
export type VerificationKey = {
  readonly algorithm: SignatureAlgorithm;
  readonly key: KeyObject;
  /** Scope that a signature by this key must have, unless the verification names one. */
  readonly scope?: string | undefined;
};

/** A key that bundles are signed with, and what the signature says besides the files. */
export type SigningKey = SigningFacts & { readonly algorithm: SignatureAlgorithm; readonly key: KeyObject };

export type SigningFacts = {
  /** Name of the key for the one who verifies: header `kid` and claim `keyid`. */
  readonly keyId?: string | undefined;
  readonly scope?: string | undefined;
  /** Further claims (`iss`, `iat` …), which nobody verifies. Not `files`, `keyid` or `scope`. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
};

type Purpose = 'verify' | 'sign';

const LABELS: Readonly<Record<Purpose, readonly string[]>> = {
  verify: ['PUBLIC KEY', 'RSA PUBLIC KEY', 'CERTIFICATE'],
  sign: ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'],
};
const MIN_RSA_BITS = 2_048;
const MAX_RSA_BITS = 16_384;
const OWN_CLAIMS: readonly string[] = ['files', 'keyid', 'scope'];

/**
 * Makes a key to verify with: PEM of a public key or certificate, for HS algorithms the secret itself, its bytes as they stand (a trailing
 * line break counts). Refused with `signature_key_refused`: a key of another kind or curve than the algorithm's, RSA below 2048 bits, a secret
 * shorter than the hash (RFC 7518 3.2), a private key, and PEM as a secret. The messages never show the key.
 */
export function createVerificationKey(
  algorithm: string,
  pemOrSecret: string,
  scope?: string,
): Result<VerificationKey, BundleFault> {
  const key = keyOf(algorithm, pemOrSecret, 'verify');
  return key.ok ? ok({ ...key.value, scope }) : key;
}

/** Makes a key to sign with: PEM of a private key, or the secret. Refusals as for `createVerificationKey`. */
export function createSigningKey(
  algorithm: string,
  pemOrSecret: string,
  facts: SigningFacts = {},
): Result<SigningKey, BundleFault> {
  const taken = Object.keys(facts.claims ?? {}).find((claim) => OWN_CLAIMS.includes(claim));
  if (taken !== undefined)
    return refuse('signature_malformed', `the claims name ${taken}, which signing sets itself; leave it out`);
  const key = keyOf(algorithm, pemOrSecret, 'sign');
  return key.ok ? ok({ ...key.value, ...facts }) : key;
}

type Key = { readonly algorithm: SignatureAlgorithm; readonly key: KeyObject };

function keyOf(algorithm: string, text: string, purpose: Purpose): Result<Key, BundleFault> {
  if (!isSignatureAlgorithm(algorithm)) {
    const known = SIGNATURE_ALGORITHMS.join(', ');
    return refuse('signature_algorithm_refused', `${show(algorithm)} is no signature algorithm; use one of ${known}`);
  }
  const facts = algorithmFacts(algorithm);
  const key = facts.kind === 'hmac' ? secretOf(text, facts.secretBytes) : pemKey(text, facts, purpose);
  return typeof key === 'string'
    ? refuse('signature_key_refused', `key for ${algorithm}: ${key}`)
    : ok({ algorithm, key });
}

function secretOf(text: string, minBytes: number): KeyObject | string {
  if (text.includes('-----BEGIN'))
    return 'this is PEM, and HS algorithms take a secret; who knows the public key could sign with it. Use RS, PS or ES with it';
  const bytes = new TextEncoder().encode(text);
  if (bytes.length < minBytes)
    return `a secret of ${bytes.length} bytes, at least ${minBytes} are needed (RFC 7518 3.2); make one with \`openssl rand -hex ${minBytes}\``;
  return createSecretKey(bytes);
}

/** The key in PEM text, or what is wrong with it. */
function pemKey(text: string, facts: AlgorithmFacts, purpose: Purpose): KeyObject | string {
  const labels = Array.from(text.matchAll(/-----BEGIN ([A-Z0-9 ]{1,64})-----/g), (match) => match[1] ?? '');
  const [label, second] = labels.filter((one) => one !== 'EC PARAMETERS');
  if (label === undefined) return 'not PEM; a file that begins with -----BEGIN is needed';
  if (second !== undefined) return `holds ${labels.length} PEM blocks; give the one that is meant`;
  if (!LABELS[purpose].includes(label)) return wrongLabel(label, purpose);
  try {
    const key = purpose === 'verify' ? createPublicKey(text) : createPrivateKey(text);
    return weakness(key, facts) ?? key;
  } catch {
    return `the ${label} cannot be read; it may be damaged, or encrypted: a key with a passphrase is not taken`;
  }
}

function wrongLabel(label: string, purpose: Purpose): string {
  if (label.startsWith('ENCRYPTED')) return 'the key is encrypted; decrypt it with `openssl pkey` first';
  if (purpose === 'sign') return `holds a ${label}; signing needs a private key`;
  return label.includes('PRIVATE')
    ? 'holds a private key, which has no place where signatures are only verified; give the public half (`openssl pkey -pubout`)'
    : `holds a ${label}; a public key or a certificate is needed`;
}

/** Why the key must not be used for the algorithm. */
function weakness(key: KeyObject, facts: AlgorithmFacts): string | undefined {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = key;
  if (facts.kind === 'ecdsa') {
    const curve = details?.namedCurve ?? type;
    return type === 'ec' && curve === facts.curve ? undefined : `needs a key on ${facts.curve}, this one is ${curve}`;
  }
  if (type !== 'rsa') return `needs an RSA key, this one is ${type}`;
  const bits = details?.modulusLength ?? 0;
  return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS
    ? undefined
    : `an RSA key of ${bits} bits; ${MIN_RSA_BITS} to ${MAX_RSA_BITS} are accepted`;
}
