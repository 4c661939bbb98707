import { dirname } from 'node:path';

import { checkOwnIdentity } from '../../core/identity/own-identity.ts';
import { createTrustStore } from '../../core/identity/trust-store.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { fingerprint } from './fingerprint.ts';
import { createSource } from './follower.ts';
import { identityDigest, identityParts, identityWarnings, pathsOf, readIdentityFiles } from './identity-files.ts';
import { openPemKey } from './identity-key.ts';
import { createSnapshot } from './identity-snapshot.ts';
import { keepLists } from './kept-lists.ts';

import type { OwnIdentity } from '../../core/identity/own-identity.ts';
import type { TrustStore } from '../../core/identity/trust-store.ts';
import type { Clock } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { FollowOptions, Source } from './follower.ts';
import type { IdentityContent, IdentityParts, IdentityPaths, SomePaths } from './identity-files.ts';
import type { IdentityPart, OpenKey } from './identity-part.ts';
import type { IdentitySnapshot } from './identity-snapshot.ts';
import type { Problems } from './problem.ts';

export type { IdentitySnapshot } from './identity-snapshot.ts';

/** `openKey`: how private keys are opened; default: plain PEM only. */
type FilesDeps = { readonly clock: Clock; readonly openKey?: OpenKey | undefined };

/** Creates the source of an identity that is files alone. Failed content is tried again at every look: what is not yet valid may become so. */
export function createIdentitySource(
  paths: IdentityPaths,
  deps: FilesDeps & FollowOptions<IdentitySnapshot>,
): Source<IdentitySnapshot> {
  return followFiles(paths, deps, (judged) => snapshotOf(judged, paths));
}

/**
 * Creates the part of an identity that stands in files: our certificate and key, trust bundles and revocation lists, or trust alone. All of it is
 * judged and followed as by `createIdentitySource`.
 */
export function createFilesPart(paths: SomePaths, deps: FilesDeps & FollowOptions<IdentityPart>): Source<IdentityPart> {
  return followFiles(paths, deps, ({ parts: { own, bundles, crls }, warnings }) =>
    ok(Object.freeze({ own, bundles, crls, warnings })),
  );
}

/** Files that were taken apart, and what was found to be in order. */
type Judged = {
  readonly parts: IdentityParts;
  readonly own: OwnIdentity | undefined;
  readonly trust: TrustStore;
  readonly warnings: readonly string[];
};

function followFiles<T>(
  paths: SomePaths,
  deps: FilesDeps & FollowOptions<T>,
  make: (judged: Judged) => Result<T, Problems>,
): Source<T> {
  const all = pathsOf(paths);
  let before: TrustStore | undefined;
  let held: readonly Uint8Array[] = [];
  return createSource<IdentityContent, T>(
    {
      fingerprint: () => fingerprint(all),
      folders: () => [...new Set(all.map((path) => dirname(path)))],
      read: () => readIdentityFiles(paths),
      digest: identityDigest,
      apply: async (content) => {
        const parts = await identityParts(content, paths, deps.openKey ?? openPemKey);
        if (!parts.ok) return parts;
        const { crls, warnings } = keepLists(held, parts.value.crls, deps.clock.wallMs());
        const judged = judge({ ...parts.value, crls }, paths, deps.clock.wallMs(), before);
        if (!judged.ok) return judged;
        before = judged.value.trust;
        held = crls;
        return make({ ...judged.value, warnings: [...identityWarnings(content, paths), ...warnings] });
      },
    },
    { retry: true, ...deps },
  );
}

function judge(
  parts: IdentityParts,
  { certificate = '' }: SomePaths,
  atMs: number,
  before: TrustStore | undefined,
): Result<Omit<Judged, 'warnings'>, Problems> {
  const own = parts.own && checkOwnIdentity(parts.own.chain, parts.own.publicKeySpki, atMs);
  const trust = createTrustStore(parts.bundles, parts.crls, before);
  const problems = [
    ...(own === undefined || own.ok ? [] : own.error.map((detail) => `${certificate}: ${detail}`)),
    ...(trust.ok ? [] : trust.error.map(({ subject, detail }) => `${subject}: ${detail}`)),
  ];
  if (own?.ok === false || !trust.ok) return err(problems);
  return ok({ parts, own: own?.value, trust: trust.value });
}

function snapshotOf({ parts, own, trust, warnings }: Judged, paths: IdentityPaths): Result<IdentitySnapshot, Problems> {
  if (parts.own === undefined || own === undefined) return err([`${paths.certificate}: there is no certificate`]);
  const { bundles } = parts;
  const snapshot = createSnapshot({ own, part: parts.own, trust, bundles, warnings, chosenLists: true });
  return snapshot.ok ? snapshot : err([`${paths.privateKey}: ${snapshot.error}`]);
}
