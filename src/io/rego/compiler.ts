import { err, ok } from '../../core/kernel/result.ts';

import { ask } from './ask.ts';
import { createCompilerWorker, defaultLimits } from './compiler-worker.ts';
import { entrypointExists, unknownEntrypoint } from './entrypoints.ts';
import { refusedBuiltins } from './refused-builtins.ts';
import { buildFiles } from './source-files.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { CompilerLimits, CompilerWorker, CompilerWorkerDeps } from './compiler-worker.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { ModuleFacts } from './entrypoints.ts';
import type { SourceFiles } from './source-files.ts';

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

/** OPA's own compiler, in a worker (a process, or a thread of this one) that the first call starts. */
export interface RegoCompiler {
  /** Compiles Rego to WebAssembly and to a plan. The diagnostics are all of the first stage that finds something. */
  build(request: BuildRequest): Promise<Result<Build, readonly Diagnostic[]>>;
  /** Ends the worker. Calls under way answer with `rego_compiler_stopped`, as do later ones. */
  stop(): Promise<void>;
}

/** Bounds and, for tests, the parts to run with. */
export interface RegoCompilerDeps extends CompilerWorkerDeps {
  readonly limits?: Partial<CompilerLimits>;
}

/** Makes a compiler; it costs nothing until it is used. Builds of one compiler run one after another. */
export function createRegoCompiler(deps: RegoCompilerDeps = {}): RegoCompiler {
  const worker = createCompilerWorker({ ...defaultLimits, ...deps.limits }, deps);
  return { build: (request) => build(worker, request), stop: () => worker.stop() };
}

async function build(worker: CompilerWorker, request: BuildRequest): Promise<Result<Build, readonly Diagnostic[]>> {
  const source = {
    files: buildFiles(request.files),
    regoVersion: request.regoVersion ?? 1,
    capabilities: request.capabilities,
    refusedBuiltins: Object.keys(refusedBuiltins),
  };
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
  source: object,
): Promise<Result<readonly string[], readonly Diagnostic[]>> {
  if (request.entrypoints.includes('')) return err([{ code: 'rego_request_error', message: EMPTY_ENTRYPOINT }]);
  const optional = request.optionalEntrypoints ?? [];
  if (optional.length === 0) return ok(request.entrypoints);
  const modules = await ask<readonly ModuleFacts[]>(worker, 'modules', source, request.files);
  if (!modules.ok) return modules;
  return ok([...request.entrypoints, ...optional.filter((name) => entrypointExists(name, modules.value))]);
}

const EMPTY_ENTRYPOINT = 'an entrypoint is empty; name a rule, such as example/allow';

/** An error without a file may be about entrypoints, which OPA reports one by one, without a place. */
async function explain(
  worker: CompilerWorker,
  request: BuildRequest,
  source: object,
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
