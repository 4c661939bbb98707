import type { TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import type { Fault } from '../model/faults.ts';
import { fault } from '../model/faults.ts';
import type { PublicKey } from './algorithms.ts';
import { importPublicKey, isAcceptedSignature, verifySignature } from './algorithms.ts';
import { equalBytes } from './bytes.ts';
import type { Certificate } from './certificate.ts';
import { isEmptyName, shortName } from './distinguished-name.ts';
import { breachOf } from './name-constraints.ts';
import type { Purpose } from './svid-rules.ts';
import { signerFault, signerPurposeFault } from './svid-rules.ts';

/** Certificates in a path, leaf and anchor included. */
export const MAX_PATH_LENGTH = 8;

/** Signatures that are checked for one peer, whatever it sends: on P-521, the slowest curve, some 30 ms. A path of full length takes seven. */
const MAX_SIGNATURE_CHECKS = 16;

/** A CA certificate of a trust bundle with its key ready. */
export type Anchor = { readonly certificate: Certificate; readonly key: PublicKey };

/** What a path is looked for with. */
export type PathContext = {
  readonly trustDomain: TrustDomain;
  /** Certificates that the peer sent beside its leaf, in any order, useful or not. */
  readonly presented: readonly Certificate[];
  /** The bundle of the trust domain. */
  readonly anchors: readonly Anchor[];
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** How much earlier than notBefore something may be used. */
  readonly clockSkewMs: number;
  readonly purpose: Purpose;
};

/** Leaf first, anchor last. */
export type Path = readonly Certificate[];

type Candidate = { readonly certificate: Certificate; readonly anchor: Anchor | undefined };

/** What a search has used up, and the most telling reason it met for not getting further. */
type Search = {
  checksLeft: number;
  telling: { readonly weight: number; readonly fault: Fault } | undefined;
  /** Keys of presented certificates: to take one in costs as much as to check a signature with it. */
  readonly keys: Map<Certificate, Result<PublicKey, Fault>>;
};

/**
 * Looks for a path from the leaf to an anchor on which every certificate passes (RFC 5280 section 6): depth first, anchors before presented
 * certificates, a bounded number of signature checks in all. Anchors are held to the same rules as other signers, validity and constraints included.
 */
export function findPath(leaf: Certificate, context: PathContext): Result<Path, Fault> {
  const wrong = validityFault(leaf, context, 'leaf') ?? signatureAlgorithmFault(leaf, 'leaf');
  if (wrong !== undefined) return err(wrong);
  const key = importPublicKey(leaf.spki);
  if (!key.ok) return key;
  const search: Search = { checksLeft: MAX_SIGNATURE_CHECKS, telling: undefined, keys: new Map() };
  const path = extend([leaf], leaf, context, search);
  if (path !== undefined) return ok(path);
  return err(search.telling?.fault ?? fault('peer_chain_untrusted', 'no path was found within bounds'));
}

/** Continues `path`, whose last certificate is `child`, up to an anchor. */
function extend(path: Path, child: Certificate, context: PathContext, search: Search): Path | undefined {
  const candidates = path.length < MAX_PATH_LENGTH ? candidatesFor(path, child, context) : [];
  if (candidates.length === 0) note(search, path.length * 2 - 1, () => untrusted(path, child));
  for (const candidate of candidates) {
    if (search.checksLeft === 0) return undefined;
    search.checksLeft -= 1;
    if (!isSound(path, child, candidate, context, search)) continue;
    const longer = [...path, candidate.certificate];
    const found =
      candidate.anchor === undefined
        ? extend(longer, candidate.certificate, context, search)
        : complete(longer, search);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Certificates that `child` names as its issuer and that are not in the path yet. */
function candidatesFor(path: Path, child: Certificate, context: PathContext): readonly Candidate[] {
  const presented = context.presented.filter((certificate) => !path.includes(certificate));
  const all: readonly Candidate[] = [
    ...context.anchors.map((anchor) => ({ certificate: anchor.certificate, anchor })),
    ...presented.map((certificate) => ({ certificate, anchor: undefined })),
  ];
  return all.filter(({ certificate }) => mayIssue(certificate, child));
}

/** Constraints are compared last, on a path that reached an anchor: only then did somebody trusted write what they cost. */
function complete(path: Path, search: Search): Path | undefined {
  for (const [index, issuer] of path.entries()) {
    const wrong = nameConstraintFault(path.slice(0, index), issuer);
    if (wrong === undefined) continue;
    note(search, path.length * 2, () => wrong);
    return undefined;
  }
  return path;
}

/** Name chaining, and key identifiers where both are there (RFC 5280 6.1.3 a 4, 4.2.1.1). */
function mayIssue(issuer: Certificate, child: Certificate): boolean {
  const asked = child.extensions.authorityKeyId;
  const offered = issuer.extensions.subjectKeyId;
  const sameKey = asked === undefined || offered === undefined || asked === offered;
  return sameKey && equalBytes(issuer.subject, child.issuer);
}

function isSound(path: Path, child: Certificate, candidate: Candidate, context: PathContext, search: Search): boolean {
  const { certificate, anchor } = candidate;
  const key = anchor === undefined ? keyOf(certificate, search) : ok(anchor.key);
  const unsigned = key.ok ? signatureFault(child, key.value) : key.error;
  if (unsigned !== undefined) note(search, path.length * 2, () => unsigned);
  const wrong = unsigned === undefined ? issuerFault(path, candidate, context) : undefined;
  if (wrong !== undefined) note(search, path.length * 2 + 1, () => wrong);
  return unsigned === undefined && wrong === undefined;
}

function keyOf(certificate: Certificate, { keys }: Search): Result<PublicKey, Fault> {
  const key = keys.get(certificate) ?? importPublicKey(certificate.spki);
  keys.set(certificate, key);
  return key;
}

/** Everything about an issuer beside its signature and its name constraints. */
function issuerFault(path: Path, { certificate, anchor }: Candidate, context: PathContext): Fault | undefined {
  const who = anchor === undefined ? 'issuer' : 'trust anchor';
  return (
    validityFault(certificate, context, who) ??
    signerFault(certificate, { trustDomain: context.trustDomain, anchor: anchor !== undefined }) ??
    signerPurposeFault(certificate, context.purpose) ??
    pathLengthFault(path, certificate) ??
    (anchor === undefined ? signatureAlgorithmFault(certificate, who) : undefined)
  );
}

function signatureFault(child: Certificate, key: PublicKey): Fault | undefined {
  if (verifySignature(child, key)) return undefined;
  return fault('peer_signature_invalid', `the certificate of ${nameOf(child)} is not signed by the issuer it names`);
}

function signatureAlgorithmFault(certificate: Certificate, who: string): Fault | undefined {
  if (isAcceptedSignature(certificate.signatureAlgorithm)) return undefined;
  return fault('peer_algorithm_refused', `${who}: signature algorithm ${certificate.signatureAlgorithm.slice(0, 64)}`);
}

/** Both ends belong to the time of validity (RFC 5280 4.1.2.5); the skew is for clocks that run behind the issuer's, never past the end. */
function validityFault(
  { notBeforeMs, notAfterMs }: Certificate,
  { atMs, clockSkewMs }: PathContext,
  who: string,
): Fault | undefined {
  if (atMs > notAfterMs) return fault('peer_certificate_expired', `${who}: valid to ${isoOf(notAfterMs)}`);
  if (atMs + clockSkewMs >= notBeforeMs) return undefined;
  return fault('peer_certificate_not_yet_valid', `${who}: valid from ${isoOf(notBeforeMs)}`);
}

/** RFC 5280 6.1.4 l and m: self-issued certificates and the leaf do not count. */
function pathLengthFault(path: Path, issuer: Certificate): Fault | undefined {
  const limit = issuer.extensions.basicConstraints?.pathLength;
  const below = path.slice(1).filter((certificate) => !isSelfIssued(certificate)).length;
  if (limit === undefined || below <= limit) return undefined;
  return fault('peer_path_length_exceeded', `${below} intermediates below ${nameOf(issuer)}, which allows ${limit}`);
}

/** RFC 5280 6.1.3 b and c: constraints bind everything below but self-issued intermediates. */
function nameConstraintFault(below: Path, issuer: Certificate): Fault | undefined {
  const constraints = issuer.extensions.nameConstraints;
  if (constraints === undefined) return undefined;
  for (const [index, certificate] of below.entries()) {
    const breach = index > 0 && isSelfIssued(certificate) ? undefined : breachOf(constraints, certificate);
    if (breach !== undefined) return fault('peer_name_constraint_violated', `${breach}, by ${nameOf(issuer)}`);
  }
  return undefined;
}

function isSelfIssued(certificate: Certificate): boolean {
  return equalBytes(certificate.subject, certificate.issuer);
}

function untrusted(path: Path, child: Certificate): Fault {
  if (path.length >= MAX_PATH_LENGTH)
    return fault('peer_chain_untrusted', `no path of ${MAX_PATH_LENGTH} certificates`);
  return fault('peer_chain_untrusted', `no CA certificate or anchor for the issuer ${shortName(child.issuer)}`);
}

/** The reason from furthest up the path is the one to report. It is worded only when it is. */
function note(search: Search, weight: number, reason: () => Fault): void {
  if (search.telling === undefined || weight > search.telling.weight) search.telling = { weight, fault: reason() };
}

function nameOf(certificate: Certificate): string {
  return isEmptyName(certificate.subject) ? `serial ${certificate.serial}` : shortName(certificate.subject);
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
