import type { SpiffeId, TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import { createTrustStore } from './trust-store.ts';
import { verifyPeer } from './verify.ts';

/** Whom a bundle is taken from by profile `https_spiffe` (SPIFFE Federation 5.2.2). */
export type BundleEndpoint = {
  /** The SPIFFE ID of the endpoint, as configured. */
  readonly id: SpiffeId;
  /** The trust domain of that ID. */
  readonly trustDomain: TrustDomain;
  /** DER of the newest bundle of that trust domain that is known. */
  readonly bundle: readonly Uint8Array[];
  /** DER of revocation lists; they are heeded and not required. Default none. */
  readonly crls?: readonly Uint8Array[];
};

/**
 * Judges who serves a bundle by the chain that it presented (leaf first, DER): the same rules as for any peer, and the ID must be the one that is configured,
 * also after a redirect (SPIFFE Federation 5.2.2.4). The error says what is wrong, for the operator.
 */
export function judgeBundleEndpoint(
  chain: readonly Uint8Array[],
  { id, trustDomain, bundle, crls = [] }: BundleEndpoint,
  atMs: number,
): Result<undefined, string> {
  const trust = createTrustStore(new Map([[trustDomain, bundle]]), crls);
  if (!trust.ok) return err(trust.error.map(({ subject, detail }) => `${subject}: ${detail}`).join('; '));
  const verdict = verifyPeer(chain, trust.value, atMs, { purpose: 'server', requireCrl: false });
  if (verdict.kind === 'rejected') return err(`${verdict.fault.code}: ${verdict.fault.detail}`);
  return verdict.spiffeId === id ? ok(undefined) : err(`it is ${verdict.spiffeId}, and ${id} is configured`);
}
