import { clusterData, type ClusterData } from '../../src/core/composition/cluster-data.ts';
import { composePolicy, type ComposedPolicy, type CompositionAsk } from '../../src/core/composition/compose-policy.ts';
import type { JsonObject, PolicyPart } from '../../src/core/composition/policy-part.ts';
import { loadPolicy, type LoadedPolicy } from '../../src/core/policy/host.ts';
import type { Evaluation } from '../../src/core/model/policy.ts';
import type { PolicyInput } from '../../src/core/model/policy-input.ts';
import type { Result } from '../../src/core/kernel/result.ts';
import { createRegoCompiler, type RegoCompiler } from '../../src/io/rego/compiler.ts';
import { formatDiagnostic } from '../../src/io/rego/format-diagnostic.ts';
import { libraryFiles } from './policy-library.ts';
import { STILL_WORLD } from './policy-host.ts';
import { compileRego } from './rego.ts';

let compiler: RegoCompiler | undefined;

/** What an owner brings, with what the compiler says of it. Throws where the Rego does not compile. */
export async function policyPart(rego: Readonly<Record<string, string>>, data: JsonObject = {}): Promise<PolicyPart> {
  if (Object.keys(rego).length === 0) return { rego: new Map(), data, declares: { packages: [], rules: [] } };
  compiler ??= createRegoCompiler({ isolation: 'thread' });
  const inspected = await compiler.inspect({ files: rego });
  if (!inspected.ok) throw new Error(inspected.error.map(formatDiagnostic).join('\n'));
  return { rego: new Map(Object.entries(rego)), data, declares: inspected.value };
}

/** The starter library as the platform brings it. */
export function libraryPart(): Promise<PolicyPart> {
  const files = Object.entries(libraryFiles()).map(([name, text]) => [`library/${name}`, text]);
  return policyPart(Object.fromEntries(files) as Record<string, string>);
}

export const EMPTY_PART: PolicyPart = { rego: new Map(), data: {}, declares: { packages: [], rules: [] } };
export const NO_CLUSTER: ClusterData = clusterData({ trustDomain: 'example.org', namespaces: new Map() });

/** Composes for namespace `agents`, whose policy is asked `sallyport/authz/decision` unless said. */
export function compose(
  parts: Partial<Omit<CompositionAsk, 'namespace'>> & { readonly own?: PolicyPart; readonly decision?: string },
): Result<ComposedPolicy, readonly string[]> {
  const { platform = EMPTY_PART, library, cluster = NO_CLUSTER, own, decision = 'sallyport/authz/decision' } = parts;
  return composePolicy({ platform, library, cluster, namespace: { name: 'agents', part: own, decision } });
}

/** A composed policy, compiled and loaded as a sidecar does. */
export async function loadComposed(composed: Result<ComposedPolicy, readonly string[]>): Promise<LoadedPolicy> {
  if (!composed.ok) throw new Error(composed.error.join('\n'));
  const { rego, data, entrypoint } = composed.value;
  const built = await compileRego({ files: Object.fromEntries(rego), entrypoints: [entrypoint] });
  const loaded = loadPolicy({ wasm: built.policyWasm, plan: built.plan, data, entrypoint, bundles: {} }, STILL_WORLD);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

/** What a policy answers: its value, or how it failed to give one. */
export function answerOf(policy: LoadedPolicy, input: unknown): unknown {
  const evaluation: Evaluation = policy.evaluate(input as PolicyInput);
  return evaluation.kind === 'defined' ? evaluation.value : evaluation.kind;
}
