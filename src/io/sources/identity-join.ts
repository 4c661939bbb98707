import { createPublicKey } from 'node:crypto';

import { checkOwnIdentity } from '../../core/identity/own-identity.ts';
import { createTrustStore } from '../../core/identity/trust-store.ts';
import { verifyPeer } from '../../core/identity/verify.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { tlsKeyOf } from './identity-snapshot.ts';

import type { OwnIdentity } from '../../core/identity/own-identity.ts';
import type { TrustStore } from '../../core/identity/trust-store.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Fault } from '../../core/model/faults.ts';
import type { IdentityPart, OwnPart } from './identity-part.ts';
import type { Problems } from './problem.ts';

/** What one part brings. */
export type NamedContent = { readonly name: string; readonly part: IdentityPart };

/** All parts as one. */
export type JoinedParts = {
  readonly own: OwnPart | undefined;
  readonly bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>;
  readonly trust: TrustStore;
  readonly warnings: readonly string[];
};

/**
 * Joins parts: our certificate from exactly one, the bundle of a trust domain from the first that has one, the revocation lists of all. Bundles are in the
 * order of their names, so that which part came first changes no revision. `previous`: trust that is replaced, whose long lists need not be read again.
 */
export function joinParts(
  contents: readonly NamedContent[],
  previous: TrustStore | undefined,
): Result<JoinedParts, Problems> {
  const owners = contents.filter(({ part }) => part.own !== undefined);
  if (owners.length > 1)
    return err([`${owners.map(({ name }) => name).join(' and ')} bring a certificate for us; one of them may`]);
  const { bundles, warnings } = joinBundles(contents);
  const crls = distinct(contents.flatMap(({ part }) => part.crls));
  const trust = createTrustStore(bundles, crls, previous);
  if (!trust.ok) return err(trust.error.map(({ subject, detail }) => `${subject}: ${detail}`));
  const own = owners[0]?.part.own;
  const all = [...contents.flatMap(({ part }) => part.warnings), ...warnings];
  return ok({ own, bundles, trust: trust.value, warnings: all });
}

function joinBundles(contents: readonly NamedContent[]): Pick<JoinedParts, 'bundles' | 'warnings'> {
  const found = new Map<TrustDomain, { readonly name: string; readonly bundle: readonly Uint8Array[] }>();
  const warnings: string[] = [];
  for (const { name, part } of contents) {
    for (const [domain, bundle] of part.bundles) {
      const first = found.get(domain);
      if (first === undefined) found.set(domain, { name, bundle });
      else if (!sameBytes(first.bundle, bundle))
        warnings.push(`the trust bundle of ${domain} is that of ${first.name}; another one, of ${name}, is not used`);
    }
  }
  const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  return { bundles: new Map(sorted.map(([domain, { bundle }]) => [domain, bundle])), warnings };
}

/** The same list may come by several ways. */
function distinct(lists: readonly Uint8Array[]): readonly Uint8Array[] {
  return lists.filter((list, index) => lists.findIndex((other) => Buffer.compare(list, other) === 0) === index);
}

/** True where both hold the same, in the same order. */
export function sameBytes(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((one, index) => Buffer.compare(one, b[index] ?? new Uint8Array(0)) === 0);
}

/**
 * Judges a certificate that is to become ours: its rules, its time, its key, its trust domain where one is expected, and that those who have our own
 * trust bundle would believe it. Everything that is wrong is told.
 */
export function judgeOwn(
  own: OwnPart,
  trust: TrustStore,
  atMs: number,
  expected: TrustDomain | undefined,
): Result<OwnIdentity, Problems> {
  const spki = createPublicKey(own.privateKey).export({ type: 'spki', format: 'der' });
  const checked = checkOwnIdentity(own.chain, spki, atMs);
  if (!checked.ok) return checked;
  const { spiffeId, trustDomain } = checked.value;
  if (expected !== undefined && trustDomain !== expected)
    return err([`the certificate is for ${spiffeId}, which is not of the trust domain ${expected}`]);
  const key = tlsKeyOf(own);
  if (!key.ok) return err([key.error]);
  const fault = standingFault(own.chain, trust, trustDomain, atMs);
  if (fault === undefined) return checked;
  return err([`the trust bundle of ${trustDomain} does not verify the certificate: ${fault.detail}`]);
}

/** Judges what one place gave as a whole: trust, and a certificate of ours that this trust must verify. */
export function judgeTrustAndOwn(
  { own, bundles, crls }: Pick<IdentityPart, 'bundles' | 'crls'> & { readonly own: OwnPart },
  atMs: number,
  expected: TrustDomain,
): Result<OwnIdentity, Problems> {
  const trust = createTrustStore(bundles, crls);
  if (!trust.ok) return err(trust.error.map(({ subject, detail }) => `${subject}: ${detail}`));
  return judgeOwn(own, trust.value, atMs, expected);
}

/** Why peers with our trust would refuse our certificate, as client or as server; undefined where they would not, or where we have no bundle of our own trust domain. */
export function standingFault(
  chain: readonly Uint8Array[],
  trust: TrustStore,
  trustDomain: TrustDomain,
  atMs: number,
): Fault | undefined {
  if (!trust.anchors.has(trustDomain)) return undefined;
  for (const purpose of ['client', 'server'] as const) {
    const verdict = verifyPeer(chain, trust, atMs, { purpose, requireCrl: false });
    if (verdict.kind === 'rejected') return verdict.fault;
  }
  return undefined;
}
