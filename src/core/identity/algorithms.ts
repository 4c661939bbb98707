import { constants, createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import type { Fault } from '../model/faults.ts';
import { fault } from '../model/faults.ts';
import { DerReader, TAG } from './der.ts';
import { readInteger, readOctetsOfBitString } from './der-values.ts';

type KeyKind = 'rsa' | 'ec' | 'ed25519';

/** A public key that the policy below accepts. */
export type PublicKey = { readonly kind: KeyKind; readonly key: KeyObject };

type SignatureScheme = { readonly kind: KeyKind; readonly hash: string | null; readonly saltLength?: number };

/**
 * Signature algorithms that are accepted, by their whole encoded AlgorithmIdentifier, parameters included: SHA-256 or better with RSA
 * (PKCS #1 v1.5 with NULL or absent parameters, RFC 4055 section 5; PSS with equal hashes and a salt of their length), ECDSA (RFC 5758),
 * and Ed25519 (RFC 8410). SHA-1, MD5 and everything else is not in the table and so refused.
 */
const SIGNATURES: ReadonlyMap<string, SignatureScheme> = new Map<string, SignatureScheme>([
  ['300a06082a8648ce3d040302', { kind: 'ec', hash: 'sha256' }],
  ['300a06082a8648ce3d040303', { kind: 'ec', hash: 'sha384' }],
  ['300a06082a8648ce3d040304', { kind: 'ec', hash: 'sha512' }],
  ['300506032b6570', { kind: 'ed25519', hash: null }],
  ['300d06092a864886f70d01010b0500', { kind: 'rsa', hash: 'sha256' }],
  ['300d06092a864886f70d01010c0500', { kind: 'rsa', hash: 'sha384' }],
  ['300d06092a864886f70d01010d0500', { kind: 'rsa', hash: 'sha512' }],
  ['300b06092a864886f70d01010b', { kind: 'rsa', hash: 'sha256' }],
  ['300b06092a864886f70d01010c', { kind: 'rsa', hash: 'sha384' }],
  ['300b06092a864886f70d01010d', { kind: 'rsa', hash: 'sha512' }],
  [pss('01', '20'), { kind: 'rsa', hash: 'sha256', saltLength: 32 }],
  [pss('02', '30'), { kind: 'rsa', hash: 'sha384', saltLength: 48 }],
  [pss('03', '40'), { kind: 'rsa', hash: 'sha512', saltLength: 64 }],
]);

/** AlgorithmIdentifier of RSASSA-PSS (RFC 4055 section 3.1); `hash` and `salt` are the octets that differ. */
function pss(hash: string, salt: string): string {
  const digest = `300d06096086480165030402${hash}0500`;
  return `304106092a864886f70d01010a3034a00f${digest}a11c301a06092a864886f70d010108${digest}a2030201${salt}`;
}

type KeyScheme = { readonly kind: KeyKind; readonly sound: (bits: Uint8Array) => boolean };

/** Keys that are accepted, by the whole encoded AlgorithmIdentifier; curves by name only, points uncompressed (RFC 5480 section 2). */
const KEYS: ReadonlyMap<string, KeyScheme> = new Map<string, KeyScheme>([
  ['301306072a8648ce3d020106082a8648ce3d030107', { kind: 'ec', sound: (bits) => isPoint(bits, 65) }],
  ['301006072a8648ce3d020106052b81040022', { kind: 'ec', sound: (bits) => isPoint(bits, 97) }],
  ['301006072a8648ce3d020106052b81040023', { kind: 'ec', sound: (bits) => isPoint(bits, 133) }],
  ['300506032b6570', { kind: 'ed25519', sound: (bits) => bits.length === 32 }],
  ['300d06092a864886f70d0101010500', { kind: 'rsa', sound: isRsaKey }],
]);

function isPoint(bits: Uint8Array, length: number): boolean {
  return bits.length === length && bits[0] === 0x04;
}

/** A modulus of 2048 to 8192 bits and an odd exponent of 3 to 2^32: the upper bounds bound the work of a check. */
function isRsaKey(bits: Uint8Array): boolean {
  const reader = new DerReader(bits);
  const key = reader.enter(TAG.sequence, 'RSA key');
  const modulus = readInteger(key, 'modulus', 1025);
  const exponent = readInteger(key, 'exponent', 5);
  key.close('RSA key');
  reader.close('RSA key');
  if (reader.failure !== undefined || modulus[0] !== 0 || (exponent[0] ?? 0x80) >= 0x80) return false;
  const size = (modulus.length - 1) * 8 - Math.clz32(modulus[1] ?? 0) + 24;
  const odd = ((exponent.at(-1) ?? 0) & 1) === 1;
  return size >= 2048 && odd && (exponent.length > 1 || (exponent[0] ?? 0) >= 3);
}

/**
 * Takes a public key out of a SubjectPublicKeyInfo: RSA of 2048 to 8192 bits, P-256, P-384, P-521, Ed25519. What is not one of these
 * never reaches the cryptographic library. Fault: `peer_algorithm_refused`.
 */
export function importPublicKey(spki: Uint8Array): Result<PublicKey, Fault> {
  const reader = new DerReader(spki);
  const info = reader.enter(TAG.sequence, 'public key');
  const algorithm = info.whole(TAG.sequence, 'key algorithm');
  const bits = readOctetsOfBitString(info, 'public key');
  info.close('public key');
  const scheme = KEYS.get(algorithm.toHex());
  if (reader.failure !== undefined || scheme === undefined || !scheme.sound(bits)) {
    return err(fault('peer_algorithm_refused', `public key: not of an accepted kind and size (${nameOf(algorithm)})`));
  }
  try {
    return ok({ kind: scheme.kind, key: createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }) });
  } catch {
    return err(fault('peer_algorithm_refused', 'public key: the numbers are no key'));
  }
}

/** For an operator to look up; bounded. */
function nameOf(algorithm: Uint8Array): string {
  return `algorithm ${algorithm.subarray(0, 32).toHex()}`;
}

/** True when `algorithm` (encoded, hexadecimal) is one that is accepted. */
export function isAcceptedSignature(algorithm: string): boolean {
  return SIGNATURES.has(algorithm);
}

/** True when `signature` over `tbs` is by `key`. False for algorithms that are not accepted or do not fit the key; never throws. */
export function verifySignature(
  signed: { readonly tbs: Uint8Array; readonly signature: Uint8Array; readonly signatureAlgorithm: string },
  { kind, key }: PublicKey,
): boolean {
  const scheme = SIGNATURES.get(signed.signatureAlgorithm);
  if (scheme === undefined || scheme.kind !== kind) return false;
  const { hash, saltLength } = scheme;
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  try {
    return verify(hash, signed.tbs, saltLength === undefined ? key : { key, padding, saltLength }, signed.signature);
  } catch {
    return false;
  }
}
