import { MANIFEST, MODULE, PLAN } from '../../core/bundle/bundle-files.ts';
import { bundleFromFiles } from '../../core/bundle/bundle.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { HOST_BUILTINS } from '../../core/policy/builtins/table.ts';
import { isSource, openPolicy } from './open-policy.ts';

import type { Bundle } from '../../core/bundle/bundle.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { PolicyOptions } from '../../core/policy/host.ts';
import type { RegoCompiler } from '../../io/rego/compiler.ts';
import type { Diagnostic } from '../../io/rego/diagnostic.ts';
import type { Inspection } from '../../io/rego/inspect.ts';
import type { OpenedPolicy } from './open-policy.ts';

/** What a policy or a bundle holds, for people. */
export type PolicyFacts = {
  readonly revision?: string;
  readonly sequence?: number;
  readonly budget?: number;
  readonly roots: readonly string[];
  /** Sizes in bytes. */
  readonly sizes: { readonly rego: number; readonly data: number; readonly module: number; readonly plan: number };
  readonly regoFiles: number;
  readonly entrypoints: readonly EntrypointFacts[];
  /** Built-ins that are not compiled into the module. */
  readonly builtins: readonly { readonly name: string; readonly nondeterministic: boolean }[];
  /** Without Rego: none of it is known. */
  readonly packages: Inspection['packages'];
  readonly annotations: Inspection['annotations'];
};

/** One rule that can be asked. */
export type EntrypointFacts = {
  readonly path: string;
  readonly title?: string;
  /** Parts of the input; empty where that is not known, and all of it is given. */
  readonly reads: readonly string[];
};

export type InspectOrder = {
  /** Without `.signatures.json`. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly regoVersion: 0 | 1;
  /** Asked for if they are defined, beside annotated ones. */
  readonly usual: readonly string[];
  readonly host: PolicyOptions;
};

const NOTHING: Inspection = { packages: [], rules: [], annotations: [], entrypoints: [], builtins: [] };

/** Looks into a policy: compiles and loads it, where it is not compiled yet. */
export async function inspectPolicy(
  compiler: RegoCompiler,
  order: InspectOrder,
): Promise<Result<PolicyFacts, readonly Diagnostic[]>> {
  const bundle = bundleFromFiles(new Map(Object.entries(order.files)));
  if (!bundle.ok) return err([{ code: bundle.error.code, message: bundle.error.detail }]);
  const inspection = isSource(order.files)
    ? await compiler.inspect({ files: order.files, regoVersion: order.regoVersion })
    : ok(NOTHING);
  if (!inspection.ok) return inspection;
  const entrypoints = entrypointsOf(bundle.value, inspection.value, order.usual);
  if (entrypoints.length === 0) return ok(factsOf(bundle.value, inspection.value, undefined, []));
  const opened = await openPolicy(compiler, { ...order, entrypoints });
  if (!opened.ok) return opened;
  return ok(factsOf(bundle.value, inspection.value, opened.value, entrypoints));
}

/** The bundle's own; else those annotated, and the usual ones that there are. */
function entrypointsOf(bundle: Bundle, inspection: Inspection, usual: readonly string[]): readonly string[] {
  const own = bundle.manifest.wasm.map(({ entrypoint }) => entrypoint);
  if (own.length > 0) return own;
  const rules = new Set(inspection.rules.map(({ path }) => path.replace(/^data\./, '').replaceAll('.', '/')));
  return [...new Set([...inspection.entrypoints, ...usual.filter((path) => rules.has(path))])];
}

function factsOf(
  bundle: Bundle,
  inspection: Inspection,
  opened: OpenedPolicy | undefined,
  entrypoints: readonly string[],
): PolicyFacts {
  const { revision, sequence, budget, manifest, files, rego, dataJson } = bundle;
  return {
    ...(files.has(MANIFEST) ? { revision } : {}),
    ...(sequence === undefined ? {} : { sequence }),
    ...(budget === undefined ? {} : { budget }),
    roots: manifest.roots,
    sizes: {
      rego: [...rego.values()].reduce((sum, { length }) => sum + length, 0),
      data: Buffer.byteLength(dataJson),
      module: files.get(MODULE)?.length ?? opened?.moduleBytes ?? 0,
      plan: files.get(PLAN)?.length ?? 0,
    },
    regoFiles: rego.size,
    entrypoints: entrypoints.map((path) => entrypointFacts(path, inspection, opened)),
    builtins: (opened?.policy.builtins ?? []).map((name) => {
      return { name, nondeterministic: HOST_BUILTINS.get(name)?.nondeterministic === true };
    }),
    packages: inspection.packages,
    annotations: inspection.annotations,
  };
}

function entrypointFacts(path: string, { annotations }: Inspection, opened: OpenedPolicy | undefined): EntrypointFacts {
  const about = annotations.find((one) => one.path === `data.${path.replaceAll('/', '.')}`)?.annotation;
  const title = typeof about === 'object' && about !== null && 'title' in about ? about.title : undefined;
  return {
    path,
    ...(typeof title === 'string' ? { title } : {}),
    reads: opened?.describeReads(path) ?? [],
  };
}
