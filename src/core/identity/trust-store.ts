import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import { importPublicKey } from './algorithms.ts';
import { sha256Hex } from './bytes.ts';
import { parseCertificate } from './certificate.ts';
import { parseCrl } from './crl.ts';
import { formatName } from './distinguished-name.ts';
import type { Anchor } from './path.ts';
import type { RevocationList, RevocationLists } from './revocation.ts';
import { isNamedBy, isSignedBy } from './revocation.ts';
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
  /** True when one of the anchors signed it; false for the list of an issuer that is no anchor, which is checked when a path leads to that issuer. */
  readonly anchored: boolean;
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
 * `previous`: a snapshot whose lists are taken over where they are the same, so that a long one is not read and its signature not checked again.
 */
export function createTrustStore(
  bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>,
  crls: readonly Uint8Array[] = [],
  previous?: TrustStore,
): Result<TrustStore, readonly TrustProblem[]> {
  const problems: TrustProblem[] = [];
  const anchors = new Map<TrustDomain, readonly Anchor[]>();
  for (const [trustDomain, bundle] of bundles) anchors.set(trustDomain, readBundle(trustDomain, bundle, problems));
  const known = new Map(previous?.lists.map((list) => [list.digest, list]));
  const lists = readCrls(crls, { anchors: [...anchors.values()].flat(), known }, problems);
  if (problems.length > 0) return err(problems);
  const digests = lists.map(({ list }) => list.digest);
  return ok(
    Object.freeze({
      revision: revisionOf(bundles, digests),
      anchors,
      lists: lists.map(({ list }) => list),
      crls: lists.map(({ list: { crl }, anchored }) => ({
        issuer: formatName(crl.issuer),
        thisUpdateMs: crl.thisUpdateMs,
        nextUpdateMs: crl.nextUpdateMs,
        entries: crl.revoked.size,
        anchored,
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

type ReadList = { readonly list: RevocationList; readonly anchored: boolean };

/** What lists are read with. `known`: lists that were read before, by their digest. */
type CrlContext = {
  readonly anchors: readonly Anchor[];
  readonly known: ReadonlyMap<string, RevocationList>;
};

function readCrls(crls: readonly Uint8Array[], context: CrlContext, problems: TrustProblem[]): readonly ReadList[] {
  if (crls.length > MAX_CRLS) problems.push({ subject: 'revocation lists', detail: `more than ${MAX_CRLS}` });
  const lists: ReadList[] = [];
  for (const [index, der] of crls.slice(0, MAX_CRLS).entries()) {
    const list = readCrl(der, context);
    if (list.ok) lists.push(list.value);
    else problems.push({ subject: `revocation list ${index + 1}`, detail: list.error });
  }
  return lists;
}

/** A list that nobody could use would silently take the place of one that revoked somebody, so it is a mistake, not a list to be passed over. */
function readCrl(der: Uint8Array, { anchors, known }: CrlContext): Result<ReadList, string> {
  const read = readList(der, known);
  if (!read.ok) return read;
  const list = read.value;
  if (list.crl.unusable !== undefined) return err(`cannot be used: ${list.crl.unusable}`);
  const issuers = anchors.filter(({ certificate }) => isNamedBy(list.crl, certificate));
  const anchored = issuers.some(({ certificate }) => isSignedBy(list, certificate));
  if (issuers.length > 0 && !anchored) return err(`is not signed by ${formatName(list.crl.issuer)}, whom it names`);
  return ok({ list, anchored });
}

function readList(der: Uint8Array, known: CrlContext['known']): Result<RevocationList, string> {
  const digest = sha256Hex(der);
  const before = known.get(digest);
  if (before !== undefined) return ok(before);
  const crl = parseCrl(der);
  return crl.ok ? ok({ digest, crl: crl.value, verifiedBy: new Map() }) : crl;
}

/** Order of domains and of the parts of a bundle counts: another order is another revision, which costs nothing but a fresh judgement. */
function revisionOf(bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>, crlDigests: readonly string[]): string {
  const digests = [...bundles].map(([trustDomain, bundle]) => [trustDomain, bundle.map((der) => sha256Hex(der))]);
  const text = JSON.stringify([digests, crlDigests]);
  return sha256Hex(new TextEncoder().encode(text));
}
