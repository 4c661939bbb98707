import type { BuiltinContext } from '../builtin.ts';
import type { Curve, PublicKey } from './public-key.ts';

/** A microsecond in steps: 200 M are about 5 ms. */
const MICROSECOND = 40_000;
/** Reading and importing a key. */
const IMPORT = 60 * MICROSECOND;
/** Least modulus that Go's RSA takes (Go 1.24, crypto/rsa), and the largest that OpenSSL verifies with. */
const LEAST_MODULUS = 1024;
const MOST_MODULUS = 16_384;
/** Microseconds of a signature and of its verification, per curve: measured, then rounded up. */
const EC_MICROSECONDS: Readonly<Record<Curve, number>> = { 'P-224': 400, 'P-256': 120, 'P-384': 1_000, 'P-521': 1_600 };
const ED25519_MICROSECONDS = 150;
/** Microseconds of making the point of a private number, which OpenSSL checks besides. */
const POINT_MICROSECONDS: Readonly<Record<Curve, number>> = {
  'P-224': 500,
  'P-256': 90,
  'P-384': 1_300,
  'P-521': 2_800,
};
const CURVE25519_MICROSECONDS = 100;
const RSA_PARTS_MICROSECONDS = 150;
/** Microseconds of a signature beside its arithmetic. */
const SIGNING = 300;
/** Reading one value of JSON, and one character of it. */
const JSON_VALUE = 0.6 * MICROSECOND;
const JSON_CHARACTER = 0.01 * MICROSECOND;
/** Comparing one name with one constraint. */
const COMPARISON = 0.12 * MICROSECOND;
/** Digests and dates of a signed request, and one character of its URL. */
const REQUEST = 30 * MICROSECOND;
const URL_CHARACTER = 0.1 * MICROSECOND;
/** A call that takes a token apart, beyond what its text costs. */
const TOKEN = 5 * MICROSECOND;
/** What begins another value in JSON. */
const SEPARATORS: ReadonlySet<number> = new Set(Array.from(',:[{', (char) => char.charCodeAt(0)));

/** Pays for reading a key. */
export function chargeImport(cost: BuiltinContext, count = 1): void {
  cost.charge(IMPORT * count);
}

/** Pays, before it is read, for text that may hold certificates or private keys: a quarter of a microsecond a character. */
export function chargeReading(cost: BuiltinContext, text: string): void {
  cost.charge((text.length * MICROSECOND) / 4);
}

/** Pays for taking a token apart. */
export function chargeToken(cost: BuiltinContext): void {
  cost.charge(TOKEN);
}

/** Pays for JSON text before it is read: by values, which are its separators and brackets, whose reading takes most of the time. */
export function chargeJson(cost: BuiltinContext, text: string): void {
  let values = 1;
  for (let at = 0; at < text.length; at += 1) if (SEPARATORS.has(text.charCodeAt(at))) values += 1;
  cost.charge(values * JSON_VALUE + text.length * JSON_CHARACTER);
}

/** Pays for comparing names with name constraints. */
export function chargeComparisons(cost: BuiltinContext, count: number): void {
  cost.charge(count * COMPARISON);
}

/** Pays for signing a request to AWS: digests, then each character of the URL and each value of the request. */
export function chargeRequest(cost: BuiltinContext, url: string, request: string): void {
  cost.charge(REQUEST + url.length * URL_CHARACTER);
  chargeJson(cost, request);
}

/** Pays for making the public half of a private key of a curve. */
export function chargePoint(cost: BuiltinContext, curve: Curve | 'curve25519'): void {
  cost.charge((curve === 'curve25519' ? CURVE25519_MICROSECONDS : POINT_MICROSECONDS[curve]) * MICROSECOND);
}

/** Pays for putting the parts of an RSA private key together: divisions, by the square of its length. */
export function chargeRsaParts(cost: BuiltinContext, n: bigint): void {
  cost.charge(RSA_PARTS_MICROSECONDS * (bitsOf(n) / 2048) ** 2 * MICROSECOND);
}

/** Pays for verifying one signature: RSA by the square of its length, curves by measured time. */
export function chargeVerify(cost: BuiltinContext, key: PublicKey): void {
  cost.charge(microsecondsOf(key, 2, 50) * MICROSECOND);
}

/** Pays for making one signature: RSA by the cube of its length, and as if its primes were none, which makes OpenSSL do without the Chinese remainder. */
export function chargeSign(cost: BuiltinContext, key: PublicKey): void {
  cost.charge((SIGNING + microsecondsOf(key, 3, 2_700)) * MICROSECOND);
}

/** `rsa` microseconds for 2048 bits grow with a power of the length. */
function microsecondsOf(key: PublicKey, power: number, rsa: number): number {
  switch (key.kind) {
    case 'rsa':
      return rsa * (bitsOf(key.n) / 2048) ** power;
    case 'ec':
      return EC_MICROSECONDS[key.curve];
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
