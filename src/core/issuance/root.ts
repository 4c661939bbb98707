import { parseTrustDomain } from '../identity/spiffe-id.ts';
import { err, ok } from '../kernel/result.ts';
import { openSigner } from './ca-signer.ts';
import { newSerial } from './deps.ts';
import { caExtensions } from './extensions.ts';
import { nameOfCa, readCaKey, signCa } from './sign-ca.ts';
import { generateKeyPair, signBytes } from './signing-key.ts';
import { validityWithin } from './validity.ts';

import type { KeyObject } from 'node:crypto';
import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { IssuanceDeps } from './deps.ts';
import type { KeyKind, KeyPair } from './signing-key.ts';

/** What a root is to be. */
export type RootRequest = {
  /** How long it is valid, milliseconds from now: 1 s to 100 years. */
  readonly ttlMs: number;
  readonly keyKind: KeyKind;
  /** Its key, where that exists already; it need not be exportable. Default: a new one of `keyKind`. */
  readonly privateKey?: KeyObject;
  /** The public half, where a token does not derive it from the private one. */
  readonly publicKey?: KeyObject;
  /** How many CAs may stand between it and a leaf, 0 to 6. Default 1. */
  readonly pathLength?: number;
  /** Common name, cut to 55 characters; a part of its key identifier follows. Default: `Sallyport root of DOMAIN`. */
  readonly name?: string;
};

/** A root with its key. */
export type Root = { readonly der: Uint8Array; readonly privateKey: KeyObject };

/**
 * Makes a root: self-signed, critical basicConstraints with a path length and critical keyUsage keyCertSign and cRLSign, the trust domain's
 * SPIFFE ID without path (X509-SVID 3.2, 4.1, 4.3), valid from a minute ago. Judged before its key signs it, and opened as a signer after.
 */
export async function createRoot(
  trustDomain: string,
  request: RootRequest,
  deps: IssuanceDeps,
): Promise<Result<Root, string>> {
  const domain = parseTrustDomain(trustDomain);
  if (!domain.ok) return err(domain.error.detail);
  const { keyKind, pathLength = 1, name = `Sallyport root of ${trustDomain}` } = request;
  if (!(Number.isInteger(pathLength) && pathLength >= 0 && pathLength <= 6)) return err('a path length is 0 to 6');
  const nowMs = deps.clock.wallMs();
  const validity = validityWithin(undefined, nowMs, request.ttlMs);
  if (!validity.ok) return err(validity.error.detail);
  const { privateKey, publicKey } = keysOf(request);
  const key = readCaKey(publicKey);
  if (!key.ok) return key;
  const { spki, kind } = key.value;
  if (kind !== keyKind) return err(`the key is of the kind ${kind}, not ${keyKind}`);
  const subject = nameOfCa(name, spki);
  const serial = newSerial(deps.random);
  const extensions = caExtensions(domain.value, pathLength, spki, undefined);
  const content = { serial, issuer: subject, subject, ...validity.value, spki, extensions };
  const sign = (bytes: Uint8Array): Promise<Uint8Array> => signBytes(kind, privateKey, bytes);
  const der = await signCa({ trustDomain: domain.value, content, kind, above: [], nowMs, sign });
  return der.ok ? opened(domain.value, { der: der.value, privateKey }, nowMs) : der;
}

function keysOf({ keyKind, privateKey, publicKey }: RootRequest): KeyPair {
  return privateKey === undefined ? generateKeyPair(keyKind) : { privateKey, publicKey: publicKey ?? privateKey };
}

async function opened(trustDomain: TrustDomain, root: Root, nowMs: number): Promise<Result<Root, string>> {
  const { der: rootDer, privateKey } = root;
  const signer = await openSigner({ trustDomain, chain: [], rootDer, privateKey }, nowMs);
  return signer.ok ? ok(root) : signer;
}
