import { createHash } from 'node:crypto';

import { parseCertificate } from '../../core/identity/certificate.ts';
import { formatName } from '../../core/identity/distinguished-name.ts';
import { encodePem } from '../../core/identity/pem.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { OwnIdentity } from '../../core/identity/own-identity.ts';
import type { TrustStore } from '../../core/identity/trust-store.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { OwnPart } from './identity-part.ts';

/** Who we are and whom we believe, checked as one: key fits certificate, certificate keeps the X509-SVID rules, bundles and lists are sound. */
export type IdentitySnapshot = {
  readonly own: OwnIdentity;
  readonly trust: TrustStore;
  /** Changes whenever our certificate, its key or anything of trust does; nothing else changes it. */
  readonly revision: string;
  /** Our chain, DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** Our chain as PEM, leaf first, and its key, for the TLS library. Never to be logged. The key of a token is its URI as PEM, not the key itself. */
  readonly certificateChain: string;
  readonly privateKey: string;
  /** The certificates of all trust bundles as PEM, for the TLS library. */
  readonly trustAnchors: readonly string[];
  /** What an operator should mend although nothing is refused for it. */
  readonly warnings: readonly string[];
};

/** What a snapshot is made of: each part of it judged before. */
export type SnapshotContent = {
  readonly own: OwnIdentity;
  readonly part: OwnPart;
  readonly trust: TrustStore;
  /** What `trust` was made of. */
  readonly bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>;
  readonly warnings: readonly string[];
  /** Every list was chosen by an operator; what an authority sends may well be of issuers that are only in chains of peers. */
  readonly chosenLists: boolean;
};

/** Makes a snapshot; fails where the TLS library could not be given the key (`tlsKeyOf`). */
export function createSnapshot({
  own,
  part,
  trust,
  bundles,
  warnings,
  chosenLists,
}: SnapshotContent): Result<IdentitySnapshot, string> {
  const privateKey = tlsKeyOf(part);
  if (!privateKey.ok) return privateKey;
  return ok(
    Object.freeze({
      own,
      trust,
      revision: revisionOf(part.chain, trust),
      chain: part.chain,
      certificateChain: part.chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
      privateKey: privateKey.value,
      trustAnchors: [...bundles.values()].flat().map((der) => encodePem('CERTIFICATE', der)),
      warnings: [...warnings, ...(chosenLists ? listWarnings(trust, part.chain) : [])],
    }),
  );
}

/** The key as Node's TLS takes it, which is PEM only: a KeyObject it refuses. Secret. */
export function tlsKeyOf({ privateKey, tlsKey }: OwnPart): Result<string, string> {
  if (tlsKey !== undefined) return ok(tlsKey);
  try {
    return ok(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  } catch {
    return err('the private key cannot be exported, and nothing names it to the TLS library');
  }
}

/** The key is the one of the leaf, so the chain stands for both. */
function revisionOf(chain: readonly Uint8Array[], trust: TrustStore): string {
  const hash = createHash('sha256').update(trust.revision);
  for (const der of chain) hash.update(`\n${der.length}\n`).update(der);
  return hash.digest('hex');
}

/** A list of an issuer in no trust bundle, and not above ourselves, may be that of an intermediate; more often it is a mistake, and revokes nobody. */
function listWarnings({ crls }: TrustStore, chain: readonly Uint8Array[]): readonly string[] {
  const above = chain.slice(1).flatMap((der) => {
    const certificate = parseCertificate(der);
    return certificate.ok ? [formatName(certificate.value.subject)] : [];
  });
  const foreign = crls.filter(({ anchored, issuer }) => !anchored && !above.includes(issuer));
  return foreign.map(
    ({ issuer }) => `the revocation list of ${issuer} counts for intermediates only: no trust bundle has this issuer`,
  );
}
