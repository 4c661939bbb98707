import { err, ok } from '../../core/kernel/result.ts';

import { ask } from './ask.ts';
import { EMPTY_ENTRYPOINT, entrypointExists, unknownEntrypoint } from './entrypoints.ts';
import { builtSource, testedSource } from './source.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { CompilerWorker } from './compiler-worker.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { ModuleFacts } from './entrypoints.ts';
import type { SourceFiles } from './source-files.ts';
import type { Source } from './source.ts';

/** What is to be compiled. */
export interface BuildRequest {
  /** The folder, in OPA's bundle layout: `.rego` files, `data.json`, `data.yaml`, `.manifest`. Others are ignored. */
  readonly files: SourceFiles;
  /** Rules or packages to be asked for, as `package/rule`; each must exist. Annotated entrypoints are added to them. */
  readonly entrypoints: readonly string[];
  /** Entrypoints that are added only if the files define them, such as `system/log/mask`. */
  readonly optionalEntrypoints?: readonly string[];
  /** Version of the language, unless the manifest says otherwise. Default 1. */
  readonly regoVersion?: 0 | 1;
  /** Revision for the manifest; without it the manifest's own stays. */
  readonly revision?: string;
  /**
   * `_test.rego` files are compiled in too, so that test rules can be entrypoints. Built-ins that a build refuses are then known,
   * because tests may replace them. Default false.
   */
  readonly tests?: boolean;
  /** Instead of OPA's own for its version: an OPA capabilities document. Refused built-ins are taken out of it too. */
  readonly capabilities?: unknown;
}

/** A compiled policy: the files of a bundle, as OPA writes them. All but the module are JSON texts. */
export interface Build {
  readonly policyWasm: Uint8Array<ArrayBuffer>;
  /** The plan that the module was made from, in OPA's IR. */
  readonly planJson: string;
  /** The data documents of the folder, merged. Numbers are as written: beyond 2^53 only the text has them exactly. */
  readonly dataJson: string;
  readonly manifestJson: string;
  /** The module's entrypoints: those asked for and those annotated, in the order of their ids. */
  readonly entrypoints: readonly string[];
}

/** Compiles Rego to WebAssembly and to a plan, as `opa build --bundle --prune-unused` does. */
export async function build(
  worker: CompilerWorker,
  request: BuildRequest,
): Promise<Result<Build, readonly Diagnostic[]>> {
  const source = request.tests === true ? testedSource(request) : builtSource(request);
  const entrypoints = await chooseEntrypoints(worker, request, source);
  if (!entrypoints.ok) return entrypoints;
  const args = { ...source, entrypoints: entrypoints.value, revision: request.revision };
  const built = await ask<RawBuild>(worker, 'build', args, request.files);
  if (built.ok) return ok(fromRaw(built.value));
  return err(await explain(worker, request, source, built.error));
}

/** The entrypoints asked for and those optional ones that exist. */
async function chooseEntrypoints(
  worker: CompilerWorker,
  request: BuildRequest,
  source: Source,
): Promise<Result<readonly string[], readonly Diagnostic[]>> {
  if (request.entrypoints.includes('')) return err([{ code: 'rego_request_error', message: EMPTY_ENTRYPOINT }]);
  const optional = request.optionalEntrypoints ?? [];
  if (optional.length === 0) return ok(request.entrypoints);
  const modules = await ask<readonly ModuleFacts[]>(worker, 'modules', source, request.files);
  if (!modules.ok) return modules;
  return ok([...request.entrypoints, ...optional.filter((name) => entrypointExists(name, modules.value))]);
}

/** An error without a file may be about entrypoints, which OPA reports one by one, without a place. */
async function explain(
  worker: CompilerWorker,
  request: BuildRequest,
  source: Source,
  errors: readonly Diagnostic[],
): Promise<readonly Diagnostic[]> {
  if (errors.some((error) => error.code !== 'rego_build_error' || error.file !== undefined)) return errors;
  const modules = await ask<readonly ModuleFacts[]>(worker, 'modules', source, request.files);
  if (!modules.ok) return errors;
  const unknown = request.entrypoints.filter((name) => !entrypointExists(name, modules.value));
  if (unknown.length === 0) return errors;
  return unknown.map((name) => unknownEntrypoint(name, modules.value, request.files));
}

interface RawBuild {
  readonly policyWasm: string;
  readonly plan: string;
  readonly data: string;
  readonly manifest: string;
}

function fromRaw(raw: RawBuild): Build {
  const manifest = JSON.parse(raw.manifest) as { readonly wasm?: readonly { readonly entrypoint: string }[] };
  return {
    policyWasm: Uint8Array.fromBase64(raw.policyWasm),
    planJson: raw.plan,
    dataJson: raw.data,
    manifestJson: raw.manifest,
    entrypoints: (manifest.wasm ?? []).map((resolver) => resolver.entrypoint),
  };
}
