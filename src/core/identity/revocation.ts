import type { Fault } from '../model/faults.ts';
import { fault } from '../model/faults.ts';
import { importPublicKey, verifySignature } from './algorithms.ts';
import { equalBytes, sha256Hex } from './bytes.ts';
import type { Certificate } from './certificate.ts';
import type { Crl, CrlHead } from './crl.ts';
import { shortName } from './distinguished-name.ts';
import { KEY_USAGE } from './extensions.ts';
import type { Path } from './path.ts';

/** Keys whose signature check of one list is remembered; lists have one key, and old ones while a CA is rolled over. */
const MAX_REMEMBERED_KEYS = 8;

/** A list as it was read, with what is known of its signature: that is checked when an issuer is known, once for each. */
export type RevocationList = {
  /** SHA-256 of the list as it came, lower-case hexadecimal. */
  readonly digest: string;
  readonly crl: Crl;
  readonly verifiedBy: Map<string, boolean>;
};

/** Revocation lists of all issuers. */
export type RevocationLists = readonly RevocationList[];

/** What is asked of the lists. */
export type RevocationContext = {
  readonly lists: RevocationLists;
  readonly atMs: number;
  readonly clockSkewMs: number;
  /** True: every certificate of a path must be covered by a list. */
  readonly required: boolean;
};

/** `untilMs`: the moment from which lists that are required no longer cover the path; Infinity where none are. */
export type RevocationVerdict = { readonly fault: Fault | undefined; readonly untilMs: number };

/** Judges every certificate of a path but its anchor by the lists of its issuer (RFC 5280 6.3). Faults: `peer_certificate_revoked`, `peer_revocation_unknown`. */
export function judgeRevocation(path: Path, context: RevocationContext): RevocationVerdict {
  const statuses = path.slice(0, -1).map((certificate, index) => {
    const issuer = path[index + 1] ?? certificate;
    return { certificate, issuer, ...statusOf(certificate, issuer, context) };
  });
  const revoked = statuses.find((status) => status.revoked);
  if (revoked !== undefined)
    return refusal('peer_certificate_revoked', `serial ${revoked.certificate.serial} of`, revoked.issuer);
  if (!context.required) return { fault: undefined, untilMs: Number.POSITIVE_INFINITY };
  const unknown = statuses.find((status) => status.coveredUntilMs === undefined);
  if (unknown !== undefined) return refusal('peer_revocation_unknown', 'no usable revocation list of', unknown.issuer);
  return { fault: undefined, untilMs: Math.min(...statuses.map((status) => status.coveredUntilMs ?? 0)) };
}

function refusal(
  code: 'peer_certificate_revoked' | 'peer_revocation_unknown',
  what: string,
  issuer: Certificate,
): RevocationVerdict {
  return { fault: fault(code, `${what} ${shortName(issuer.subject)}`), untilMs: 0 };
}

type Status = { readonly revoked: boolean; readonly coveredUntilMs: number | undefined };

/**
 * Outside thisUpdate and nextUpdate a list says nothing of what it does not list, but what it lists is revoked all the same: to forget a
 * revocation because a newer list did not arrive would be to fail open. Where several lists of an issuer are there, all are asked.
 */
function statusOf(certificate: Certificate, issuer: Certificate, context: RevocationContext): Status {
  let coveredUntilMs: number | undefined;
  for (const list of context.lists) {
    if (!isListOf(list, issuer)) continue;
    const { crl } = list;
    if (crl.revoked.has(certificate.serial)) return { revoked: true, coveredUntilMs: undefined };
    const covers = isCurrent(crl, context) && isInScope(crl, certificate);
    if (covers) coveredUntilMs = Math.max(coveredUntilMs ?? 0, crl.nextUpdateMs);
  }
  return { revoked: false, coveredUntilMs };
}

/** True for a list that may be used and that `issuer` made: its name, its key, allowed to sign lists (RFC 5280 6.3.3 f, g). */
export function isListOf(list: RevocationList, issuer: Certificate): boolean {
  const { crl } = list;
  const { keyUsage } = issuer.extensions;
  if (crl.unusable !== undefined || !isNamedBy(crl, issuer)) return false;
  if (keyUsage !== undefined && !keyUsage.bits.has(KEY_USAGE.cRLSign)) return false;
  return isSignedBy(list, issuer);
}

/** By name, and by key identifiers where both are there (RFC 5280 6.3.3 f). */
export function isNamedBy(crl: CrlHead, { subject, extensions }: Certificate): boolean {
  return mayBeKeyOf(crl, extensions.subjectKeyId) && equalBytes(crl.issuer, subject);
}

function mayBeKeyOf({ authorityKeyId }: CrlHead, subjectKeyId: string | undefined): boolean {
  return authorityKeyId === undefined || subjectKeyId === undefined || authorityKeyId === subjectKeyId;
}

/** True when the list is signed by the key of `issuer`. Checked once for each key: a list may be megabytes long. */
export function isSignedBy({ crl, verifiedBy }: RevocationList, issuer: Certificate): boolean {
  const keyHash = sha256Hex(issuer.spki);
  const known = verifiedBy.get(keyHash);
  if (known !== undefined) return known;
  const key = importPublicKey(issuer.spki);
  const signed = key.ok && verifySignature(crl, key.value);
  if (verifiedBy.size >= MAX_REMEMBERED_KEYS) verifiedBy.clear();
  verifiedBy.set(keyHash, signed);
  return signed;
}

function isCurrent({ thisUpdateMs, nextUpdateMs }: Crl, { atMs, clockSkewMs }: RevocationContext): boolean {
  return thisUpdateMs <= atMs + clockSkewMs && atMs < nextUpdateMs;
}

/** Whether what the list does not list is known to be good (RFC 5280 6.3.3 b, d). */
function isInScope({ delta, scope }: Crl, certificate: Certificate): boolean {
  if (delta || !scope.allReasons || scope.certificates === 'none') return false;
  const isAuthority = certificate.extensions.basicConstraints?.cA === true;
  if (scope.certificates === (isAuthority ? 'leaves' : 'authorities')) return false;
  const points = certificate.extensions.distributionPoints;
  return scope.distributionPoint === undefined || scope.distributionPoint.some((name) => points.includes(name));
}
