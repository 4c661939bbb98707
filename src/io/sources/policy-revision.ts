import { baseName, DATA, DATA_FILE, MANIFEST } from '../../core/bundle/bundle-files.ts';
import { canonicalJson } from '../../core/bundle/canonical-json.ts';
import { parseExactJson } from '../../core/bundle/exact-json.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { Bundle } from '../../core/bundle/bundle.ts';
import type { Result } from '../../core/kernel/result.ts';
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
  /** Rego that came with it, by path: for people. */
  readonly rego: PolicyFiles;
  /** Protobuf descriptor set that goes with it. */
  readonly descriptors: Uint8Array | undefined;
};

/** A bundle and what goes with it. `name`: of the bundle, for records; `where`: it came from, for people. */
export type RevisionParts = {
  readonly bundle: Bundle;
  readonly descriptors: Uint8Array | undefined;
  readonly name: string;
  readonly where: string;
};

/** The module as delivered, or compiled from the Rego beside it. */
export async function revisionOf(
  { bundle, descriptors, name, where }: RevisionParts,
  compile: CompileRego,
): Promise<Result<PolicyRevision, Problems>> {
  const compiled = await compiledPolicy(bundle, where, compile);
  if (!compiled.ok) return compiled;
  const { policyWasm, planJson, dataJson } = compiled.value;
  const plan = planJson === undefined ? undefined : parseExactJson(planJson);
  if (planJson !== undefined && plan === undefined) return err([`${where}: plan.json: not JSON`]);
  return ok({
    wasm: policyWasm,
    plan: plan?.value,
    data: parseExactJson(dataJson)?.value,
    bundles: { [name]: { revision: bundle.revision } },
    rego: bundle.rego,
    descriptors,
  });
}

type Compiled = Omit<CompiledPolicy, 'planJson'> & { readonly planJson: string | undefined };

async function compiledPolicy(bundle: Bundle, path: string, compile: CompileRego): Promise<Result<Compiled, Problems>> {
  const { module, planJson, dataJson } = bundle;
  if (module !== undefined) return ok({ policyWasm: module.bytes, planJson, dataJson });
  if (bundle.rego.size > 0) return compile(asRead(bundle));
  return err([`${path}: holds neither policy.wasm nor Rego`]);
}

/**
 * The files with data and manifest as we read and verified them: the data in one `data.json`, the manifest without keys that stand twice. A signature covers what
 * these say, not their bytes, and the compiler reads YAML and equal keys in its own way: it must not get to see what we did not.
 */
function asRead({ files, dataJson }: Bundle): PolicyFiles {
  const told = [...files]
    .filter(([path]) => !DATA_FILE.test(path))
    .map(([path, bytes]) => [path, baseName(path) === MANIFEST ? canonicalManifest(bytes) : bytes] as const);
  return new Map([...told, [DATA, new TextEncoder().encode(dataJson)]]);
}

function canonicalManifest(bytes: Uint8Array): Uint8Array {
  const json = canonicalJson(new TextDecoder().decode(bytes));
  return json.ok ? new TextEncoder().encode(json.value) : bytes;
}
