import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';

import { openSigner, type CaSigner } from '../../../src/core/issuance/ca-signer.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { readCsr } from '../../../src/core/issuance/csr.ts';
import { newSerial } from '../../../src/core/issuance/deps.ts';
import { createIntermediate } from '../../../src/core/issuance/intermediate.ts';
import { createRoot } from '../../../src/core/issuance/root.ts';
import { generateKeyPair, type KeyKind } from '../../../src/core/issuance/signing-key.ts';
import { issueSvid, type IssuedSvid } from '../../../src/core/issuance/svid.ts';
import { ok, type Result } from '../../../src/core/kernel/result.ts';
import { systemClock, systemRandom } from '../../support/system-clock.ts';

import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { TrustDocument } from '../../../src/core/model/svid.ts';
import type { WorkloadIssuer } from '../../../src/io/workload-api/issuer.ts';

const deps = { clock: systemClock, random: systemRandom };
const DOMAIN = 'example.org' as TrustDomain;
const DAY = 86_400_000;

/** The value of what must have worked. */
export function must<T>(result: Result<T, unknown>): T {
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

/** A root of our making, and below it an issuing intermediate, or none. */
export async function createSigner(kind: KeyKind, intermediate: boolean): Promise<CaSigner> {
  const { der: rootDer, privateKey } = must(await createRoot(DOMAIN, { ttlMs: 365 * DAY, keyKind: kind }, deps));
  const root = must(await openSigner({ trustDomain: DOMAIN, chain: [], rootDer, privateKey }, Date.now()));
  if (!intermediate) return root;
  const keys = generateKeyPair(kind);
  const request = { publicKey: keys.publicKey, ttlMs: 30 * DAY, name: 'issuing' };
  const chain = [must(await createIntermediate(root, request, deps))];
  return must(await openSigner({ trustDomain: DOMAIN, chain, rootDer, privateKey: keys.privateKey }, Date.now()));
}

export async function issue(
  signer: CaSigner,
  spiffeId: string,
  kind: KeyKind,
  ttlMs = DAY,
): Promise<IssuedSvid & { readonly privateKey: KeyObject }> {
  const { privateKey } = generateKeyPair(kind);
  const request = must(readCsr(await createCsr(privateKey)));
  const serial = newSerial(systemRandom);
  return { ...must(await issueSvid(signer, { request, spiffeId, ttlMs, serial }, deps)), privateKey };
}

/** What a Workload API server of ours serves, with all that the test may change. */
export function createIssuer(signer: CaSigner, ...ids: readonly string[]) {
  const listeners = new Set<() => void>();
  const state = {
    signer,
    identities: ids.map((id) => ({ spiffeId: id as SpiffeId, hint: '' })),
    roots: [signer.root],
    crls: [] as Uint8Array[],
    kind: 'p256' as KeyKind,
    ttlMs: DAY,
  };
  let revision = 0;
  const issuer: WorkloadIssuer = {
    identities: () => state.identities,
    svid: async (id) => ok(await issue(state.signer, id, state.kind, state.ttlMs)),
    trust: (): TrustDocument => ({
      revision: String(revision),
      bundles: new Map([[DOMAIN, state.roots]]),
      crls: state.crls,
      refreshHintMs: undefined,
    }),
    onTrust: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const change = (different: Partial<typeof state>): void => {
    Object.assign(state, different);
    revision += 1;
    listeners.forEach((listener) => listener());
  };
  return { issuer, change };
}
