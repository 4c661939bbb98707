import { dirname } from 'node:path';

import { checkOwnIdentity } from '../../core/identity/own-identity.ts';
import { encodePem } from '../../core/identity/pem.ts';
import { createTrustStore } from '../../core/identity/trust-store.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { fingerprint } from './fingerprint.ts';
import { createSource } from './follower.ts';
import { identityDigest, identityParts, identityWarnings, pathsOf, readIdentityFiles } from './identity-files.ts';

import type { OwnIdentity } from '../../core/identity/own-identity.ts';
import type { TrustStore } from '../../core/identity/trust-store.ts';
import type { Clock } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { FollowOptions, Source } from './follower.ts';
import type { IdentityContent, IdentityParts, IdentityPaths } from './identity-files.ts';
import type { Problems } from './problem.ts';

/** Who we are and whom we believe, checked as one: key fits certificate, certificate keeps the X509-SVID rules, bundles and lists are sound. */
export type IdentitySnapshot = {
  readonly own: OwnIdentity;
  readonly trust: TrustStore;
  /** Our chain as PEM, leaf first, and its key, for the TLS library. Never to be logged. */
  readonly certificateChain: string;
  readonly privateKey: string;
  /** The certificates of all trust bundles as PEM, for the TLS library. */
  readonly trustAnchors: readonly string[];
  /** What an operator should mend although nothing is refused for it. */
  readonly warnings: readonly string[];
};

/** Creates the source of identity from files. Failed content is tried again at every look: what is not yet valid may become so. */
export function createIdentitySource(
  paths: IdentityPaths,
  deps: { readonly clock: Clock } & FollowOptions<IdentitySnapshot>,
): Source<IdentitySnapshot> {
  const all = pathsOf(paths);
  return createSource<IdentityContent, IdentitySnapshot>(
    {
      fingerprint: () => fingerprint(all),
      folders: () => [...new Set(all.map((path) => dirname(path)))],
      read: () => readIdentityFiles(paths),
      digest: identityDigest,
      apply: (content) => Promise.resolve(judge(content, paths, deps.clock.wallMs())),
    },
    { retry: true, ...deps },
  );
}

function judge(content: IdentityContent, paths: IdentityPaths, atMs: number): Result<IdentitySnapshot, Problems> {
  const parts = identityParts(content, paths);
  if (!parts.ok) return parts;
  const own = checkOwnIdentity(parts.value.chain, parts.value.publicKeySpki, atMs);
  const trust = createTrustStore(parts.value.bundles, parts.value.crls);
  const problems = [
    ...(own.ok ? [] : own.error.map((detail) => `${paths.certificate}: ${detail}`)),
    ...(trust.ok ? [] : trust.error.map(({ subject, detail }) => `${subject}: ${detail}`)),
  ];
  if (!own.ok || !trust.ok) return err(problems);
  return ok(
    Object.freeze({
      own: own.value,
      trust: trust.value,
      ...pemOf(parts.value),
      warnings: [...identityWarnings(content, paths), ...listWarnings(trust.value)],
    }),
  );
}

/** A list of an issuer in no trust bundle may be that of an intermediate; more often it is a mistake, and revokes nobody. */
function listWarnings({ crls }: TrustStore): readonly string[] {
  const foreign = crls.filter(({ anchored }) => !anchored);
  return foreign.map(
    ({ issuer }) => `the revocation list of ${issuer} counts for intermediates only: no trust bundle has this issuer`,
  );
}

function pemOf(parts: IdentityParts): Pick<IdentitySnapshot, 'certificateChain' | 'privateKey' | 'trustAnchors'> {
  return {
    certificateChain: parts.chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
    privateKey: parts.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    trustAnchors: [...parts.bundles.values()].flat().map((der) => encodePem('CERTIFICATE', der)),
  };
}
