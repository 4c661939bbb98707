import { createECDH } from 'node:crypto';

import type { KeyObject } from 'node:crypto';

/**
 * The y coordinates of the points of Ed25519 whose order divides 8, little-endian, the sign bit cleared, in every encoding that is read:
 * 0, 1, -1, the two of order 8, and p and p + 1, which stand for 0 and 1 (RFC 8032 5.1.3). Everybody can sign for such a "key".
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** The odd primes below 256. */
const SMALL_PRIMES: readonly bigint[] = Array.from({ length: 125 }, (_, index) => index * 2 + 3)
  .filter((number, _, all) => all.every((divisor) => divisor >= number || number % divisor !== 0))
  .map(BigInt);

/**
 * Why the private half of a key is anybody's, or undefined. The key has passed the rules for peers' keys: what is found here has the right form
 * and would verify signatures, but whoever looks can make them. An Ed25519 point of small order; an ECDSA key that is the curve's generator
 * (private key 1 or n - 1); an RSA modulus with a prime factor below 256.
 */
export function knownToAll(key: KeyObject): string | undefined {
  const { kty, crv = '', x = '', n = '' } = key.export({ format: 'jwk' });
  if (kty === 'OKP')
    return isOfSmallOrder(x) ? 'public key: a point of small order, for which anybody can sign' : undefined;
  if (kty === 'EC') return x === generatorX(crv) ? 'public key: the generator, whose private key is 1' : undefined;
  return hasSmallFactor(n) ? 'public key: a modulus with a small factor' : undefined;
}

function isOfSmallOrder(x: string): boolean {
  const bytes = Uint8Array.fromBase64(x, { alphabet: 'base64url' });
  bytes[31] = (bytes[31] ?? 0) & 0x7f;
  return SMALL_ORDER.has(bytes.toHex());
}

/** Names of the curves as JWK (RFC 7518 6.2.1.1) and as OpenSSL have them. */
const CURVES: Readonly<Record<string, string>> = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' };

/** The x coordinate of the curve's generator, as JWK has it: that of private key 1. */
function generatorX(crv: string): string | undefined {
  const name = CURVES[crv];
  if (name === undefined) return undefined;
  const ecdh = createECDH(name);
  ecdh.setPrivateKey(Uint8Array.of(1));
  const point = ecdh.getPublicKey();
  return point.subarray(1, 1 + (point.length - 1) / 2).toString('base64url');
}

function hasSmallFactor(n: string): boolean {
  const modulus = BigInt(`0x${Uint8Array.fromBase64(n, { alphabet: 'base64url' }).toHex()}`);
  return modulus % 2n === 0n || SMALL_PRIMES.some((prime) => modulus % prime === 0n);
}
