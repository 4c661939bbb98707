import { createHash } from 'node:crypto';

import { hex } from '../kernel/uuid.ts';
import { ok } from '../kernel/result.ts';
import { mergeData } from './data.ts';
import { refuse } from './fault.ts';
import { gunzip } from './gzip.ts';
import { DEFAULT_BUNDLE_LIMITS } from './limits.ts';
import { NO_MANIFEST, readManifest } from './manifest.ts';
import { memberName, utf8 } from './member-name.ts';
import { readTar } from './tar-reader.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { BundleLimits } from './limits.ts';
import type { Manifest } from './manifest.ts';
import type { Files } from './tar-reader.ts';

/** A module of compiled policy and the entrypoints that the manifest gives to it (empty without a manifest: ask the module). */
export type BundleModule = {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly entrypoints: readonly string[];
};

/** A checked bundle. Bytes are views into what was read: do not change it. */
export type Bundle = {
  /** The manifest's revision, or the digest where it has none. */
  readonly revision: string;
  /** `sha256:` and 64 hexadecimal digits over names and content of all files, whatever the archive looked like. */
  readonly digest: string;
  readonly manifest: Manifest;
  readonly module: BundleModule | undefined;
  /** `plan.json` as it stands: the plan that the module was made from, in OPA's intermediate representation. */
  readonly planJson: string | undefined;
  /** JSON text of the merged data, `{}` without any. Numbers that a double cannot hold are there with all their digits. */
  readonly dataJson: string;
  /** `.rego` files by path. */
  readonly rego: Files;
  /** Everything that was in it, for a compiler. */
  readonly files: Files;
};

const SIGNATURES = '.signatures.json';
const PATCH = 'patch.json';
const MANIFEST = '.manifest';
const PLAN = 'plan.json';
const MODULE = 'policy.wasm';

/** Reads a `.tar.gz` (OPA documentation, "Bundle File Format"). Never throws. */
export function readBundle(
  archive: Uint8Array,
  limits: BundleLimits = DEFAULT_BUNDLE_LIMITS,
): Result<Bundle, BundleFault> {
  if (archive.length > limits.archiveBytes) return refuse('too_large', `more than ${limits.archiveBytes} bytes`);
  const tar = gunzip(archive, limits.totalBytes);
  if (!tar.ok) return tar;
  const files = readTar(tar.value, limits);
  return files.ok ? assemble(files.value) : files;
}

/** Makes a bundle of files that were read one by one, paths relative to the folder, separated by `/`. The same checks and bounds. */
export function bundleFromFiles(
  files: Files,
  limits: BundleLimits = DEFAULT_BUNDLE_LIMITS,
): Result<Bundle, BundleFault> {
  if (files.size > limits.members) return refuse('too_large', `more than ${limits.members} files`);
  let total = 0;
  for (const [path, bytes] of files) {
    total += bytes.length;
    if (memberName(path) !== path) return refuse('name_refused', JSON.stringify(path));
    if (bytes.length > limits.memberBytes)
      return refuse('too_large', `${path} is larger than ${limits.memberBytes} bytes`);
  }
  if (total > limits.totalBytes) return refuse('too_large', `more than ${limits.totalBytes} bytes in all`);
  return assemble(files);
}

function assemble(files: Files): Result<Bundle, BundleFault> {
  if (files.has(SIGNATURES)) {
    return refuse('signature_unverifiable', 'the bundle is signed, and no key to verify it with is configured');
  }
  if (files.has(PATCH))
    return refuse('delta_unsupported', 'a delta bundle changes an earlier one; only whole bundles are read');
  const manifest = manifestOf(files);
  if (!manifest.ok) return manifest;
  const module = moduleOf(files, manifest.value);
  if (!module.ok) return module;
  const plan = files.get(PLAN);
  const planJson = plan === undefined ? undefined : utf8(plan);
  if (plan !== undefined && planJson === undefined) return refuse('data_invalid', `${PLAN}: not UTF-8`);
  const dataJson = mergeData(files, manifest.value.roots);
  if (!dataJson.ok) return dataJson;
  const digest = digestOf(files);
  return ok({
    revision: manifest.value.revision || digest,
    digest,
    manifest: manifest.value,
    module: module.value,
    planJson,
    dataJson: dataJson.value,
    rego: new Map([...files].filter(([path]) => path.endsWith('.rego'))),
    files,
  });
}

function manifestOf(files: Files): Result<Manifest, BundleFault> {
  const bytes = files.get(MANIFEST);
  if (bytes === undefined) return ok(NO_MANIFEST);
  const text = utf8(bytes);
  return text === undefined ? refuse('manifest_invalid', 'not UTF-8') : readManifest(text);
}

/** At most one module, and the manifest must not name another. */
function moduleOf(files: Files, manifest: Manifest): Result<BundleModule | undefined, BundleFault> {
  const [first, second] = [...files.keys()].filter((path) => path.endsWith('.wasm'));
  if (second !== undefined) return refuse('module_refused', `two modules, ${first} and ${second}; one is read`);
  if (first !== undefined && first !== MODULE)
    return refuse('module_refused', `the module is ${first}; ${MODULE} is read`);
  const missing = manifest.wasm.find((resolver) => resolver.module !== first);
  if (missing !== undefined)
    return refuse('module_refused', `the manifest names the module ${missing.module}, which is not there`);
  const bytes = first === undefined ? undefined : files.get(first);
  if (bytes === undefined) return ok(undefined);
  return ok({ path: MODULE, bytes, entrypoints: manifest.wasm.map((resolver) => resolver.entrypoint) });
}

/** Names and content, each with its length, in the order of the names: the same for a folder and an archive of it. */
function digestOf(files: Files): string {
  const hash = createHash('sha256');
  for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = new TextEncoder().encode(path);
    hash.update(`${name.length}:${bytes.length}:`).update(name).update(bytes);
  }
  return `sha256:${hex(hash.digest())}`;
}
