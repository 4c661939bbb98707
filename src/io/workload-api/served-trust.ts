import { createTrustStore } from '../../core/identity/trust-store.ts';
import { verifyPeer } from '../../core/identity/verify.ts';
import { concat } from '../../core/kernel/bytes.ts';

import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import type { BundleMap } from './messages.ts';

/** The bundles of a trust document as the protocol carries them: by SPIFFE ID of the trust domain, DER one after the other. */
export function bundlesOf(trust: TrustDocument, leftOut: ReadonlySet<TrustDomain> = new Set()): BundleMap {
  return new Map(
    [...trust.bundles]
      .filter(([trustDomain]) => !leftOut.has(trustDomain))
      .map(([trustDomain, bundle]) => [`spiffe://${trustDomain}`, concat(bundle)]),
  );
}

/** Whether a chain (DER, leaf first) stands at a wall clock time. */
export type Standing = (chain: readonly Uint8Array[], atMs: number) => boolean;

/**
 * Whether a chain still stands in a trust document: its root may have been removed, or it may have been revoked, long before half of its life is over. A
 * document that identity would not take says nothing against a chain: what is wrong with it is seen by those who use it.
 */
export function createStanding(trust: TrustDocument): Standing {
  const store = createTrustStore(trust.bundles, trust.crls);
  if (!store.ok) return () => true;
  return (chain, atMs) =>
    verifyPeer(chain, store.value, atMs, { purpose: 'client', requireCrl: false }).kind === 'identified';
}
