import { createPublicKey } from 'node:crypto';
import type { KeyObject, webcrypto } from 'node:crypto';

import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import type { Term } from '../term.ts';
import { chargeImport, chargeJson, chargeReading } from './crypto-cost.ts';
import { base64Bytes, base64Url, base64UrlBytes, bigBytes, bigOf, sameBytes } from './go-bytes.ts';
import { members, parseJson } from './json-term.ts';
import { byOpenssl } from './openssl.ts';
import { readPem } from './pem.ts';
import { ecKey, okpKey, rsaKey } from './private-key.ts';
import type { PrivateKey } from './private-key.ts';
import { CURVE_BYTES, readKeyInfo } from './public-key.ts';
import type { Curve, PublicKey } from './public-key.ts';
import { readCertificate } from './x509-certificate.ts';

/** Key material for signatures. What a key is decides what may be done with it, never what a token says. */
export type JwsKey =
  | { readonly kind: 'secret'; readonly bytes: Uint8Array }
  | { readonly kind: 'public'; readonly key: PublicKey }
  | { readonly kind: 'private'; readonly key: PublicKey; readonly sign: () => PrivateKey };

/** A key with what its JWK says of it; both are empty for a key of PEM. */
export type NamedKey = { readonly alg: string; readonly kid: string; readonly key: JwsKey };

type Fields = ReadonlyMap<string, Term>;

const MOST_KEYS = 1000;
const PEM = '-----';
/** Values of `alg` that are known (RFC 7518, RFC 8037, RFC 9864); a key with another one spoils its set, as in OPA. */
const SIGNATURE_ALGORITHMS = new Set(
  'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 HS256 HS384 HS512 EdDSA'.split(' '),
);
const OTHER_ALGORITHMS = new Set(
  (
    'ES256K Ed25519 none A128GCMKW A128KW A192GCMKW A192KW A256GCMKW A256KW dir ECDH-ES ECDH-ES+A128KW ECDH-ES+A192KW ECDH-ES+A256KW ' +
    'PBES2-HS256+A128KW PBES2-HS384+A192KW PBES2-HS512+A256KW RSA-OAEP RSA-OAEP-256 RSA-OAEP-384 RSA-OAEP-512 RSA1_5 ' +
    'A128CBC-HS256 A128GCM A192CBC-HS384 A192GCM A256CBC-HS512 A256GCM'
  ).split(' '),
);
const TEXT_FIELDS = ['kid', 'use', 'x5t', 'x5t#S256', 'x5u'];

/** Public keys of one PEM certificate or public key, or of a JWK or JWK set; keys for algorithms that OPA does not know are left out. */
export function verificationKeys(text: string, cost: BuiltinContext): NamedKey[] {
  if (text.includes(PEM)) chargeReading(cost, text);
  const block = readPem(text);
  if (block === undefined) return readJwks(text, cost).filter(({ alg }) => alg === '' || SIGNATURE_ALGORITHMS.has(alg));
  if (block.rest !== '') throw new BuiltinError('extra data after a PEM certificate block');
  const key = pemKey(block.type, block.bytes);
  return key === undefined ? [] : [{ alg: '', kid: '', key: { kind: 'public', key } }];
}

function pemKey(type: string, der: Uint8Array): PublicKey | undefined {
  if (type === 'CERTIFICATE') return readCertificate(der).keyInfo.key;
  if (type === 'PUBLIC KEY') return readKeyInfo(der, true).key;
  throw new BuiltinError('failed to extract a key from the PEM certificate');
}

/** The keys of a JWK or a JWK set (RFC 7517); one that is malformed spoils the set. */
export function readJwks(text: string, cost: BuiltinContext): NamedKey[] {
  chargeJson(cost, text);
  const document = parseJson(text);
  const fields = members(document);
  const keys = fields.get('keys');
  if (keys === undefined) return [readJwk(document, cost)];
  if (keys.kind !== 'array' || keys.items.length > MOST_KEYS) throw new BuiltinError('keys is no array, or too long');
  return keys.items.map((key) => readJwk(key, cost));
}

function readJwk(document: Term, cost: BuiltinContext): NamedKey {
  const fields = members(document);
  const kid = textField(fields, 'kid') ?? '';
  for (const name of TEXT_FIELDS) textField(fields, name);
  for (const name of ['key_ops', 'x5c']) checkTexts(fields.get(name));
  const alg = textField(fields, 'alg');
  if (alg !== undefined && !SIGNATURE_ALGORITHMS.has(alg) && !OTHER_ALGORITHMS.has(alg))
    throw new BuiltinError('a key with an unknown algorithm');
  chargeImport(cost);
  return { alg: alg ?? '', kid, key: materialOf(fields, cost) };
}

function materialOf(fields: Fields, cost: BuiltinContext): JwsKey {
  switch (textField(fields, 'kty') ?? '') {
    case 'oct': {
      const bytes = bytesField(fields, 'k');
      if (bytes.length === 0) throw new BuiltinError('a symmetric key without k');
      return { kind: 'secret', bytes };
    }
    case 'RSA':
      return rsaMaterial(fields, cost);
    case 'EC':
      return ecMaterial(fields, cost);
    case 'OKP':
      return okpMaterial(fields, cost);
    default:
      throw new BuiltinError('a key of unknown type');
  }
}

/** RSA of any size is a key; one that is too small fails when it is used. */
function rsaMaterial(fields: Fields, cost: BuiltinContext): JwsKey {
  const [n, e] = [bigField(fields, 'n'), bigField(fields, 'e')];
  if (n === 0n || e % 2n === 0n || e >= 2n ** 63n)
    throw new BuiltinError('an RSA key with an impossible modulus or exponent');
  const object = importer({ kty: 'RSA', n: base64Url(bigBytes(n)), e: base64Url(bigBytes(e)) });
  const key: PublicKey = { kind: 'rsa', n, e, object };
  if (!fields.has('d')) return { kind: 'public', key };
  const [d, p, q] = [bigField(fields, 'd'), bigField(fields, 'p'), bigField(fields, 'q')];
  const given = ['dp', 'dq', 'qi'].map((name) => (fields.has(name) ? bigField(fields, name) : undefined));
  return { kind: 'private', key, sign: () => rsaKey({ n, e, d, p, q }, given, cost) };
}

function ecMaterial(fields: Fields, cost: BuiltinContext): JwsKey {
  const name = textField(fields, 'crv');
  if (name !== 'P-256' && name !== 'P-384' && name !== 'P-521') throw new BuiltinError('a key on an unknown curve');
  const curve: Curve = name;
  const sized = (field: string): Uint8Array => {
    const bytes = bytesField(fields, field);
    if (bytes.length !== CURVE_BYTES[curve]) throw new BuiltinError('a coordinate of wrong length');
    return bytes;
  };
  const [x, y] = [sized('x'), sized('y')];
  const object = importer({ kty: 'EC', crv: curve, x: base64Url(x), y: base64Url(y) });
  // OpenSSL refuses a point that is not on the curve.
  object();
  const key: PublicKey = { kind: 'ec', curve, x: bigOf(x), y: bigOf(y), object };
  if (!fields.has('d')) return { kind: 'public', key };
  const d = bigOf(sized('d'));
  return { kind: 'private', key, sign: () => ecKey(curve, d, cost) };
}

function okpMaterial(fields: Fields, cost: BuiltinContext): JwsKey {
  const curve = textField(fields, 'crv');
  const x = bytesField(fields, 'x');
  const seed = fields.has('d') ? bytesField(fields, 'd') : undefined;
  if ((curve !== 'Ed25519' && curve !== 'X25519') || x.length !== 32 || (seed !== undefined && seed.length !== 32))
    throw new BuiltinError('an octet key pair of unknown curve or wrong length');
  if (curve === 'X25519') return { kind: 'public', key: { kind: 'x25519' } };
  const key: PublicKey = { kind: 'ed25519', x, object: importer({ kty: 'OKP', crv: curve, x: base64Url(x) }) };
  if (seed === undefined) return { kind: 'public', key };
  const made = okpKey('ed25519', seed, cost);
  if (made.kind !== 'ed25519' || !sameBytes(made.x, x))
    throw new BuiltinError('the halves of a key pair do not belong together');
  return { kind: 'private', key, sign: () => made };
}

function importer(jwk: webcrypto.JsonWebKey): () => KeyObject {
  return () => byOpenssl('the public key cannot be used', () => createPublicKey({ key: jwk, format: 'jwk' }));
}

function bigField(fields: Fields, name: string): bigint {
  return bigOf(bytesField(fields, name));
}

/** Bytes of a member in any base64: with the alphabet of URLs or the older one, padded or not. */
function bytesField(fields: Fields, name: string): Uint8Array {
  const text = textField(fields, name);
  if (text === undefined) throw new BuiltinError(`a key without ${name}`);
  const digits = text.replaceAll(/[\r\n]/g, '');
  const padded = digits.endsWith('=') ? digits : digits + '='.repeat((4 - (digits.length % 4)) % 4);
  return /[+/]/.test(padded) ? base64Bytes(padded) : base64UrlBytes(padded);
}

/** A member that is a string, or null, which is an empty one. */
function textField(fields: Fields, name: string): string | undefined {
  const value = fields.get(name);
  if (value === undefined) return undefined;
  if (value.kind === 'null') return '';
  if (value.kind !== 'string') throw new BuiltinError(`${name} of a key is no string`);
  return value.value;
}

function checkTexts(value: Term | undefined): void {
  if (value === undefined || value.kind === 'null') return;
  if (value.kind !== 'array' || value.items.some(({ kind }) => kind !== 'string' && kind !== 'null'))
    throw new BuiltinError('key_ops or x5c of a key is no array of strings');
}
