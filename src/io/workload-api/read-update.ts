import { createPrivateKey, createPublicKey } from 'node:crypto';

import { DerReader, TAG } from '../../core/identity/der.ts';
import { checkOwnIdentity } from '../../core/identity/own-identity.ts';
import { parseSpiffeId, parseTrustDomain } from '../../core/identity/spiffe-id.ts';
import { createTrustStore } from '../../core/identity/trust-store.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { domainOf } from './domain-of.ts';
import { readX509BundlesResponse, readX509SvidResponse } from './messages.ts';

import type { KeyObject } from 'node:crypto';
import type { SpiffeId, TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { BundleMap, X509SvidMessage } from './messages.ts';

/** One identity of ours, as the Workload API gave it: the key fits the leaf, the leaf has the ID, the chain keeps identity's rules. */
export type WorkloadSvid = {
  readonly spiffeId: SpiffeId;
  /** DER, leaf first, without the root. */
  readonly chain: readonly Uint8Array[];
  readonly privateKey: KeyObject;
  /** DER of the CA certificates of its own trust domain; never empty. */
  readonly bundle: readonly Uint8Array[];
  /** What the server's operator calls it, for choosing among several; empty where nothing was said. */
  readonly hint: string;
};

/** The whole state at one moment: what is not in it is gone (SPIFFE_Workload_API 5.2.1). The default identity comes first. */
export type WorkloadUpdate = {
  /** At least one. */
  readonly svids: readonly WorkloadSvid[];
  readonly crls: readonly Uint8Array[];
  /** CA certificates of other trust domains; an empty list: nobody of that domain is believed. */
  readonly federated: ReadonlyMap<TrustDomain, readonly Uint8Array[]>;
};

/** The whole state of what may be believed, for a workload without identity or besides one. */
export type BundlesUpdate = {
  readonly bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>;
  readonly crls: readonly Uint8Array[];
};

type Bundles = Map<TrustDomain, readonly Uint8Array[]>;

/**
 * Reads and judges an `X509SVIDResponse` at `atMs` (wall clock). All of it or nothing: an empty or malformed mandatory field, a key that is not the
 * leaf's, an ID that is not its own, a bundle or list that identity would not take refuse the message whole (SPIFFE_Workload_API 5.2.1). Of several SVIDs
 * with one hint the first counts. Never throws; the error says which part is wrong and never what stands in it.
 */
export function readWorkloadUpdate(message: Uint8Array, atMs: number): Result<WorkloadUpdate, string> {
  const response = readX509SvidResponse(message);
  if (!response.ok) return response;
  const { svids: messages, crls, federatedBundles } = response.value;
  if (messages.length === 0) return err('svids is empty');
  const svids: WorkloadSvid[] = [];
  const bundles: Bundles = new Map();
  for (const [index, one] of messages.entries()) {
    if (one.hint !== '' && svids.some(({ hint }) => hint === one.hint)) continue;
    const svid = readSvid(one, atMs);
    const wrong = svid.ok ? addBundle(bundles, domainOf(svid.value.spiffeId), svid.value.bundle) : svid.error;
    if (!svid.ok || wrong !== undefined) return err(`svid ${index + 1}: ${wrong}`);
    svids.push(svid.value);
  }
  const own = new Set(bundles.keys());
  const wrong = addBundles(bundles, federatedBundles, 'federated_bundles') ?? trustFault(bundles, crls);
  if (wrong !== undefined) return err(wrong);
  const federated = new Map([...bundles].filter(([trustDomain]) => !own.has(trustDomain)));
  return ok(Object.freeze({ svids, crls: crls.map((crl) => crl.slice()), federated }));
}

/** Reads and judges an `X509BundlesResponse`, all or nothing as `readWorkloadUpdate`. At least one bundle (SPIFFE_Workload_API 5.2.2). */
export function readBundlesUpdate(message: Uint8Array): Result<BundlesUpdate, string> {
  const response = readX509BundlesResponse(message);
  if (!response.ok) return response;
  const { crls } = response.value;
  if (response.value.bundles.size === 0) return err('bundles is empty');
  const bundles: Bundles = new Map();
  const wrong = addBundles(bundles, response.value.bundles, 'bundles') ?? trustFault(bundles, crls);
  return wrong === undefined ? ok(Object.freeze({ bundles, crls: crls.map((crl) => crl.slice()) })) : err(wrong);
}

/** What is kept are copies: the message, with the bytes of the key, is not held by them. */
function readSvid(message: X509SvidMessage, atMs: number): Result<WorkloadSvid, string> {
  const empty = MANDATORY.find(([part]) => message[part].length === 0);
  if (empty !== undefined) return err(`${empty[1]} is empty`);
  const id = parseSpiffeId(message.spiffeId);
  if (!id.ok) return err(`spiffe_id: ${id.error.detail}`);
  const chain = certificatesOf(message.x509Svid);
  if (!chain.ok) return err(`x509_svid: ${chain.error}`);
  const bundle = certificatesOf(message.bundle);
  if (!bundle.ok) return err(`bundle: ${bundle.error}`);
  const key = privateKeyOf(message.x509SvidKey);
  if (key === undefined) return err('x509_svid_key is no private key in PKCS#8');
  const own = checkOwnIdentity(chain.value, key.publicKeySpki, atMs);
  if (!own.ok) return err(`x509_svid: ${own.error.join('; ')}`);
  if (own.value.spiffeId !== id.value.id) return err('spiffe_id is not the ID in the certificate');
  const { privateKey } = key;
  const { hint } = message;
  return ok({ spiffeId: id.value.id, chain: chain.value, privateKey, bundle: bundle.value, hint });
}

const MANDATORY = [
  ['spiffeId', 'spiffe_id'],
  ['x509Svid', 'x509_svid'],
  ['x509SvidKey', 'x509_svid_key'],
  ['bundle', 'bundle'],
] as const satisfies readonly (readonly [keyof X509SvidMessage, string])[];

/** DER certificates one after the other, without anything between them. Their insides are judged later. */
function certificatesOf(bytes: Uint8Array): Result<readonly Uint8Array[], string> {
  const reader = new DerReader(bytes);
  const certificates: Uint8Array[] = [];
  while (!reader.atEnd) certificates.push(reader.whole(TAG.sequence, `certificate ${certificates.length + 1}`).slice());
  return reader.failure === undefined ? ok(certificates) : err(reader.failure);
}

function privateKeyOf(
  der: Uint8Array,
): { readonly privateKey: KeyObject; readonly publicKeySpki: Uint8Array } | undefined {
  try {
    const privateKey = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
    return { privateKey, publicKeySpki: createPublicKey(privateKey).export({ type: 'spki', format: 'der' }) };
  } catch {
    return undefined;
  }
}

/** Keys are SPIFFE IDs of trust domains; the bare name, which go-spiffe takes as well, is taken. */
function addBundles(bundles: Bundles, added: BundleMap, what: string): string | undefined {
  for (const [key, value] of added) {
    const name = key.startsWith('spiffe://') ? key.slice('spiffe://'.length) : key;
    const trustDomain = parseTrustDomain(name);
    if (!trustDomain.ok) return `${what}: a key is no trust domain: ${trustDomain.error.detail}`;
    const certificates = certificatesOf(value);
    if (!certificates.ok) return `${what} of ${name}: ${certificates.error}`;
    const wrong = addBundle(bundles, trustDomain.value, certificates.value);
    if (wrong !== undefined) return `${what}: ${wrong}`;
  }
  return undefined;
}

/** Bundles are never pooled: two that differ for one domain leave open whom to believe. */
function addBundle(bundles: Bundles, trustDomain: TrustDomain, bundle: readonly Uint8Array[]): string | undefined {
  const there = bundles.get(trustDomain);
  if (there !== undefined && Buffer.compare(Buffer.concat(there), Buffer.concat(bundle)) !== 0)
    return `${trustDomain} has two bundles that differ`;
  bundles.set(trustDomain, bundle);
  return undefined;
}

function trustFault(bundles: Bundles, crls: readonly Uint8Array[]): string | undefined {
  const trust = createTrustStore(bundles, crls);
  return trust.ok ? undefined : trust.error.map(({ subject, detail }) => `${subject}: ${detail}`).join('; ');
}
