import { constants, createHmac, sign, timingSafeEqual, verify } from 'node:crypto';

import { err, ok } from '../kernel/result.ts';
import { utf8 } from './member-name.ts';
import { algorithmFacts } from './signature-algorithm.ts';
import { parseUniqueJson } from './unique-json.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../kernel/result.ts';
import type { SignatureAlgorithm } from './signature-algorithm.ts';

/** A JSON Web Signature in compact form (RFC 7515 3.1), read and not yet verified. */
export type Jws = {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
  /** What the signature covers. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
};

type Key = { readonly algorithm: SignatureAlgorithm; readonly key: KeyObject };

/**
 * Reads a compact JWS: three parts of base64url without padding, spaces or unused bits; header and payload are objects that name no key twice;
 * `crit` is refused, since nothing it could demand is known here (RFC 7515 4.1.11). A text says what is wrong.
 */
export function readJws(token: string): Result<Jws, string> {
  const parts = token.split('.', 4);
  const [header64 = '', payload64 = '', signature64 = ''] = parts;
  if (parts.length !== 3) return err(`the token has ${parts.length > 3 ? 'more than 3' : parts.length} parts, not 3`);
  const header = objectOf(header64);
  if (!header.ok) return err(`the token's header: ${header.error}`);
  if (Object.hasOwn(header.value, 'crit'))
    return err("the token's header has crit, which demands what is not known here");
  const payload = objectOf(payload64);
  if (!payload.ok) return err(`the token's payload: ${payload.error}`);
  const signature = fromBase64Url(signature64);
  if (signature === undefined) return err("the token's signature: not base64url");
  const signed = new TextEncoder().encode(`${header64}.${payload64}`);
  return ok({ header: header.value, payload: payload.value, signed, signature });
}

/** True where `key` made the signature, by the key's own algorithm: what the header says about it decides nothing. */
export function isSignedBy({ algorithm, key }: Key, { signed, signature }: Jws): boolean {
  const facts = algorithmFacts(algorithm);
  if (facts.kind !== 'hmac') return verify(facts.hash, signed, options(algorithm, key), signature);
  const expected = createHmac(facts.hash, key).update(signed).digest();
  return expected.length === signature.length && timingSafeEqual(expected, signature);
}

/** Signs header and payload. ECDSA and PSS give other bytes each time; HMAC and RSA with PKCS#1 give the same. */
export function writeJws(
  key: Key,
  header: Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
): string {
  const signed = `${toBase64Url(header)}.${toBase64Url(payload)}`;
  const bytes = new TextEncoder().encode(signed);
  const facts = algorithmFacts(key.algorithm);
  const signature =
    facts.kind === 'hmac'
      ? createHmac(facts.hash, key.key).update(bytes).digest()
      : sign(facts.hash, bytes, options(key.algorithm, key.key));
  return `${signed}.${signature.toBase64({ alphabet: 'base64url', omitPadding: true })}`;
}

/** RFC 7518 3.4 (both numbers of an ECDSA signature side by side) and 3.5 (salt as long as the hash). */
function options(algorithm: SignatureAlgorithm, key: KeyObject) {
  const { kind } = algorithmFacts(algorithm);
  if (kind === 'ecdsa') return { key, dsaEncoding: 'ieee-p1363' as const };
  if (kind === 'rsa-pkcs1') return { key, padding: constants.RSA_PKCS1_PADDING };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}

function objectOf(part: string): Result<Readonly<Record<string, unknown>>, string> {
  const bytes = fromBase64Url(part);
  const text = bytes === undefined ? undefined : utf8(bytes);
  if (text === undefined) return err('not base64url of UTF-8');
  const parsed = parseUniqueJson(text);
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? ok(value as Readonly<Record<string, unknown>>)
    : err('no JSON object');
}

/** Undefined unless the text is the one and only base64url form of its bytes. */
function fromBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text) || text.length % 4 === 1) return undefined;
  const bytes = Uint8Array.fromBase64(text, { alphabet: 'base64url' });
  return bytes.toBase64({ alphabet: 'base64url', omitPadding: true }) === text ? bytes : undefined;
}

function toBase64Url(value: unknown): string {
  return new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: 'base64url', omitPadding: true });
}
