import type { BuiltinContext } from '../builtin.ts';
import { CURVE_BYTES } from './public-key.ts';
import type { PublicKey } from './public-key.ts';

/** A microsecond in steps: 200 M are about 5 ms. */
const MICROSECOND = 40_000;
/** Reading and importing a key. */
const IMPORT = 60 * MICROSECOND;
/** Least modulus that Go's RSA takes (Go 1.24, crypto/rsa), and the largest that OpenSSL verifies with. */
const LEAST_MODULUS = 1024;
const MOST_MODULUS = 16_384;
/** Microseconds of a signature and of its verification, per curve: measured, then rounded up. */
const EC_MICROSECONDS: Readonly<Record<string, number>> = {
  'P-224': 400,
  'P-256': 120,
  'P-384': 1_000,
  'P-521': 1_600,
};
const ED25519_MICROSECONDS = 150;

/** Pays for reading a key. */
export function chargeImport(cost: BuiltinContext, count = 1): void {
  cost.charge(IMPORT * count);
}

/** Pays, before it is read, for text that may hold certificates or private keys: a quarter of a microsecond a character. */
export function chargeReading(cost: BuiltinContext, text: string): void {
  cost.charge((text.length * MICROSECOND) / 4);
}

/** Pays for verifying one signature: RSA by the square of its length, curves by measured time. */
export function chargeVerify(cost: BuiltinContext, key: PublicKey): void {
  cost.charge(microsecondsOf(key, 2, 50) * MICROSECOND);
}

/** Pays for making one signature: RSA by the cube of its length. */
export function chargeSign(cost: BuiltinContext, key: PublicKey): void {
  cost.charge(microsecondsOf(key, 3, 1_000) * MICROSECOND);
}

/** `rsa` microseconds for 2048 bits grow with a power of the length. */
function microsecondsOf(key: PublicKey, power: number, rsa: number): number {
  switch (key.kind) {
    case 'rsa':
      return rsa * (bitsOf(key.n) / 2048) ** power;
    case 'ec':
      return EC_MICROSECONDS[key.curve] ?? CURVE_BYTES[key.curve] * 25;
    case 'ed25519':
    case 'x25519':
    case 'dsa':
      return ED25519_MICROSECONDS;
    default:
      return key satisfies never;
  }
}

/** Length of a positive number in bits. */
export function bitsOf(value: bigint): number {
  return value.toString(2).length;
}

/** What Go's RSA demands of a key, and of the length of a signature with it, before any arithmetic. */
export function isUsableRsa({ n, e }: { readonly n: bigint; readonly e: bigint }, signatureLength?: number): boolean {
  const bits = bitsOf(n);
  const sound =
    bits >= LEAST_MODULUS && bits <= MOST_MODULUS && n % 2n === 1n && e % 2n === 1n && e > 2n && e < 2n ** 31n;
  return sound && (signatureLength === undefined || signatureLength === Math.ceil(bits / 8));
}
