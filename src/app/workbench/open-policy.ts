import { MODULE, PLAN } from '../../core/bundle/bundle-files.ts';
import { bundleFromFiles } from '../../core/bundle/bundle.ts';
import { parseExactJson } from '../../core/bundle/exact-json.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { loadPolicy } from '../../core/policy/host.ts';
import { describeLoadProblem } from '../../core/policy/load-problem.ts';
import { openProfile } from '../../core/policy/policy-profile.ts';
import { policyReads } from '../../core/policy/policy-reads.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { LoadedPolicy, PolicyOptions } from '../../core/policy/host.ts';
import type { LoadProblem } from '../../core/policy/load-problem.ts';
import type { PolicyProfile } from '../../core/policy/policy-profile.ts';
import type { RegoCompiler } from '../../io/rego/compiler.ts';
import type { Diagnostic } from '../../io/rego/diagnostic.ts';
import type { SourceFiles } from '../../io/rego/source-files.ts';

/** A policy opened for looking at: as sidecars run it, and the same with its costs told. */
export type OpenedPolicy = {
  readonly policy: LoadedPolicy;
  readonly profile: PolicyProfile;
  /** JSON text of the parts of an input that `entrypoint` can read. */
  readonly readsOf: (entrypoint: string) => (input: unknown) => string;
  /** The same for people, as paths. */
  readonly describeReads: (entrypoint: string) => readonly string[];
  readonly moduleBytes: number;
  /** The Rego it was compiled from; undefined for a bundle that does not hold it. */
  readonly files: SourceFiles | undefined;
};

/** Which policy, and the rules that will be asked. */
export type OpenOrder = {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly regoVersion: 0 | 1;
  readonly entrypoints: readonly string[];
  readonly host: PolicyOptions;
};

type Compiled = { readonly wasm: Uint8Array; readonly plan: unknown; readonly data: unknown };

/**
 * Is this to be compiled? A module with the plan that we write beside it was made of the Rego that is there. From a bundle that `opa build -t wasm` made,
 * the compiled rules are gone: its module is taken as delivered, as a sidecar does.
 */
export function isSource(files: OpenOrder['files']): boolean {
  const hasRego = Object.keys(files).some((path) => path.endsWith('.rego'));
  return hasRego && (!Object.hasOwn(files, MODULE) || Object.hasOwn(files, PLAN));
}

/** Compiles Rego and loads it; a module without its Rego is taken as it is. */
export async function openPolicy(
  compiler: RegoCompiler,
  order: OpenOrder,
): Promise<Result<OpenedPolicy, readonly Diagnostic[]>> {
  const source = isSource(order.files);
  const compiled = source ? await compile(compiler, order) : delivered(order.files);
  if (!compiled.ok) return compiled;
  const { wasm, data, plan } = compiled.value;
  const policy = loadPolicy({ wasm, data, plan, entrypoint: order.entrypoints[0] ?? '', bundles: {} }, order.host);
  if (!policy.ok) return err([loadProblem(policy.error)]);
  const profile = openProfile({ wasm, data }, order.host);
  if (!profile.ok) return err([loadProblem(profile.error)]);
  return ok({
    policy: policy.value,
    profile: profile.value,
    readsOf: (entrypoint) => policyReads(plan, entrypoint).encode,
    describeReads: (entrypoint) => policyReads(plan, entrypoint).description,
    moduleBytes: wasm.length,
    files: source ? order.files : undefined,
  });
}

async function compile(compiler: RegoCompiler, order: OpenOrder): Promise<Result<Compiled, readonly Diagnostic[]>> {
  const { files, regoVersion, entrypoints } = order;
  const built = await compiler.build({ files, regoVersion, entrypoints });
  if (!built.ok) return built;
  const { policyWasm, planJson, dataJson } = built.value;
  return ok({ wasm: policyWasm, plan: parseExactJson(planJson)?.value, data: parseExactJson(dataJson)?.value });
}

function delivered(files: OpenOrder['files']): Result<Compiled, readonly Diagnostic[]> {
  const bundle = bundleFromFiles(new Map(Object.entries(files)));
  if (!bundle.ok) return err([{ code: bundle.error.code, message: bundle.error.detail }]);
  const { module, planJson, dataJson } = bundle.value;
  if (module === undefined) return err([{ code: 'rego_load_error', message: 'there is neither Rego nor policy.wasm' }]);
  const plan = planJson === undefined ? undefined : parseExactJson(planJson)?.value;
  return ok({ wasm: module.bytes, plan, data: parseExactJson(dataJson)?.value });
}

function loadProblem(problem: LoadProblem): Diagnostic {
  return { code: 'policy_not_loaded', message: describeLoadProblem(problem) };
}
