import { parseExactJson } from '../core/bundle/exact-json.ts';
import type { Clock, Random } from '../core/kernel/clock.ts';
import { loadPolicy, type LoadedPolicy, type PolicySource } from '../core/policy/host.ts';
import { describeLoadProblem } from '../core/policy/load-problem.ts';
import type { PolicyModule } from '../core/policy/policy-module.ts';
import { loadDescriptors } from '../core/request/descriptors.ts';
import type { ProtoDescriptors } from '../core/request/grpc-body.ts';

/**
 * A revision that was compiled and judged, as other threads of this process take it: the module is shared, not copied. Data and plan are text: numbers that no double
 * holds would not survive a copy.
 */
export type PolicyDelivery = {
  readonly module: PolicyModule;
  readonly plan: string | undefined;
  readonly data: string;
  readonly entrypoint: string;
  readonly bundles: PolicySource['bundles'];
  readonly descriptors: Uint8Array | undefined;
};

/** What decides now: a policy revision, and the descriptors that came with it. Swapped as one. */
export type ActivePolicy = {
  readonly policy: LoadedPolicy;
  readonly descriptors: ProtoDescriptors | undefined;
  /** The same for other threads; undefined where there are none. */
  readonly delivery: PolicyDelivery | undefined;
};

/** Bounds of an instance, as the configuration has them. */
export type PolicyBounds = { readonly memory: number; readonly budget: number };

/** What was loaded here, for others. */
export function policyDelivery(
  { plan, data, entrypoint, bundles }: PolicySource,
  module: PolicyModule,
  descriptors: Uint8Array | undefined,
): PolicyDelivery {
  return {
    // What only the second opinion reads stays behind.
    module: { ...module, metered: new Uint8Array(0) },
    plan: plan === undefined ? undefined : JSON.stringify(plan),
    data: JSON.stringify(data),
    entrypoint,
    bundles,
    descriptors,
  };
}

/** Loads what another thread has judged. Throws where that cannot be: it was loaded there, so this is a fault of ours. */
export async function loadDelivery(
  { module, plan, data, entrypoint, bundles, descriptors }: PolicyDelivery,
  bounds: PolicyBounds,
  world: { readonly clock: Clock; readonly random: Random },
): Promise<ActivePolicy> {
  const source = { wasm: module, plan: exact(plan), data: exact(data), entrypoint, bundles };
  const policy = loadPolicy(source, { ...world, memoryBytes: bounds.memory, budget: bounds.budget });
  if (!policy.ok) throw new Error(describeLoadProblem(policy.error));
  const loaded = descriptors === undefined ? undefined : await loadDescriptors(descriptors);
  if (loaded?.ok === false) throw new Error(loaded.error);
  return Object.freeze({ policy: policy.value, descriptors: loaded?.value, delivery: undefined });
}

function exact(json: string | undefined): unknown {
  return json === undefined ? undefined : parseExactJson(json)?.value;
}
