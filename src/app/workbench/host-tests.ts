import { parseExactJson } from '../../core/bundle/exact-json.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { loadPolicy } from '../../core/policy/host.ts';
import { describeLoadProblem } from '../../core/policy/load-problem.ts';
import { medianMicroseconds } from './median-time.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { Evaluation } from '../../core/model/policy.ts';
import type { LoadedPolicy, PolicyOptions } from '../../core/policy/host.ts';
import type { Diagnostic } from '../../io/rego/diagnostic.ts';
import type { RegoCompiler } from '../../io/rego/compiler.ts';
import type { SourceFiles } from '../../io/rego/source-files.ts';

/** What a test rule gave in the host that sidecars decide in. */
export type HostVerdict = {
  readonly outcome: 'passed' | 'failed' | 'error';
  /** Why, for the outcome `error`. */
  readonly error?: string;
  readonly steps: number;
  /** Names of the cases that passed, of a rule with cases. */
  readonly passedCases: readonly string[];
};

/** Files with tests, compiled as a sidecar would have them compiled, every test an entrypoint. */
export type HostTests = { readonly wasm: Uint8Array; readonly data: unknown; readonly policy: LoadedPolicy };

/** Compiles files and tests; `paths` are those of test rules, as `data.package.test_name`. */
export async function compileHostTests(
  compiler: RegoCompiler,
  files: SourceFiles,
  regoVersion: 0 | 1,
  paths: readonly string[],
  options: PolicyOptions,
): Promise<Result<HostTests, readonly Diagnostic[]>> {
  const entrypoints = [...new Set(paths.map(entrypointOf))];
  const built = await compiler.build({ files, regoVersion, tests: true, entrypoints });
  if (!built.ok) return built;
  const { policyWasm: wasm, dataJson } = built.value;
  const data = parseExactJson(dataJson)?.value;
  const policy = loadPolicy({ wasm, data, entrypoint: entrypoints[0] ?? '', bundles: {} }, options);
  if (!policy.ok) return err([{ code: 'policy_not_loaded', message: describeLoadProblem(policy.error) }]);
  return ok({ wasm, data, policy: policy.value });
}

/** Runs one test rule; without an input, as `opa test` does. */
export function runHostTest(tests: HostTests, path: string): HostVerdict {
  const entrypoint = entrypointOf(path);
  return verdictOf(tests.policy.query(entrypoint, undefined));
}

/** Time that one test rule takes here, microseconds. */
export function timeHostTest(tests: HostTests, path: string): number {
  const entrypoint = entrypointOf(path);
  return medianMicroseconds(() => tests.policy.query(entrypoint, undefined));
}

function verdictOf(evaluation: Evaluation): HostVerdict {
  const { steps } = evaluation;
  const none: readonly string[] = [];
  if (evaluation.kind === 'failed') {
    const error = `${evaluation.fault.code}: ${evaluation.fault.detail}`;
    return { outcome: 'error', error, steps, passedCases: none };
  }
  const value = evaluation.kind === 'defined' ? evaluation.value : undefined;
  if (typeof value !== 'object' || value === null) {
    return { outcome: passes(value) ? 'passed' : 'failed', steps, passedCases: none };
  }
  return { outcome: 'passed', steps, passedCases: casesIn(value) };
}

/** A test passes with any value but false (OPA documentation, "Policy Testing"). */
function passes(value: unknown): boolean {
  return value !== undefined && value !== false;
}

/** Cases of `test_x[name]`, by their keys joined with `/`. */
function casesIn(value: object): readonly string[] {
  return Object.entries(value).flatMap(([key, below]) => {
    if (typeof below === 'object' && below !== null) return casesIn(below).map((rest) => `${key}/${rest}`);
    return passes(below) ? [key] : [];
  });
}

/** `data.a.b.test_x` as `a/b/test_x`; parts in brackets, as in `data.a["x-y"].test_z`, lose them. */
export function entrypointOf(path: string): string {
  const parts = path.matchAll(/\.?([^.[\]"]+)|\["((?:[^"\\]|\\.)*)"\]/g);
  return [...parts]
    .map(([, plain, quoted = '']) => plain ?? unquoted(quoted))
    .slice(1)
    .join('/');
}

/** Text that Go quoted; what it writes in another way than JSON (control characters) stays as it is, and names no rule then. */
function unquoted(quoted: string): string {
  try {
    return JSON.parse(`"${quoted}"`) as string;
  } catch {
    return quoted;
  }
}
