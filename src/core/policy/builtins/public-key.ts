import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

import { BuiltinError } from '../builtin.ts';
import { DerReader, TAG, bitString, sequence } from './der.ts';
import { bigOf } from './go-bytes.ts';
import { byOpenssl } from './openssl.ts';

/** Curves that Go knows, with the bytes of a coordinate. */
export type Curve = 'P-224' | 'P-256' | 'P-384' | 'P-521';

/** A public key as built-ins use it. `object` is for node:crypto; it is made when asked for, and throws BuiltinError where OpenSSL refuses the key. */
export type PublicKey =
  | { readonly kind: 'rsa'; readonly n: bigint; readonly e: bigint; readonly object: () => KeyObject }
  | {
      readonly kind: 'ec';
      readonly curve: Curve;
      readonly x: bigint;
      readonly y: bigint;
      readonly object: () => KeyObject;
    }
  | { readonly kind: 'ed25519'; readonly x: Uint8Array; readonly object: () => KeyObject }
  | { readonly kind: 'dsa'; readonly p: bigint; readonly q: bigint; readonly g: bigint; readonly y: bigint }
  | { readonly kind: 'x25519' };

/** A subjectPublicKeyInfo: Go's number of the algorithm (0 is unknown), and the key where the algorithm is known. */
export type KeyInfo = { readonly algorithm: number; readonly key: PublicKey | undefined };

export const CURVE_BYTES: Readonly<Record<Curve, number>> = { 'P-224': 28, 'P-256': 32, 'P-384': 48, 'P-521': 66 };
const CURVE_OIDS: ReadonlyMap<string, Curve> = new Map<string, Curve>([
  ['1.3.132.0.33', 'P-224'],
  ['1.2.840.10045.3.1.7', 'P-256'],
  ['1.3.132.0.34', 'P-384'],
  ['1.3.132.0.35', 'P-521'],
]);
/** Numbers of Go's `PublicKeyAlgorithm`. */
const ALGORITHMS: ReadonlyMap<string, number> = new Map([
  ['1.2.840.113549.1.1.1', 1],
  ['1.2.840.10040.4.1', 2],
  ['1.2.840.10045.2.1', 3],
  ['1.3.101.112', 4],
]);
const X25519 = '1.3.101.110';

/** The curve of an object identifier. */
export function curveOf(oid: readonly number[]): Curve | undefined {
  return CURVE_OIDS.get(oid.join('.'));
}

/**
 * Reads a subjectPublicKeyInfo (RFC 5280 4.1.2.7) as strictly as Go: RSA parameters are NULL, curves are named and points uncompressed. Of the key
 * agreement types only X25519 is known, and only where `agreement` says so.
 */
export function readKeyInfo(der: Uint8Array, agreement = false): KeyInfo {
  const info = new DerReader(der).into(TAG.sequence);
  const { whole: algorithmPart, body } = info.element(TAG.sequence);
  const identifier = new DerReader(body);
  const oid = identifier.oid().join('.');
  const parameters = identifier.empty ? new Uint8Array() : identifier.any().whole;
  const key = info.rightAligned();
  const algorithm = ALGORITHMS.get(oid) ?? 0;
  // Written anew: OpenSSL refuses what Go reads over behind these two.
  const object = (): KeyObject => imported(sequence([algorithmPart, bitString(key)]));
  switch (algorithm) {
    case 1:
      return { algorithm, key: readRsa(key, parameters, object) };
    case 2:
      return { algorithm, key: readDsa(key, parameters) };
    case 3:
      return { algorithm, key: readEc(key, parameters, object) };
    case 4:
      if (parameters.length > 0 || key.length !== 32) throw new BuiltinError('malformed Ed25519 key');
      return { algorithm, key: { kind: 'ed25519', x: key, object } };
    default:
      if (!agreement) return { algorithm, key: undefined };
      if (oid !== X25519 || parameters.length > 0 || key.length !== 32)
        throw new BuiltinError('unknown public key algorithm');
      return { algorithm, key: { kind: 'x25519' } };
  }
}

function readRsa(der: Uint8Array, parameters: Uint8Array, object: () => KeyObject): PublicKey {
  if (parameters.toHex() !== '0500') throw new BuiltinError('RSA key without NULL parameters');
  const numbers = new DerReader(der).into(TAG.sequence);
  const n = numbers.integer();
  const e = numbers.integer();
  if (n <= 0n || e <= 0n || e > 2n ** 63n - 1n) throw new BuiltinError('malformed RSA key');
  return { kind: 'rsa', n, e, object };
}

function readDsa(der: Uint8Array, parameters: Uint8Array): PublicKey {
  const y = new DerReader(der).integer();
  const numbers = new DerReader(parameters).into(TAG.sequence);
  const [p, q, g] = [numbers.integer(), numbers.integer(), numbers.integer()];
  if (y <= 0n || p <= 0n || q <= 0n || g <= 0n) throw new BuiltinError('zero or negative DSA parameter');
  return { kind: 'dsa', p, q, g, y };
}

function readEc(point: Uint8Array, parameters: Uint8Array, object: () => KeyObject): PublicKey {
  const curve = curveOf(new DerReader(parameters).oid());
  if (curve === undefined) throw new BuiltinError('unsupported elliptic curve');
  const size = CURVE_BYTES[curve];
  if (point[0] !== 4 || point.length !== 1 + 2 * size) throw new BuiltinError('malformed point of an elliptic curve');
  // OpenSSL refuses a point that is not on the curve when the key is imported.
  object();
  return { kind: 'ec', curve, x: bigOf(point.subarray(1, 1 + size)), y: bigOf(point.subarray(1 + size)), object };
}

function imported(der: Uint8Array<ArrayBuffer>): KeyObject {
  return byOpenssl('the public key cannot be used', () =>
    createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' }),
  );
}
