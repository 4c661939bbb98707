import assert from 'node:assert/strict';

import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { FaultCode } from '../../../src/core/model/faults.ts';
import type { IdentifiedPeer } from '../../../src/core/model/peer.ts';
import type { TrustStore } from '../../../src/core/identity/trust-store.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import type { Verdict, VerifyOptions } from '../../../src/core/identity/verify.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import type { Authority } from '../../support/pki.ts';

/** One moment for all tests of this room: nothing here waits. */
export const NOW = Date.now();
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

export const AS_CLIENT: VerifyOptions = { purpose: 'client', requireCrl: false };

/** A trust domain's name without its check. */
export const domain = (name: string): TrustDomain => name as TrustDomain;

/** Trust in the roots of these authorities, each for its own domain. */
export function trustIn(authorities: readonly Authority[], crls: readonly Uint8Array[] = []): TrustStore {
  const bundles = new Map<TrustDomain, Uint8Array[]>();
  for (const { trustDomain, bundle } of authorities) {
    bundles.set(domain(trustDomain), [...(bundles.get(domain(trustDomain)) ?? []), ...bundle]);
  }
  const store = createTrustStore(bundles, crls);
  assert.ok(store.ok, JSON.stringify(store));
  return store.value;
}

/** The verdict on a chain as a client's, now. */
export function judge(
  chain: readonly Uint8Array[],
  trust: TrustStore,
  options: Partial<VerifyOptions> & { readonly atMs?: number } = {},
): Verdict {
  const { atMs = NOW, ...others } = options;
  return verifyPeer(chain, trust, atMs, { ...AS_CLIENT, ...others });
}

/** `identified`, or the fault's code. */
export function codeOf(verdict: Verdict): FaultCode | 'identified' {
  return verdict.kind === 'rejected' ? verdict.fault.code : 'identified';
}

export function assertIdentified(verdict: Verdict): asserts verdict is IdentifiedPeer {
  assert.equal(verdict.kind, 'identified', JSON.stringify(verdict));
}
