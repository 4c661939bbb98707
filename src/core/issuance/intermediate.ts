import { equalBytes } from '../identity/bytes.ts';
import { err } from '../kernel/result.ts';
import { pathProblem, readCas } from './ca-chain.ts';
import { readCaCsr } from './csr.ts';
import { newSerial } from './deps.ts';
import { caExtensions } from './extensions.ts';
import { nameOfCa, readCaKey, signCa } from './sign-ca.ts';
import { validityWithin } from './validity.ts';

import type { KeyObject } from 'node:crypto';
import type { Result } from '../kernel/result.ts';
import type { CaSigner } from './ca-signer.ts';
import type { IssuanceDeps } from './deps.ts';

/** What an intermediate is to be. */
export type IntermediateRequest = {
  /** ECDSA P-256 or Ed25519. */
  readonly publicKey: KeyObject;
  /** Milliseconds from now: 1 s to 100 years, cut down to the end of the CAs above, of which at least a minute must then be left. */
  readonly ttlMs: number;
  /** Common name, cut to 55 characters; a part of its key identifier follows. */
  readonly name: string;
};

/**
 * Signs an issuing CA below `above`, a root or any CA whose path length allows it. Its own path length is 0: it issues leaves only. Judged by a
 * leaf under its stand-in before it is signed, and as a path to the root after. Gives DER; its chain is that of `above` with it in front.
 */
export async function createIntermediate(
  above: CaSigner,
  request: IntermediateRequest,
  deps: IssuanceDeps,
): Promise<Result<Uint8Array, string>> {
  const nowMs = deps.clock.wallMs();
  const validity = validityWithin(above, nowMs, request.ttlMs);
  if (!validity.ok) return err(validity.error.detail);
  const key = readCaKey(request.publicKey);
  if (!key.ok) return key;
  const { spki } = key.value;
  if (above.caKeys.some((taken) => equalBytes(taken, spki))) return err('the key is that of a CA above it');
  const { certificate, trustDomain, keyKind: kind, sign } = above;
  const names = { issuer: certificate.subject, subject: nameOfCa(request.name, spki) };
  const extensions = caExtensions(trustDomain, 0, spki, certificate.extensions.subjectKeyId);
  const content = { serial: newSerial(deps.random), ...names, ...validity.value, spki, extensions };
  const cas = [...above.chain, above.root];
  const der = await signCa({ trustDomain, content, kind, above: cas, nowMs, sign });
  if (!der.ok) return der;
  const chain = readCas([der.value, ...cas]);
  const wrong = chain.ok ? pathProblem(chain.value, above.trust, trustDomain, nowMs) : chain.error;
  return wrong === undefined ? der : err(wrong);
}

/** `createIntermediate` for a key that lives elsewhere and asks with a request (`readCaCsr`), of which nothing but its key is taken. */
export async function intermediateFromCsr(
  above: CaSigner,
  { csr, ...request }: Omit<IntermediateRequest, 'publicKey'> & { readonly csr: Uint8Array },
  deps: IssuanceDeps,
): Promise<Result<Uint8Array, string>> {
  const read = readCaCsr(csr);
  return read.ok
    ? createIntermediate(above, { ...request, publicKey: read.value.publicKey }, deps)
    : err(read.error.detail);
}
