import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import { importPublicKey } from './algorithms.ts';
import { sha256Hex } from './bytes.ts';
import { parseCertificate } from './certificate.ts';
import type { Crl } from './crl.ts';
import { parseCrl } from './crl.ts';
import { formatName } from './distinguished-name.ts';
import type { Anchor } from './path.ts';
import type { RevocationLists } from './revocation.ts';
import { revocationLists } from './revocation.ts';
import { signerFault } from './svid-rules.ts';

/** CA certificates of one trust domain. */
const MAX_ANCHORS = 256;

/** Revocation lists in all. */
const MAX_CRLS = 256;

/** Something that is wrong with trust as it was configured; `subject` says with which part of it. */
export type TrustProblem = { readonly subject: string; readonly detail: string };

/** What is known of a revocation list, for health and metrics. */
export type CrlSummary = {
  readonly issuer: string;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  readonly entries: number;
};

/** Whom to believe, as one immutable snapshot: bundles of CA certificates, never pooled, and revocation lists. */
export type TrustStore = {
  /** SHA-256 of all that went in: two stores with the same revision give the same verdicts. */
  readonly revision: string;
  readonly anchors: ReadonlyMap<TrustDomain, readonly Anchor[]>;
  readonly lists: RevocationLists;
  readonly crls: readonly CrlSummary[];
};

/**
 * Makes a snapshot from DER: for each trust domain its CA certificates (at most 256), and CRLs (at most 256). Every mistake is reported and
 * none is passed over, so that the last good snapshot stays in force. An empty bundle is no mistake: nobody of that domain is accepted (SPIFFE
 * Trust Domain and Bundle 4). Whether something is expired is judged when it is used.
 */
export function createTrustStore(
  bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>,
  crls: readonly Uint8Array[] = [],
): Result<TrustStore, readonly TrustProblem[]> {
  const problems: TrustProblem[] = [];
  const anchors = new Map<TrustDomain, readonly Anchor[]>();
  for (const [trustDomain, bundle] of bundles) anchors.set(trustDomain, readBundle(trustDomain, bundle, problems));
  const lists = readCrls(crls, problems);
  if (problems.length > 0) return err(problems);
  return ok(
    Object.freeze({
      revision: revisionOf(bundles, crls),
      anchors,
      lists: revocationLists(lists),
      crls: lists.map((crl) => ({
        issuer: formatName(crl.issuer),
        thisUpdateMs: crl.thisUpdateMs,
        nextUpdateMs: crl.nextUpdateMs,
        entries: crl.revoked.size,
      })),
    }),
  );
}

function readBundle(
  trustDomain: TrustDomain,
  bundle: readonly Uint8Array[],
  problems: TrustProblem[],
): readonly Anchor[] {
  const subject = `trust bundle of ${trustDomain}`;
  if (bundle.length > MAX_ANCHORS) problems.push({ subject, detail: `more than ${MAX_ANCHORS} certificates` });
  const anchors: Anchor[] = [];
  for (const [index, der] of bundle.slice(0, MAX_ANCHORS).entries()) {
    const anchor = readAnchor(trustDomain, der);
    if (anchor.ok) anchors.push(anchor.value);
    else problems.push({ subject: `${subject}, certificate ${index + 1}`, detail: anchor.error });
  }
  return anchors;
}

/** A CA certificate that may sign for the trust domain, with a key that is strong enough. */
function readAnchor(trustDomain: TrustDomain, der: Uint8Array): Result<Anchor, string> {
  const certificate = parseCertificate(der);
  if (!certificate.ok) return err(certificate.error.detail);
  const wrong = signerFault(certificate.value, { trustDomain, anchor: true });
  if (wrong !== undefined) return err(wrong.detail);
  const key = importPublicKey(certificate.value.spki);
  return key.ok ? ok({ certificate: certificate.value, key: key.value }) : err(key.error.detail);
}

function readCrls(crls: readonly Uint8Array[], problems: TrustProblem[]): readonly Crl[] {
  if (crls.length > MAX_CRLS) problems.push({ subject: 'revocation lists', detail: `more than ${MAX_CRLS}` });
  const lists: Crl[] = [];
  for (const [index, der] of crls.slice(0, MAX_CRLS).entries()) {
    const crl = parseCrl(der);
    if (crl.ok) lists.push(crl.value);
    else problems.push({ subject: `revocation list ${index + 1}`, detail: crl.error });
  }
  return lists;
}

/** Order of domains and of the parts of a bundle counts: another order is another revision, which costs nothing but a fresh judgement. */
function revisionOf(bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>, crls: readonly Uint8Array[]): string {
  const digests = [...bundles].map(([trustDomain, bundle]) => [trustDomain, bundle.map((der) => sha256Hex(der))]);
  const text = JSON.stringify([digests, crls.map((der) => sha256Hex(der))]);
  return sha256Hex(new TextEncoder().encode(text));
}
