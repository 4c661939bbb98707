import { createECDH, createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { chargePoint, chargeRsaParts, isUsableRsa } from './crypto-cost.ts';
import { DerReader, TAG, context } from './der.ts';
import { base64Url, bigBytes, bigOf } from './go-bytes.ts';
import { byOpenssl } from './openssl.ts';
import { CURVE_BYTES, curveOf } from './public-key.ts';
import type { Curve, PublicKey } from './public-key.ts';
import { crtOf } from './rsa-arithmetic.ts';
import type { RsaCrt, RsaPrivate } from './rsa-arithmetic.ts';

/** A private key as built-ins use it. */
export type PrivateKey =
  | ({ readonly kind: 'rsa'; readonly crt: RsaCrt } & RsaPrivate)
  | { readonly kind: 'ec'; readonly curve: Curve; readonly d: bigint; readonly x: bigint; readonly y: bigint }
  | { readonly kind: 'ed25519' | 'x25519'; readonly seed: Uint8Array; readonly x: Uint8Array };

const ECDH_NAMES: Readonly<Record<Curve, string>> = {
  'P-224': 'secp224r1',
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
};
/** PKCS#8 around a seed (RFC 8410 7), with the name of the curve in JWK. */
const OKP = {
  ed25519: { prefix: '302e020100300506032b657004220420', curve: 'Ed25519' },
  x25519: { prefix: '302e020100300506032b656e04220420', curve: 'X25519' },
} as const;

/** Reads an RSA key of PKCS#1 (RFC 8017 A.1.2) with two primes, whose parts must belong together. */
export function readPkcs1(der: Uint8Array, cost: BuiltinContext): PrivateKey {
  const outer = new DerReader(der);
  const reader = outer.into(TAG.sequence);
  const version = reader.integer();
  const [n, e, d, p, q] = [reader.integer(), reader.integer(), reader.integer(), reader.integer(), reader.integer()];
  const given = [0, 1, 2].map(() => (reader.next(TAG.integer) ? reader.integer() : undefined));
  if (!outer.empty || version > 1n || [n, e, d, p, q].some((part) => part <= 0n) || reader.next(TAG.sequence))
    throw new BuiltinError('malformed RSA private key');
  return rsaKey({ n, e, d, p, q }, given, cost);
}

/** An RSA key of its parts; those for the Chinese remainder are checked where they are given. */
export function rsaKey(
  key: RsaPrivate,
  given: readonly (bigint | undefined)[],
  cost: BuiltinContext,
): PrivateKey & { kind: 'rsa' } {
  const usable = isUsableRsa(key);
  if (usable) chargeRsaParts(cost, key.n);
  const crt = usable ? crtOf(key) : undefined;
  if (crt === undefined || given.some((part, at) => part !== undefined && part !== crt[at]))
    throw new BuiltinError('the parts of an RSA private key do not belong together, or it is too small');
  return { kind: 'rsa', ...key, crt };
}

/** Reads a key of PKCS#8 (RFC 5208): RSA, elliptic curves, Ed25519 and X25519. */
export function readPkcs8(der: Uint8Array, cost: BuiltinContext): PrivateKey {
  const reader = new DerReader(der).into(TAG.sequence);
  reader.integer();
  const identifier = reader.into(TAG.sequence);
  const oid = identifier.oid().join('.');
  const parameters = identifier.empty ? undefined : identifier.any().whole;
  const key = reader.body(TAG.octetString);
  switch (oid) {
    case '1.2.840.113549.1.1.1':
      return readPkcs1(key, cost);
    case '1.2.840.10045.2.1':
      return readSec1(key, cost, parameters?.[0] === TAG.oid ? curveOf(new DerReader(parameters).oid()) : undefined);
    case '1.3.101.112':
    case '1.3.101.110': {
      const seed = new DerReader(key).body(TAG.octetString);
      if (parameters !== undefined || seed.length !== 32) throw new BuiltinError('malformed private key');
      return okpKey(oid === '1.3.101.110' ? 'x25519' : 'ed25519', seed, cost);
    }
    default:
      throw new BuiltinError('a private key of unknown algorithm');
  }
}

/** Reads an elliptic curve key (RFC 5915); the curve may be named outside of it. */
export function readSec1(der: Uint8Array, cost: BuiltinContext, named?: Curve): PrivateKey {
  const reader = new DerReader(der).into(TAG.sequence);
  if (reader.integer() !== 1n) throw new BuiltinError('an elliptic curve key of unknown version');
  const d = bigOf(reader.body(TAG.octetString));
  const own = reader.optional(context(0, true));
  reader.optional(context(1, true))?.bits();
  const curve = named ?? (own === undefined ? undefined : curveOf(own.oid()));
  if (curve === undefined) throw new BuiltinError('unknown elliptic curve');
  return ecKey(curve, d, cost);
}

/** An elliptic curve key with its point. */
export function ecKey(curve: Curve, d: bigint, cost: BuiltinContext): PrivateKey & { kind: 'ec' } {
  chargePoint(cost, curve);
  const size = CURVE_BYTES[curve];
  const ecdh = createECDH(ECDH_NAMES[curve]);
  byOpenssl('a private key that is out of range', () => ecdh.setPrivateKey(bigBytes(d, size)));
  const point = ecdh.getPublicKey();
  return { kind: 'ec', curve, d, x: bigOf(point.subarray(1, 1 + size)), y: bigOf(point.subarray(1 + size)) };
}

/** A key of Curve25519 with its public half. */
export function okpKey(kind: 'ed25519' | 'x25519', seed: Uint8Array, cost: BuiltinContext): PrivateKey {
  chargePoint(cost, 'curve25519');
  const { x = '' } = createPublicKey(okpObject(kind, seed)).export({ format: 'jwk' });
  return { kind, seed, x: Uint8Array.fromBase64(x, { alphabet: 'base64url' }) };
}

function okpObject(kind: 'ed25519' | 'x25519', seed: Uint8Array): KeyObject {
  const der = Uint8Array.fromHex(OKP[kind].prefix + seed.toHex());
  return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
}

/** The key as node:crypto signs with it. */
export function signingObject(key: PrivateKey): KeyObject {
  if (key.kind === 'ed25519') return okpObject(key.kind, key.seed);
  const jwk = key.kind === 'x25519' ? undefined : jwkOf(key);
  if (jwk === undefined) throw new BuiltinError('a key that does not sign');
  return byOpenssl('the private key cannot be used', () => createPrivateKey({ key: jwk, format: 'jwk' }));
}

/** The public half. */
export function publicHalf(key: PrivateKey): PublicKey {
  const object = (): KeyObject => createPublicKey(signingObject(key));
  switch (key.kind) {
    case 'rsa':
      return { kind: 'rsa', n: key.n, e: key.e, object };
    case 'ec':
      return { kind: 'ec', curve: key.curve, x: key.x, y: key.y, object };
    case 'ed25519':
      return { kind: 'ed25519', x: key.x, object };
    case 'x25519':
      return { kind: 'x25519' };
    default:
      return key satisfies never;
  }
}

/** The key as a JWK (RFC 7518 6, RFC 8037 2); undefined for P-224, which has none. */
export function jwkOf(key: PrivateKey): Record<string, string> | undefined {
  if (key.kind === 'rsa') {
    const { n, e, d, p, q, crt } = key;
    const [dp, dq, qi] = crt;
    return {
      kty: 'RSA',
      n: text(n),
      e: text(e),
      d: text(d),
      p: text(p),
      q: text(q),
      dp: text(dp),
      dq: text(dq),
      qi: text(qi),
    };
  }
  if (key.kind !== 'ec') return { kty: 'OKP', crv: OKP[key.kind].curve, d: text(key.seed), x: text(key.x) };
  if (key.curve === 'P-224') return undefined;
  const size = CURVE_BYTES[key.curve];
  return { kty: 'EC', crv: key.curve, d: text(key.d, size), x: text(key.x, size), y: text(key.y, size) };
}

/** Base64url without padding, of bytes or of a number in `length` of them. */
function text(value: bigint | Uint8Array, length?: number): string {
  const bytes = typeof value === 'bigint' ? bigBytes(value, length) : value;
  return base64Url(bytes);
}
