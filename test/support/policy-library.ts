import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { LoadedPolicy, PolicyOptions } from '../../src/core/policy/host.ts';
import { load } from './policy-host.ts';
import { compileRego } from './rego.ts';

/** The folder that users copy. */
export const POLICIES = join(import.meta.dirname, '..', '..', 'policies');

export const DECISION = 'sallyport/authz/decision';

/** `data.fleet` of a test. Other shapes are what some tests are about. */
export type Fleet = {
  readonly agents: Readonly<Record<string, unknown>>;
  readonly segments: Readonly<Record<string, unknown>>;
};

/** The Rego of the starter library without its tests, by path. */
export function libraryFiles(): Record<string, string> {
  const names = readdirSync(POLICIES).filter((name) => name.endsWith('.rego') && !name.endsWith('_test.rego'));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(POLICIES, name), 'utf8')]));
}

/**
 * The starter library in our host, with `rules` of a test under `package t` where it asks functions of the library by themselves.
 * The policy's own entrypoint is the default decision, or `entrypoint`.
 */
export async function loadLibrary(
  data: unknown,
  options: Partial<PolicyOptions> = {},
  {
    rules,
    entrypoint = DECISION,
  }: { readonly rules?: Readonly<Record<string, string>>; readonly entrypoint?: string } = {},
): Promise<LoadedPolicy> {
  const entrypoints = [entrypoint, ...Object.keys(rules ?? {}).map((name) => `t/${name}`)];
  const compiled = await compileRego({ files: { ...libraryFiles(), ...(rules && ruleFile(rules)) }, entrypoints });
  return load({ wasm: compiled.policyWasm, plan: compiled.plan, data, entrypoint, bundles: {} }, options);
}

function ruleFile(rules: Readonly<Record<string, string>>): Record<string, string> {
  const imports = ['http', 'segments', 'spiffe'].map((name) => `import data.sallyport.${name} as the_${name}`);
  const bodies = Object.entries(rules).map(([name, body]) => `${name} := ${body}`);
  return { 'x.rego': ['package t', ...imports, ...bodies].join('\n') };
}

/** An agent's ID in the form that Kubernetes workloads have. */
export function agentId(namespace: string, account: string, trustDomain = 'example.org'): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`;
}
