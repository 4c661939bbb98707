import type { SpiffeId, TrustDomain } from '../../core/kernel/brand.ts';

/** The trust domain of an ID that has been checked. */
export function domainOf(id: SpiffeId): TrustDomain {
  return id.slice('spiffe://'.length).split('/', 1)[0] as TrustDomain;
}
