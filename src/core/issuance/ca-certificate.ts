import { importPublicKey } from '../identity/algorithms.ts';
import { equalBytes } from '../identity/bytes.ts';
import { parseCertificate } from '../identity/certificate.ts';
import { parseTrustDomain } from '../identity/spiffe-id.ts';
import { err, ok } from '../kernel/result.ts';
import { openSigner, openStandIn, pathProblem, readCas } from './ca-signer.ts';
import { encodeSigned, encodeTbsCertificate } from './certificate-frame.ts';
import { readCsr } from './csr.ts';
import { newSerial } from './deps.ts';
import { caExtensions, commonName, keyIdentifier } from './extensions.ts';
import { generateKeyPair, kindOfKey, signatureAlgorithm, signBytes, spkiOf } from './signing-key.ts';
import { validityWithin } from './validity.ts';

import type { KeyObject } from 'node:crypto';
import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import type { CaSigner } from './ca-signer.ts';
import type { CertificateContent } from './certificate-frame.ts';
import type { IssuanceDeps } from './deps.ts';
import type { KeyKind } from './signing-key.ts';
import type { Validity } from './validity.ts';

/** What a root is to be. */
export type RootRequest = {
  /** How long it is valid, milliseconds from now: 1 s to 100 years. */
  readonly ttlMs: number;
  readonly keyKind: KeyKind;
  /** Its key, where that exists already; it need not be exportable. Default: a new one of `keyKind`. */
  readonly privateKey?: KeyObject;
  /** The public half, where a token does not derive it from the private one. */
  readonly publicKey?: KeyObject;
  /** How many CAs may stand between it and a leaf. Default 1. */
  readonly pathLength?: number;
  /** Common name, at most 64 characters. Default: `Sallyport root of DOMAIN`, shortened; a part of its key identifier follows. */
  readonly name?: string;
};

/**
 * Makes a root: self-signed, critical basicConstraints with a path length and keyUsage keyCertSign and cRLSign, the trust domain's SPIFFE ID
 * without path (X509-SVID 3.2, 4.1, 4.3), valid from a minute ago. Its common name ends in a part of its key identifier, so that the roots of
 * a rotation have different names. Judged before it is signed and opened as a signer after.
 */
export async function createRoot(
  trustDomain: string,
  request: RootRequest,
  deps: IssuanceDeps,
): Promise<Result<{ readonly der: Uint8Array; readonly privateKey: KeyObject }, string>> {
  const domain = parseTrustDomain(trustDomain);
  if (!domain.ok) return err(domain.error.detail);
  const nowMs = deps.clock.wallMs();
  const validity = validityWithin(undefined, nowMs, request.ttlMs);
  if (!validity.ok) return err(validity.error.detail);
  const { keyKind, name = `Sallyport root of ${trustDomain}`, pathLength = 1 } = request;
  const fresh = request.privateKey === undefined ? generateKeyPair(keyKind) : undefined;
  const privateKey = request.privateKey ?? fresh?.privateKey;
  if (privateKey === undefined) return err('there is no key');
  const key = readCaKey(request.publicKey ?? fresh?.publicKey ?? privateKey);
  if (!key.ok) return key;
  if (key.value.kind !== keyKind) return err(`the key is of the kind ${key.value.kind}, not ${keyKind}`);
  const subject = distinctName(name, key.value.spki);
  const tbs = encodeTbsCertificate(
    {
      serial: newSerial(deps.random),
      issuer: subject,
      subject,
      ...validity.value,
      spki: key.value.spki,
      extensions: caExtensions(domain.value, pathLength, key.value.spki, undefined),
    },
    signatureAlgorithm(keyKind),
  );
  const der = await signCa({ trustDomain: domain.value, tbs, kind: keyKind, above: [], nowMs }, (bytes) =>
    signBytes(keyKind, privateKey, bytes),
  );
  if (!der.ok) return der;
  const opened = await openSigner({ trustDomain: domain.value, chain: [], rootDer: der.value, privateKey }, nowMs);
  return opened.ok ? ok({ der: der.value, privateKey }) : opened;
}

/** What an intermediate is to be. */
export type IntermediateRequest = {
  /** ECDSA P-256 or Ed25519. */
  readonly publicKey: KeyObject;
  /** Milliseconds from now: 1 s to 100 years, cut down to the end of the CAs above, of which at least a minute must be left. */
  readonly ttlMs: number;
  /** Common name, shortened to 64 characters; a part of its key identifier follows. */
  readonly name: string;
};

/**
 * Signs an issuing CA below `root` (which may itself be an intermediate whose path length allows it): path length 0, so that it issues leaves
 * only. Judged by a leaf under its stand-in before it is signed, and as a path to the root after. Gives DER. Its chain is that of `root` with
 * it in front.
 */
export async function createIntermediate(
  root: CaSigner,
  request: IntermediateRequest,
  deps: IssuanceDeps,
): Promise<Result<Uint8Array, string>> {
  const nowMs = deps.clock.wallMs();
  const validity = validityWithin(root, nowMs, request.ttlMs);
  if (!validity.ok) return err(validity.error.detail);
  const key = readCaKey(request.publicKey);
  if (!key.ok) return key;
  const { spki } = key.value;
  if (root.caKeys.some((above) => equalBytes(above, spki))) return err('the key is that of a CA above it');
  const { certificate, trustDomain, keyKind: kind } = root;
  const content: CertificateContent & Validity = {
    serial: newSerial(deps.random),
    issuer: certificate.subject,
    subject: distinctName(request.name, spki),
    ...validity.value,
    spki,
    extensions: caExtensions(trustDomain, 0, spki, certificate.extensions.subjectKeyId),
  };
  const tbs = encodeTbsCertificate(content, signatureAlgorithm(kind));
  const above = root.chain.length === 0 ? [root.root] : [...root.chain, root.root];
  const der = await signCa({ trustDomain, tbs, kind, above, nowMs }, root.sign);
  if (!der.ok) return der;
  const cas = readCas([der.value, ...above]);
  if (!cas.ok) return cas;
  const wrong = pathProblem(cas.value, root.trust, trustDomain, nowMs);
  return wrong === undefined ? der : err(wrong);
}

/** `createIntermediate` for a key that lives elsewhere and asks by a request (`readCsr`); nothing of the request but its key is taken. */
export async function intermediateFromCsr(
  root: CaSigner,
  request: Omit<IntermediateRequest, 'publicKey'> & { readonly csr: Uint8Array },
  deps: IssuanceDeps,
): Promise<Result<Uint8Array, string>> {
  const read = readCsr(request.csr);
  if (!read.ok) return err(read.error.detail);
  const { ttlMs, name } = request;
  return createIntermediate(root, { publicKey: read.value.publicKey, ttlMs, name }, deps);
}

type CaKey = { readonly spki: Uint8Array; readonly kind: KeyKind };

function readCaKey(key: KeyObject): Result<CaKey, string> {
  let spki: Uint8Array;
  try {
    spki = spkiOf(key);
  } catch {
    return err('the public half of the key cannot be had; a token may need it beside the private one');
  }
  const read = importPublicKey(spki);
  const kind = read.ok ? kindOfKey(read.value.key) : undefined;
  return kind === undefined ? err('the key is neither ECDSA on P-256 nor Ed25519') : ok({ spki, kind });
}

/** Common names have at most 64 characters (RFC 5280 A.1, ub-common-name). */
function distinctName(name: string, spki: Uint8Array): Uint8Array {
  return commonName(`${name.slice(0, 55)} ${keyIdentifier(spki).slice(0, 8)}`);
}

type CaToSign = {
  readonly trustDomain: TrustDomain;
  readonly tbs: Uint8Array;
  readonly kind: KeyKind;
  /** DER of the CAs above, the root last; empty for a root. */
  readonly above: readonly Uint8Array[];
  readonly nowMs: number;
};

/** Judges a CA by its stand-in; then signs the very bytes. */
async function signCa(
  { trustDomain, tbs, kind, above, nowMs }: CaToSign,
  sign: (bytes: Uint8Array) => Promise<Uint8Array>,
): Promise<Result<Uint8Array, string>> {
  const algorithm = signatureAlgorithm(kind);
  const unsigned = parseCertificate(encodeSigned(tbs, algorithm, Uint8Array.of(0)));
  if (!unsigned.ok) return err(unsigned.error.detail);
  const higher = above.length === 0 ? undefined : readCas(above);
  if (higher?.ok === false) return higher;
  const cas = [unsigned.value, ...(higher?.value ?? [])] as const;
  const standIn = await openStandIn(trustDomain, cas, kind, nowMs);
  if (!standIn.ok) return err(`not signed: ${standIn.error}`);
  try {
    return ok(encodeSigned(tbs, algorithm, await sign(tbs)));
  } catch {
    return err('the key does not sign; is its token there?');
  }
}
