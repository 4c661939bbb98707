import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

import { bundleFromFiles, readBundle } from '../../core/bundle/bundle.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../../core/bundle/limits.ts';
import { checkSequence, sequenceState } from '../../core/bundle/sequence.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { fingerprint } from './fingerprint.ts';
import { createSource } from './follower.ts';
import { listPolicyFolder, readPolicyFolder } from './policy-folder.ts';
import { revisionOf } from './policy-revision.ts';
import { readBounded } from './read-file.ts';

import type { Bundle } from '../../core/bundle/bundle.ts';
import type { SequenceState } from '../../core/bundle/sequence.ts';
import type { Verification } from '../../core/bundle/verify-signature.ts';
import type { BundleFault } from '../../core/bundle/fault.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { FollowOptions, Source } from './follower.ts';
import type { CompileRego, PolicyRevision } from './policy-revision.ts';
import type { Problems } from './problem.ts';

export type PolicyPaths = {
  /** A folder (with `policy.wasm`, or with Rego), or a bundle as `.tar.gz`. Absolute. */
  readonly bundle: string;
  readonly protoDescriptors?: string | undefined;
  /** The keys that the bundle must be signed with, as they stand now; default: it must not be signed. */
  readonly verification?: (() => Promise<Result<Verification | undefined, Problems>>) | undefined;
};

/** What a policy source works with. */
export type PolicySourceDeps<T> = FollowOptions<T> & {
  readonly compile: CompileRego;
  /** Loads, probes and swaps; where it fails, nothing may have changed. */
  readonly activate: (revision: PolicyRevision) => Promise<Result<T, Problems>>;
  /** What stands for a policy whose folder or file is not there, or whose folder holds nothing of a policy. Without it that is a problem. */
  readonly absent?: (() => T) | undefined;
};

type Content = 'absent' | { readonly bundle: Bundle; readonly descriptors: Uint8Array | undefined };

const MAX_DESCRIPTORS = 16 * 1_024 * 1_024;

/** Creates the source of the policy. `T` is what `activate` makes of a revision. */
export function createPolicySource<T>(paths: PolicyPaths, deps: PolicySourceDeps<T>): Source<T> {
  const extra = paths.protoDescriptors === undefined ? [] : [paths.protoDescriptors];
  let folders: readonly string[] = [];
  /** Of the bundle in force. A restart forgets it: whoever may restart us may choose our files. */
  let newest: SequenceState | undefined;
  const files = async (): Promise<readonly string[]> => {
    const listed = await listPolicyFolder(paths.bundle);
    folders = listed.ok ? listed.value.folders : [];
    return listed.ok ? listed.value.files.map((file) => `${paths.bundle}/${file}`) : [];
  };
  return createSource<Content, T>(
    {
      fingerprint: async () => fingerprint([paths.bundle, ...extra, ...(await files())]),
      folders: () => [...new Set([dirname(paths.bundle), ...extra.map((path) => dirname(path)), ...folders])],
      read: async () => {
        const mayBeAbsent = deps.absent !== undefined;
        return mayBeAbsent && (await isAbsent(paths.bundle)) ? ok('absent') : readContent(paths);
      },
      digest: digestOf,
      apply: async (content) => {
        if (content === 'absent') {
          newest = undefined;
          return deps.absent === undefined ? err([`${paths.bundle}: is not there`]) : ok(deps.absent());
        }
        const { bundle, descriptors } = content;
        const sequence = sequenceState(bundle);
        const inOrder = checkSequence(newest, sequence);
        if (!inOrder.ok) return err([`${paths.bundle}: ${inOrder.error.code}: ${inOrder.error.detail}`]);
        const name = basename(paths.bundle).replace(/\.tar\.gz$/, '');
        const revision = await revisionOf({ bundle, descriptors, name, where: paths.bundle }, deps.compile);
        const activated = revision.ok ? await deps.activate(revision.value) : revision;
        if (activated.ok) newest = sequence;
        return activated;
      },
    },
    deps,
  );
}

function digestOf(content: Content): string {
  if (content === 'absent') return content;
  const { bundle, descriptors } = content;
  return `${bundle.digest} ${descriptors === undefined ? '' : Buffer.from(descriptors).toString('base64')}`;
}

/** True for nothing at all, and for a folder without a file of a policy, which is what Kubernetes mounts for an optional ConfigMap that is not there. */
async function isAbsent(path: string): Promise<boolean> {
  try {
    if (!(await stat(path)).isDirectory()) return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
  const listed = await listPolicyFolder(path);
  return listed.ok && listed.value.files.length === 0;
}

async function readContent(paths: PolicyPaths): Promise<Result<Content, Problems>> {
  const verification = (await paths.verification?.()) ?? ok(undefined);
  if (!verification.ok) return verification;
  const bundle = await readPolicyBundle(paths.bundle, verification.value);
  if (!bundle.ok) return bundle;
  if (paths.protoDescriptors === undefined) return ok({ bundle: bundle.value, descriptors: undefined });
  const descriptors = await readBounded(paths.protoDescriptors, MAX_DESCRIPTORS);
  return descriptors.ok ? ok({ bundle: bundle.value, descriptors: descriptors.value.bytes }) : err([descriptors.error]);
}

/** Reads a folder or a `.tar.gz` as a bundle; signed, where there are keys. */
export async function readPolicyBundle(path: string, verification?: Verification): Promise<Result<Bundle, Problems>> {
  let bundle: Result<Bundle, BundleFault>;
  if (await isFolder(path)) {
    const files = await readPolicyFolder(path);
    if (!files.ok) return files;
    bundle = bundleFromFiles(files.value, { verification });
  } else {
    const archive = await readBounded(path, DEFAULT_BUNDLE_LIMITS.archiveBytes);
    if (!archive.ok) return err([archive.error]);
    bundle = readBundle(archive.value.bytes, { verification });
  }
  return bundle.ok ? bundle : err([`${path}: ${bundle.error.code}: ${bundle.error.detail}`]);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
