import { constants, createHmac, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject, webcrypto } from 'node:crypto';

/** A key pair for signing tokens, or the secret of an HMAC. */
export type TokenKey = { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | string;

/** Every algorithm of tokens that OPA knows. */
export const TOKEN_ALGORITHMS = [
  ...['RS', 'PS', 'ES', 'HS'].flatMap((family) => [256, 384, 512].map((size) => `${family}${size}`)),
  'EdDSA',
];

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };
const made = new Map<string, TokenKey>();

/** The key of an algorithm, made once a process; RSA keys are shared, since they are slow to make. */
export function tokenKey(alg: string): TokenKey {
  const label = /^[RP]S/.test(alg) ? 'rsa' : alg;
  const key = made.get(label) ?? makeKey(alg);
  made.set(label, key);
  return key;
}

function makeKey(alg: string): TokenKey {
  if (alg.startsWith('HS')) return `secret of ${alg}`;
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519');
  const namedCurve = CURVES[alg];
  return namedCurve === undefined
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve });
}

/** Text or JSON in base64url without padding. */
export function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

/** A token signed by the algorithm, whatever its header says. */
export function token(alg: string, payload: unknown, header: unknown = { alg }, key = tokenKey(alg)): string {
  const data = `${part(header)}.${part(payload)}`;
  return `${data}.${signatureOf(alg, data, key).toString('base64url')}`;
}

function signatureOf(alg: string, data: string, key: TokenKey): Buffer {
  const hash = `sha${alg.slice(2)}`;
  if (typeof key === 'string') return createHmac(hash, key).update(data).digest();
  const bytes = Buffer.from(data);
  if (alg === 'EdDSA') return sign(null, bytes, key.privateKey);
  if (alg.startsWith('ES')) return sign(hash, bytes, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return sign(hash, bytes, { key: key.privateKey, ...(alg.startsWith('PS') ? pss : {}) });
}

/** What `io.jwt.verify_*` takes to verify: PEM of the public key, or the secret. */
export function verifier(key: TokenKey): string {
  return typeof key === 'string' ? key : key.publicKey.export({ type: 'spki', format: 'pem' });
}

/** The public half, or the secret, as a JWK. */
export function publicJwk(key: TokenKey): webcrypto.JsonWebKey {
  return typeof key === 'string' ? { kty: 'oct', k: part(key) } : key.publicKey.export({ format: 'jwk' });
}

/** The private half, or the secret, as a JWK. */
export function privateJwk(key: TokenKey): webcrypto.JsonWebKey {
  return typeof key === 'string' ? { kty: 'oct', k: part(key) } : key.privateKey.export({ format: 'jwk' });
}

/** The constraint of `io.jwt.decode_verify` that names the key. */
export function keyConstraint(key: TokenKey): { readonly secret: string } | { readonly cert: string } {
  return typeof key === 'string' ? { secret: key } : { cert: verifier(key) };
}
