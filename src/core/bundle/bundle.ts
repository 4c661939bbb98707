import { ok } from '../kernel/result.ts';
import { baseName, MANIFEST, MODULE, PATCH } from './bundle-files.ts';
import { mergeData } from './data.ts';
import { digestOf } from './digest.ts';
import { refuse, show } from './fault.ts';
import { NO_MANIFEST, readManifest } from './manifest.ts';
import { utf8 } from './member-name.ts';
import { tiedPlan } from './tie.ts';
import { checkFiles, unpack } from './verified-files.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { Manifest } from './manifest.ts';
import type { ReadOptions } from './read-options.ts';
import type { Files } from './tar-reader.ts';
import type { VerifiedFiles } from './verified-files.ts';
import type { Signer } from './verify-signature.ts';

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
  /** `plan.json` as it stands, in OPA's intermediate representation: only where the manifest ties it to the module. */
  readonly planJson: string | undefined;
  /** JSON text of the merged data, `{}` without any. Numbers that a double cannot hold are there with all their digits. */
  readonly dataJson: string;
  /** `metadata.sallyport.sequence`: see `checkSequence`. */
  readonly sequence: number | undefined;
  /** `metadata.sallyport.budget`: steps that an evaluation is meant to stay under. */
  readonly budget: number | undefined;
  /** Who signed it; undefined where no verification was asked for. */
  readonly signer: Signer | undefined;
  /** `.rego` files by path. */
  readonly rego: Files;
  /** Everything that was in it, for a compiler. */
  readonly files: Files;
};

/**
 * Reads a whole bundle from a `.tar.gz` (OPA documentation, "Bundle File Format"). The signature is verified before any content is looked at.
 * Never throws. A delta bundle is refused (`delta_unexpected`): `readUpdate` takes both.
 */
export function readBundle(archive: Uint8Array, options: ReadOptions = {}): Result<Bundle, BundleFault> {
  const unpacked = unpack(archive, options);
  return unpacked.ok ? assemble(unpacked.value) : unpacked;
}

/** Makes a bundle of files that were read one by one, paths relative to the folder, separated by `/`. The same checks and bounds. */
export function bundleFromFiles(files: Files, options: ReadOptions = {}): Result<Bundle, BundleFault> {
  const checked = checkFiles(files, options);
  return checked.ok ? assemble(checked.value) : checked;
}

/** Makes a whole bundle of verified files. */
export function assemble({ files, signer }: VerifiedFiles): Result<Bundle, BundleFault> {
  const patch = [...files.keys()].find((path) => baseName(path) === PATCH);
  if (patch !== undefined) return refuse('delta_unexpected', deltaFound(patch));
  const manifest = manifestOf(files);
  if (!manifest.ok) return manifest;
  const module = moduleOf(files, manifest.value);
  if (!module.ok) return module;
  const { sallyport, revision, roots } = manifest.value;
  const planJson = tiedPlan(files, sallyport);
  if (!planJson.ok) return planJson;
  const dataJson = mergeData(files, roots);
  if (!dataJson.ok) return dataJson;
  const digest = digestOf(files);
  return ok({
    revision: revision || digest,
    digest,
    manifest: manifest.value,
    module: module.value,
    planJson: planJson.value,
    dataJson: dataJson.value,
    sequence: sallyport.sequence,
    budget: sallyport.budget,
    signer,
    rego: new Map([...files].filter(([path]) => path.endsWith('.rego'))),
    files,
  });
}

/** `.manifest`, or what its absence means. */
export function manifestOf(files: Files): Result<Manifest, BundleFault> {
  const bytes = files.get(MANIFEST);
  if (bytes === undefined) return ok(NO_MANIFEST);
  const text = utf8(bytes);
  return text === undefined
    ? refuse('manifest_invalid', `${MANIFEST}: not UTF-8; save it as UTF-8`)
    : readManifest(text);
}

/** OPA takes a file of this name for a delta wherever it stands. */
function deltaFound(path: string): string {
  return path === PATCH
    ? `${PATCH} makes this a delta bundle, which changes one that is in force; a whole bundle is needed here`
    : `${show(path)}: OPA would read this bundle as a delta because of the name; rename the file`;
}

/** At most one module, and the manifest must not name another. */
function moduleOf(files: Files, manifest: Manifest): Result<BundleModule | undefined, BundleFault> {
  const [first, second] = [...files.keys()].filter((path) => path.endsWith('.wasm'));
  if (second !== undefined)
    return refuse('module_refused', `two modules, ${show(first ?? '')} and ${show(second)}; leave one, as ${MODULE}`);
  if (first !== undefined && first !== MODULE)
    return refuse('module_refused', `the module is ${show(first)}; only ${MODULE} at the top is read: move it there`);
  const missing = manifest.wasm.find((resolver) => resolver.module !== first);
  if (missing !== undefined)
    return refuse(
      'module_refused',
      `the manifest names the module ${show(missing.module)}, which is not there; add it, or take it out of wasm in .manifest`,
    );
  const bytes = first === undefined ? undefined : files.get(first);
  if (bytes === undefined) return ok(undefined);
  return ok({ path: MODULE, bytes, entrypoints: manifest.wasm.map((resolver) => resolver.entrypoint) });
}
