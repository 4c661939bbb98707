import type { TrustDomain } from '../kernel/brand.ts';
import type { Fault } from '../model/faults.ts';
import { fault } from '../model/faults.ts';
import { parseCertificate } from './certificate.ts';
import { parseSpiffeId, parseTrustDomain } from './spiffe-id.ts';
import type { Purpose } from './svid-rules.ts';
import { claimOf } from './svid-rules.ts';
import { createTrustStore } from './trust-store.ts';
import type { Verdict } from './verify.ts';
import { verifyPeer } from './verify.ts';

/** One question about one chain. All certificates and lists are DER. */
export type ChainQuestion = {
  /** As a peer presents it: leaf first, then any others in any order. */
  readonly chain: readonly Uint8Array[];
  /** CA certificates that are believed for `trustDomain`, and for no other domain. */
  readonly bundle: readonly Uint8Array[];
  /** Whose bundle it is. Default: the trust domain that the leaf claims, so that the bundle counts as that of its own domain. */
  readonly trustDomain?: string;
  /** Revocation lists; who signed them is found out. */
  readonly crls?: readonly Uint8Array[];
  /** The moment to judge at, milliseconds since the epoch. */
  readonly atMs: number;
  /** What the side that shows the chain does: `client` connects, `server` is connected to. */
  readonly purpose: Purpose;
  /** True: refused unless a current list covers every certificate below the anchor. Default false: lists that are there are heeded all the same. */
  readonly requireCrl?: boolean;
  /** How much earlier than notBefore and thisUpdate something counts, milliseconds. Default 0, the exact moment; our own gate allows 30,000. */
  readonly clockSkewMs?: number;
};

/** No name of a trust domain. Where the leaf claims nothing that can be read, `verifyPeer` says why before it looks for a bundle. */
const NOBODY = '' as TrustDomain;

/**
 * Chain, bundle, time and purpose in, verdict out: the one function to feed foreign certificate suites to. It adds no rule to `verifyPeer`, which
 * judges the peers of the sidecar and, before it signs, everything that our own authority issues; it only makes the trust store for one question.
 * Pure, bounded and never throwing, whatever the bytes.
 *
 * The verdict is `identified` with the SPIFFE ID, or `rejected` with a fault of the table (`core/model/faults.ts`, the `peer_…` rows): its `code` is
 * stable, its `detail` for people. The rules are those for X509-SVIDs (SPIFFE X509-SVID 2 to 5, RFC 5280 6), so a chain whose leaf has no SPIFFE ID
 * is rejected as `peer_id_missing` however sound it is. A bundle that cannot be taken up (not DER, no CA, a weak key) rejects as
 * `peer_chain_untrusted`, a list that cannot as `peer_revocation_unknown`: both say so in `detail`.
 */
export function verifyChain(question: ChainQuestion): Verdict {
  const { chain, bundle, crls = [], atMs, purpose, requireCrl = false, clockSkewMs = 0 } = question;
  const claimedId = claimIn(chain);
  const trustDomain = domainOf(question.trustDomain, claimedId);
  if (trustDomain === undefined) {
    return rejected(fault('peer_trust_domain_unknown', 'the bundle is of no trust domain by that name'), claimedId);
  }
  const bundles = new Map([[trustDomain, trustDomain === NOBODY ? [] : bundle]]);
  const believed = createTrustStore(bundles);
  if (!believed.ok) return rejected(fault('peer_chain_untrusted', textOf(believed.error)), claimedId);
  const trust = createTrustStore(bundles, crls);
  if (!trust.ok) return rejected(fault('peer_revocation_unknown', textOf(trust.error)), claimedId);
  return verifyPeer(chain, trust.value, atMs, { purpose, requireCrl, clockSkewMs });
}

/** What the leaf claims to be, where it can be read. */
function claimIn([first]: readonly Uint8Array[]): string | undefined {
  const leaf = first === undefined ? undefined : parseCertificate(first);
  return leaf?.ok === true ? claimOf(leaf.value) : undefined;
}

function domainOf(named: string | undefined, claimedId: string | undefined): TrustDomain | undefined {
  if (named !== undefined) {
    const domain = parseTrustDomain(named);
    return domain.ok ? domain.value : undefined;
  }
  const id = claimedId === undefined ? undefined : parseSpiffeId(claimedId);
  return id?.ok === true ? id.value.trustDomain : NOBODY;
}

function textOf(problems: readonly { readonly subject: string; readonly detail: string }[]): string {
  return problems.map(({ subject, detail }) => `${subject}: ${detail}`).join('; ');
}

function rejected(reason: Fault, claimedId: string | undefined): Verdict {
  return Object.freeze({ kind: 'rejected', fault: reason, claimedId });
}
