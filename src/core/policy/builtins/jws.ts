import { constants, createHmac, sign, timingSafeEqual, verify } from 'node:crypto';
import type { VerifyKeyObjectInput } from 'node:crypto';

import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { chargeSign, chargeVerify, isUsableRsa } from './crypto-cost.ts';
import { bigBytes, bigOf } from './go-bytes.ts';
import type { JwsKey } from './jwk.ts';
import { byOpenssl } from './openssl.ts';
import { signingObject } from './private-key.ts';
import { CURVE_BYTES } from './public-key.ts';
import type { Curve, PublicKey } from './public-key.ts';

/**
 * A way of signing (RFC 7518 3, RFC 8037 3.1). It is fixed by the function that a policy calls or looked up by the name in a token's header, and then it
 * only ever works with a key of its own kind: a public key is never the secret of an HMAC, whatever a header says (RFC 8725 2.1).
 *
 * `node:crypto` rather than a JOSE library does the work: built-ins answer synchronously, those libraries only promise answers (WebCrypto).
 */
export type JwsMethod =
  | { readonly family: 'hmac'; readonly hash: Hash }
  | { readonly family: 'rsa' | 'pss' | 'ec'; readonly hash: Hash }
  | { readonly family: 'eddsa' };
type Hash = 'sha256' | 'sha384' | 'sha512';

/** How exact a signature must be written: as RFC 7518 3.4 and 3.5 say, or also as OPA's `io.jwt.verify_*` take them. */
export type Strictness = 'rfc' | 'lenient';

const METHODS: ReadonlyMap<string, JwsMethod> = new Map(
  (
    [
      ['HS', 'hmac'],
      ['RS', 'rsa'],
      ['PS', 'pss'],
      ['ES', 'ec'],
    ] as const
  ).flatMap(([letters, family]) =>
    ([256, 384, 512] as const).map(
      (size) => [`${letters}${size}`, { family, hash: `sha${size}` } satisfies JwsMethod] as const,
    ),
  ),
);
const EDDSA: JwsMethod = { family: 'eddsa' };

/** The method of a name in a header or function; undefined where it is unknown, `none` among them. */
export function methodOf(alg: string): JwsMethod | undefined {
  return alg === 'EdDSA' ? EDDSA : METHODS.get(alg);
}

/** True where the signature was made by the owner of this key with this method. HMACs are compared in constant time. */
export function isVerified(
  method: JwsMethod,
  key: JwsKey,
  data: Uint8Array,
  signature: Uint8Array,
  strictness: Strictness,
  cost: BuiltinContext,
): boolean {
  if (method.family === 'hmac') return key.kind === 'secret' && hasMac(method.hash, key.bytes, data, signature);
  // OPA's verify_* know public keys only; decode_verify takes the public half of a private one too.
  if (key.kind === 'secret' || (key.kind === 'private' && strictness === 'lenient')) return false;
  return isSigned(method, key.key, data, signature, strictness, cost);
}

function hasMac(hash: string, secret: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  const expected = createHmac(hash, secret).update(data).digest();
  return expected.length === signature.length && timingSafeEqual(expected, signature);
}

function isSigned(
  method: Exclude<JwsMethod, { family: 'hmac' }>,
  key: PublicKey,
  data: Uint8Array,
  signature: Uint8Array,
  strictness: Strictness,
  cost: BuiltinContext,
): boolean {
  switch (method.family) {
    case 'eddsa':
      if (key.kind !== 'ed25519' || signature.length !== 64) return false;
      chargeVerify(cost, key);
      return verified(null, data, { key: key.object() }, signature);
    case 'ec': {
      const raw = key.kind === 'ec' ? rawSignature(key.curve, signature, strictness) : undefined;
      if (key.kind !== 'ec' || raw === undefined) return false;
      chargeVerify(cost, key);
      return verified(method.hash, data, { key: key.object(), dsaEncoding: 'ieee-p1363' }, raw);
    }
    case 'rsa':
    case 'pss': {
      if (key.kind !== 'rsa' || !isUsableRsa(key, signature.length)) return false;
      chargeVerify(cost, key);
      const salt = strictness === 'rfc' ? constants.RSA_PSS_SALTLEN_DIGEST : constants.RSA_PSS_SALTLEN_AUTO;
      const pss = method.family === 'pss' ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt } : {};
      return verified(method.hash, data, { key: key.object(), ...pss }, signature);
    }
    default:
      return method satisfies never;
  }
}

function verified(hash: Hash | null, data: Uint8Array, key: VerifyKeyObjectInput, signature: Uint8Array): boolean {
  return byOpenssl('the signature cannot be verified', () => verify(hash, data, key, signature));
}

/** `r` and `s`, each as long as the curve's order; OPA's `io.jwt.verify_es*` cut any signature in half and read two numbers. */
function rawSignature(curve: Curve, signature: Uint8Array, strictness: Strictness): Uint8Array | undefined {
  const size = CURVE_BYTES[curve];
  if (strictness === 'rfc') return signature.length === 2 * size ? signature : undefined;
  const half = Math.floor(signature.length / 2);
  const numbers = [bigOf(signature.subarray(0, half)), bigOf(signature.subarray(half))];
  if (numbers.some((number) => number >> BigInt(size * 8) !== 0n)) return undefined;
  return Uint8Array.from(numbers.flatMap((number) => Array.from(bigBytes(number, size))));
}

/** Signs with a key of the method's kind. RSA-PSS and ECDSA are random, so the answer is one for the record of the decision. */
export function signed(method: JwsMethod, key: JwsKey, data: Uint8Array, cost: BuiltinContext): Uint8Array {
  if (method.family === 'hmac') {
    if (key.kind !== 'secret') throw new BuiltinError('an HMAC needs a symmetric key');
    return createHmac(method.hash, key.bytes).update(data).digest();
  }
  if (key.kind !== 'private') throw new BuiltinError('a signature needs a private key');
  const kinds = { rsa: 'rsa', pss: 'rsa', ec: 'ec', eddsa: 'ed25519' } as const;
  if (key.key.kind !== kinds[method.family]) throw new BuiltinError('the key is of another kind than the algorithm');
  chargeSign(cost, key.key);
  const input = { key: signingObject(key.sign()), ...SIGNING[method.family] };
  const hash = method.family === 'eddsa' ? null : method.hash;
  return byOpenssl('the key cannot sign with this algorithm', () => sign(hash, data, input));
}

const SIGNING = {
  rsa: {},
  pss: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  ec: { dsaEncoding: 'ieee-p1363' },
  eddsa: {},
} as const;
