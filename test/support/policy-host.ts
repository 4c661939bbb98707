import type { Clock, Random } from '../../src/core/kernel/clock.ts';
import { loadPolicy } from '../../src/core/policy/host.ts';
import type { BuiltinWorld } from '../../src/core/policy/builtin-bridge.ts';
import type { LoadedPolicy, PolicyOptions, PolicySource } from '../../src/core/policy/host.ts';
import { describeLoadProblem } from '../../src/core/policy/load-problem.ts';
import { compileRego } from './rego.ts';

/** A clock that stands at 2023-11-14T22:13:20Z. */
export const STILL_CLOCK: Clock = { wallMs: () => 1_700_000_000_000, monotonicMs: () => 0 };

/** Bytes that count: 1, 2, 3 and so on, from 1 again after 255; every source begins anew. */
export function countingRandom(): Random {
  let last = 0;
  return (length) => Uint8Array.from({ length }, () => (last = (last % 255) + 1));
}

/** The world of a policy under test. */
export const STILL_WORLD: BuiltinWorld = { clock: STILL_CLOCK, random: countingRandom() };

/** Where the rules of a test stand: `package t`, rule `d`. */
export const ENTRYPOINT = 't/d';

/** Rego of a test, compiled: `rules` are put under `package t`. */
export async function compileRules(
  rules: string,
  entrypoints: readonly string[] = [ENTRYPOINT],
): Promise<PolicySource> {
  const compiled = await compileRego({ source: `package t\n\nimport rego.v1\n\n${rules}\n`, entrypoints });
  return {
    wasm: compiled.policyWasm,
    data: {},
    entrypoint: entrypoints[0] ?? ENTRYPOINT,
    bundles: { test: { revision: '1' } },
  };
}

/** Compiles and loads the rules of a test; throws what an operator would be told where they do not load. */
export async function loadRules(
  rules: string,
  options: Partial<PolicyOptions> = {},
  source: Partial<PolicySource> = {},
): Promise<LoadedPolicy> {
  return load({ ...(await compileRules(rules)), ...source }, options);
}

/** Loads a policy that must load. */
export function load(source: PolicySource, options: Partial<PolicyOptions> = {}): LoadedPolicy {
  const policy = loadPolicy(source, { ...STILL_WORLD, ...options });
  if (!policy.ok) throw new Error(describeLoadProblem(policy.error));
  return policy.value;
}

/** A module made by hand as the source of a policy. */
export function sourceOf(wasm: Uint8Array): PolicySource {
  return { wasm, data: {}, entrypoint: ENTRYPOINT, bundles: {} };
}
