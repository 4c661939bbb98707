import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

import { bundleFromFiles, readBundle } from '../../core/bundle/bundle.ts';
import { parseExactJson } from '../../core/bundle/exact-json.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../../core/bundle/limits.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { fingerprint } from './fingerprint.ts';
import { createSource } from './follower.ts';
import { listPolicyFolder, readPolicyFolder } from './policy-folder.ts';
import { readBounded } from './read-file.ts';

import type { Bundle } from '../../core/bundle/bundle.ts';
import type { BundleFault } from '../../core/bundle/fault.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { FollowOptions, Source } from './follower.ts';
import type { Problems } from './problem.ts';

/** Files by path below the folder or archive. */
export type PolicyFiles = ReadonlyMap<string, Uint8Array>;

/** What a compiler of Rego gives: JSON texts but for the module. */
export type CompiledPolicy = { readonly policyWasm: Uint8Array; readonly planJson: string; readonly dataJson: string };

/** Compiles Rego and data to a module. Called only where there is no `policy.wasm`, so that a compiler need not be loaded before. */
export type CompileRego = (files: PolicyFiles) => Promise<Result<CompiledPolicy, Problems>>;

/** One revision of a policy as it came from its source, ready to be loaded and probed. */
export type PolicyRevision = {
  readonly wasm: Uint8Array;
  /** The plan that the module was made from; undefined where the bundle has none. */
  readonly plan: unknown;
  /** A JSON object. Numbers beyond a double are in it with all digits: write it with `JSON.stringify` only. */
  readonly data: unknown;
  /** Name (that of the folder or archive) and revision, for records. */
  readonly bundles: Readonly<Record<string, { readonly revision: string }>>;
  /** Protobuf descriptor set that goes with it. */
  readonly descriptors: Uint8Array | undefined;
};

export type PolicyPaths = {
  /** A folder (with `policy.wasm`, or with Rego), or a bundle as `.tar.gz`. Absolute. */
  readonly bundle: string;
  readonly protoDescriptors?: string | undefined;
};

/** What a policy source works with. */
export type PolicySourceDeps<T> = FollowOptions<T> & {
  readonly compile: CompileRego;
  /** Loads, probes and swaps; where it fails, nothing may have changed. */
  readonly activate: (revision: PolicyRevision) => Promise<Result<T, Problems>>;
};

type Content = { readonly bundle: Bundle; readonly descriptors: Uint8Array | undefined };

const MAX_DESCRIPTORS = 16 * 1_024 * 1_024;

/** Creates the source of the policy. `T` is what `activate` makes of a revision. */
export function createPolicySource<T>(paths: PolicyPaths, deps: PolicySourceDeps<T>): Source<T> {
  const extra = paths.protoDescriptors === undefined ? [] : [paths.protoDescriptors];
  let folders: readonly string[] = [];
  const files = async (): Promise<readonly string[]> => {
    const listed = await listPolicyFolder(paths.bundle);
    folders = listed.ok ? listed.value.folders : [];
    return listed.ok ? listed.value.files.map((file) => `${paths.bundle}/${file}`) : [];
  };
  return createSource<Content, T>(
    {
      fingerprint: async () => fingerprint([paths.bundle, ...extra, ...(await files())]),
      folders: () => [...new Set([dirname(paths.bundle), ...extra.map((path) => dirname(path)), ...folders])],
      read: () => readContent(paths),
      digest: ({ bundle, descriptors }) =>
        `${bundle.digest} ${descriptors === undefined ? '' : Buffer.from(descriptors).toString('base64')}`,
      apply: async (content) => {
        const revision = await revisionOf(content, paths, deps.compile);
        return revision.ok ? deps.activate(revision.value) : revision;
      },
    },
    deps,
  );
}

async function readContent(paths: PolicyPaths): Promise<Result<Content, Problems>> {
  const bundle = await readPolicyBundle(paths.bundle);
  if (!bundle.ok) return bundle;
  if (paths.protoDescriptors === undefined) return ok({ bundle: bundle.value, descriptors: undefined });
  const descriptors = await readBounded(paths.protoDescriptors, MAX_DESCRIPTORS);
  return descriptors.ok ? ok({ bundle: bundle.value, descriptors: descriptors.value.bytes }) : err([descriptors.error]);
}

/** Reads a folder or a `.tar.gz` as a bundle. */
export async function readPolicyBundle(path: string): Promise<Result<Bundle, Problems>> {
  let bundle: Result<Bundle, BundleFault>;
  if (await isFolder(path)) {
    const files = await readPolicyFolder(path);
    if (!files.ok) return files;
    bundle = bundleFromFiles(files.value);
  } else {
    const archive = await readBounded(path, DEFAULT_BUNDLE_LIMITS.archiveBytes);
    if (!archive.ok) return err([archive.error]);
    bundle = readBundle(archive.value.bytes);
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

/** The module as delivered, or compiled from the Rego beside it. */
async function revisionOf(
  content: Content,
  paths: PolicyPaths,
  compile: CompileRego,
): Promise<Result<PolicyRevision, Problems>> {
  const { bundle, descriptors } = content;
  const compiled = await compiledPolicy(bundle, paths.bundle, compile);
  if (!compiled.ok) return compiled;
  const { policyWasm, planJson, dataJson } = compiled.value;
  const plan = planJson === undefined ? undefined : parseExactJson(planJson);
  if (planJson !== undefined && plan === undefined) return err([`${paths.bundle}: plan.json: not JSON`]);
  const name = basename(paths.bundle).replace(/\.tar\.gz$/, '');
  return ok({
    wasm: policyWasm,
    plan: plan?.value,
    data: parseExactJson(dataJson)?.value,
    bundles: { [name]: { revision: bundle.revision } },
    descriptors,
  });
}

type Compiled = Omit<CompiledPolicy, 'planJson'> & { readonly planJson: string | undefined };

async function compiledPolicy(bundle: Bundle, path: string, compile: CompileRego): Promise<Result<Compiled, Problems>> {
  const { module, planJson, dataJson } = bundle;
  if (module !== undefined) return ok({ policyWasm: module.bytes, planJson, dataJson });
  if (bundle.rego.size > 0) return compile(bundle.files);
  return err([`${path}: holds neither policy.wasm nor Rego`]);
}
