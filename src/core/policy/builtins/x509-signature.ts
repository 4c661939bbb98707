import { constants, verify } from 'node:crypto';

import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { chargeVerify, isUsableRsa } from './crypto-cost.ts';
import { DerReader, TAG, context } from './der.ts';
import { byOpenssl } from './openssl.ts';
import type { PublicKey } from './public-key.ts';

/** A signature algorithm as Go numbers it. `hash` is undefined where Go does not verify it: MD5, SHA-1, DSA. */
type Algorithm = {
  readonly number: number;
  readonly key: 'rsa' | 'ec' | 'ed25519' | 'dsa';
  readonly hash?: string;
  readonly pss?: true;
};

const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['1.2.840.113549.1.1.4', { number: 2, key: 'rsa' }],
  ['1.2.840.113549.1.1.5', { number: 3, key: 'rsa' }],
  ['1.3.14.3.2.29', { number: 3, key: 'rsa' }],
  ['1.2.840.113549.1.1.11', { number: 4, key: 'rsa', hash: 'sha256' }],
  ['1.2.840.113549.1.1.12', { number: 5, key: 'rsa', hash: 'sha384' }],
  ['1.2.840.113549.1.1.13', { number: 6, key: 'rsa', hash: 'sha512' }],
  ['1.2.840.10040.4.3', { number: 7, key: 'dsa' }],
  ['2.16.840.1.101.3.4.3.2', { number: 8, key: 'dsa' }],
  ['1.2.840.10045.4.1', { number: 9, key: 'ec' }],
  ['1.2.840.10045.4.3.2', { number: 10, key: 'ec', hash: 'sha256' }],
  ['1.2.840.10045.4.3.3', { number: 11, key: 'ec', hash: 'sha384' }],
  ['1.2.840.10045.4.3.4', { number: 12, key: 'ec', hash: 'sha512' }],
  ['pss sha256', { number: 13, key: 'rsa', hash: 'sha256', pss: true }],
  ['pss sha384', { number: 14, key: 'rsa', hash: 'sha384', pss: true }],
  ['pss sha512', { number: 15, key: 'rsa', hash: 'sha512', pss: true }],
  ['1.3.101.112', { number: 16, key: 'ed25519', hash: 'none' }],
]);
const BY_NUMBER: ReadonlyMap<number, Algorithm> = new Map(Array.from(ALGORITHMS.values(), (one) => [one.number, one]));
const PSS = '1.2.840.113549.1.1.10';
const ED25519 = '1.3.101.112';
const MGF1 = '1.2.840.113549.1.1.8';
/** Hashes of PSS with the length of the salt that goes with them. */
const PSS_HASHES: ReadonlyMap<string, readonly [string, bigint]> = new Map([
  ['2.16.840.1.101.3.4.2.1', ['sha256', 32n]],
  ['2.16.840.1.101.3.4.2.2', ['sha384', 48n]],
  ['2.16.840.1.101.3.4.2.3', ['sha512', 64n]],
]);

/** Go's number of the algorithm in the body of an AlgorithmIdentifier; 0 is unknown. */
export function signatureAlgorithmOf(body: Uint8Array): number {
  const reader = new DerReader(body);
  const oid = reader.oid().join('.');
  const parameters = reader.empty ? undefined : reader.any().whole;
  if (oid === ED25519 && parameters !== undefined) return 0;
  return ALGORITHMS.get(oid === PSS ? `pss ${pssHash(parameters ?? new Uint8Array())}` : oid)?.number ?? 0;
}

/** The hash of PSS parameters where they are as RFC 4055 3.1 recommends: the same hash twice, and a salt as long as it. */
function pssHash(parameters: Uint8Array): string {
  try {
    const sequence = new DerReader(parameters).into(TAG.sequence);
    const hash = algorithmIn(sequence.into(context(0, true)));
    const mask = sequence.into(context(1, true)).into(TAG.sequence);
    const isMgf1 = mask.oid().join('.') === MGF1;
    const maskHash = algorithmIn(mask);
    const salt = sequence.into(context(2, true)).integer();
    const trailer = sequence.optional(context(3, true))?.integer() ?? 1n;
    const [name = '', length = 0n] = PSS_HASHES.get(hash) ?? [];
    return isMgf1 && maskHash === hash && trailer === 1n && salt === length ? name : '';
  } catch (problem) {
    if (problem instanceof BuiltinError) return '';
    throw problem;
  }
}

/** The identifier of an algorithm whose parameters are absent or NULL. */
function algorithmIn(reader: DerReader): string {
  const sequence = reader.into(TAG.sequence);
  const oid = sequence.oid().join('.');
  if (!sequence.empty && sequence.body(TAG.null).length !== 0) throw new BuiltinError('unexpected parameters');
  return oid;
}

/** True where a key of the right type made this signature with an algorithm that Go still verifies on certificates. */
export function isSignedBy(
  key: PublicKey,
  algorithm: number,
  signed: Uint8Array,
  signature: Uint8Array,
  cost: BuiltinContext,
): boolean {
  const found = BY_NUMBER.get(algorithm);
  if (found?.hash === undefined || found.key !== key.kind || !('object' in key)) return false;
  if (key.kind === 'rsa' && !isUsableRsa(key, signature.length)) return false;
  chargeVerify(cost, key);
  const input = { key: key.object(), ...(found.pss === undefined ? {} : PSS_OPTIONS) };
  const hash = found.hash === 'none' ? null : found.hash;
  return byOpenssl('the signature cannot be verified', () => verify(hash, signed, input, signature));
}

const PSS_OPTIONS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
