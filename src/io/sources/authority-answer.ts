import { createTrustStore } from '../../core/identity/trust-store.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { judgeOwn } from './identity-join.ts';

import type { OwnIdentity } from '../../core/identity/own-identity.ts';
import type { TrustStore } from '../../core/identity/trust-store.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import type { OwnPart } from './identity-part.ts';
import type { Problems } from './problem.ts';

/** A trust document that was found sound, and what was read of it. */
export type Believed = { readonly document: TrustDocument; readonly store: TrustStore };

/**
 * Judges a trust document of the authority of `trustDomain`. Whether its roots are to be believed is not asked here: it came over a connection that verified with
 * the roots before it, and that is the only way for a root to come in force. `previous`: what it replaces.
 */
export function judgeTrust(
  document: TrustDocument,
  trustDomain: TrustDomain,
  previous: TrustStore | undefined,
): Result<Believed, Problems> {
  if ((document.bundles.get(trustDomain)?.length ?? 0) === 0)
    return err([`the trust document has no root of ${trustDomain}: nobody of our own trust domain would be believed`]);
  const store = createTrustStore(document.bundles, document.crls, previous);
  if (!store.ok) return err(store.error.map(({ subject, detail }) => `${subject}: ${detail}`));
  return ok({ document, store: store.value });
}

/** What a certificate must be to be ours. `spiffeId`: the ID that we had before, or that is configured; undefined for the first of all. */
export type ExpectedIdentity = { readonly trustDomain: TrustDomain; readonly spiffeId: string | undefined };

/**
 * Judges a certificate that the authority sent for `own.privateKey`, as one from a liar: it must be for our key, valid now, keep the rules for X509-SVIDs, lead to
 * a root that is believed, be of our trust domain, and for the ID that we had before.
 */
export function judgeEnrolled(
  own: OwnPart,
  expected: ExpectedIdentity,
  trust: TrustStore,
  atMs: number,
): Result<OwnIdentity, Problems> {
  const judged = judgeOwn(own, trust, atMs, expected.trustDomain);
  if (!judged.ok || expected.spiffeId === undefined || judged.value.spiffeId === expected.spiffeId) return judged;
  return err([`the certificate is for ${judged.value.spiffeId}, and we are ${expected.spiffeId}`]);
}
