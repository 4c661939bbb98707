import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import type { Fault } from '../model/faults.ts';
import { fault } from '../model/faults.ts';
import type { IdentifiedPeer, RejectedPeer } from '../model/peer.ts';
import type { Certificate } from './certificate.ts';
import { parseCertificate } from './certificate.ts';
import { factsOf } from './certificate-facts.ts';
import { findPath } from './path.ts';
import { judgeRevocation } from './revocation.ts';
import type { SpiffeIdParts } from './spiffe-id.ts';
import type { Purpose } from './svid-rules.ts';
import { claimOf, leafFault, leafId } from './svid-rules.ts';
import type { TrustStore } from './trust-store.ts';

/** The most certificates that a peer may send. */
export const MAX_PRESENTED_CERTIFICATES = 10;

/** How a peer is to be judged. */
export type VerifyOptions = {
  /** What the peer does: `client` connects to us, `server` is connected to. */
  readonly purpose: Purpose;
  /** True: a peer is refused unless a current revocation list covers each certificate of its path. */
  readonly requireCrl: boolean;
  /** How far, in milliseconds, clocks may run behind those of issuers: for notBefore and thisUpdate only. Default 30,000; keep it under a few minutes. */
  readonly clockSkewMs?: number;
};

const DEFAULT_CLOCK_SKEW_MS = 30_000;

/** The verdict on a peer. */
export type Verdict = IdentifiedPeer | RejectedPeer;

/**
 * Judges a peer by the certificates it presented (leaf first, then any others in any order, DER): the door of this room. Every rule of the
 * X509-SVID standard for peers, RFC 5280 path validation against the bundle of the ID's own trust domain, and revocation. Pure, bounded and
 * never throwing, whatever the bytes. `atMs` is wall clock time, milliseconds since the epoch. Faults: the `peer_…` rows of the table.
 */
export function verifyPeer(
  chain: readonly Uint8Array[],
  trust: TrustStore,
  atMs: number,
  options: VerifyOptions,
): Verdict {
  const parsed = parseChain(chain);
  if (!parsed.ok) return rejected(parsed.error, undefined);
  const [leaf] = parsed.value;
  const verdict = judge(parsed.value, trust, atMs, options);
  return verdict.ok ? verdict.value : rejected(verdict.error, claimOf(leaf));
}

function rejected(reason: Fault, claimedId: string | undefined): RejectedPeer {
  return Object.freeze({ kind: 'rejected', fault: reason, claimedId });
}

type Presented = readonly [leaf: Certificate, ...others: Certificate[]];

function parseChain(chain: readonly Uint8Array[]): Result<Presented, Fault> {
  const [first, ...rest] = chain;
  if (first === undefined) return err(fault('peer_certificate_missing', 'no certificate was presented'));
  if (chain.length > MAX_PRESENTED_CERTIFICATES) {
    return err(fault('peer_chain_too_long', `${chain.length} certificates, ${MAX_PRESENTED_CERTIFICATES} are allowed`));
  }
  const leaf = parseCertificate(first);
  if (!leaf.ok) return leaf;
  const others: Certificate[] = [];
  for (const der of rest) {
    const certificate = parseCertificate(der);
    if (!certificate.ok) return certificate;
    others.push(certificate.value);
  }
  return ok([leaf.value, ...others]);
}

function judge(
  [leaf, ...presented]: Presented,
  trust: TrustStore,
  atMs: number,
  options: VerifyOptions,
): Result<IdentifiedPeer, Fault> {
  const id = leafId(leaf);
  if (!id.ok) return id;
  const wrong = leafFault(leaf);
  if (wrong !== undefined) return err(wrong);
  const { trustDomain } = id.value;
  const anchors = trust.anchors.get(trustDomain);
  if (anchors === undefined) return err(fault('peer_trust_domain_unknown', `no trust bundle for ${trustDomain}`));
  const clockSkewMs = options.clockSkewMs ?? DEFAULT_CLOCK_SKEW_MS;
  const { purpose, requireCrl } = options;
  const path = findPath(leaf, { trustDomain, presented, anchors, atMs, clockSkewMs, purpose });
  if (!path.ok) return path;
  const revocation = judgeRevocation(path.value, { lists: trust.lists, atMs, clockSkewMs, required: requireCrl });
  if (revocation.fault !== undefined) return err(revocation.fault);
  const ends = path.value.map((certificate) => certificate.notAfterMs);
  return ok(identified(leaf, id.value, Math.min(...ends, revocation.untilMs)));
}

function identified(leaf: Certificate, { id, trustDomain, path }: SpiffeIdParts, validUntilMs: number): IdentifiedPeer {
  return Object.freeze({
    kind: 'identified',
    spiffeId: id,
    trustDomain,
    path,
    certificate: factsOf(leaf),
    validUntilMs,
  });
}
