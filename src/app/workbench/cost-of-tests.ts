import { err, ok } from '../../core/kernel/result.ts';
import { describeLoadProblem } from '../../core/policy/load-problem.ts';
import { openProfile } from '../../core/policy/policy-profile.ts';
import { compileHostTests, entrypointOf, runHostTest, timeHostTest } from './host-tests.ts';
import { pathOf } from './test-both.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { RuleCost } from '../../core/policy/policy-profile.ts';
import type { RegoCompiler } from '../../io/rego/compiler.ts';
import type { Diagnostic } from '../../io/rego/diagnostic.ts';
import type { TestOrder } from './test-both.ts';

/** What one test costs in our host. */
export type TestCost = {
  /** `data.package.test_name`. */
  readonly path: string;
  readonly file: string;
  readonly row: number;
  /** The same on every machine. */
  readonly steps: number;
  /** Median of a few evaluations, on this machine. */
  readonly microseconds: number;
};

/** Tests and rules, each most expensive first. Test rules themselves are left out of the rules. */
export type TestCosts = { readonly tests: readonly TestCost[]; readonly rules: readonly RuleCost[] };

/** Tells what tests cost, and which rules that is due to. */
export async function costOfTests(
  compiler: RegoCompiler,
  order: Pick<TestOrder, 'files' | 'regoVersion' | 'filter' | 'host'>,
): Promise<Result<TestCosts, readonly Diagnostic[]>> {
  const { files, regoVersion, filter, host } = order;
  const run = await compiler.test({ files, regoVersion, ...(filter === undefined ? {} : { filter }) });
  if (!run.ok) return run;
  const found = run.value.results.filter(({ outcome }) => outcome !== 'skipped');
  const byPath = new Map(found.map((result) => [pathOf(result), result]));
  if (byPath.size === 0) return ok({ tests: [], rules: [] });
  const compiled = await compileHostTests(compiler, files, regoVersion, [...byPath.keys()], host);
  if (!compiled.ok) return compiled;
  const profile = openProfile(compiled.value, host);
  if (!profile.ok) return err([{ code: 'policy_not_loaded', message: describeLoadProblem(profile.error) }]);
  const tests = [...byPath].map(([path, { file, row }]): TestCost => {
    const { steps } = runHostTest(compiled.value, path);
    return { path, file, row, steps, microseconds: timeHostTest(compiled.value, path) };
  });
  const rules = [...byPath.keys()].flatMap((path) => profile.value.profile(entrypointOf(path), undefined).rules);
  return ok({
    tests: tests.sort((a, b) => b.steps - a.steps),
    rules: added(rules).filter(({ rule }) => !byPath.has(rule)),
  });
}

/** Costs of the same rule added up. */
function added(costs: readonly RuleCost[]): readonly RuleCost[] {
  const sums = new Map<string, RuleCost>();
  for (const { rule, calls, steps } of costs) {
    const before = sums.get(rule);
    sums.set(rule, { rule, calls: calls + (before?.calls ?? 0), steps: steps + (before?.steps ?? 0) });
  }
  return [...sums.values()].sort((a, b) => b.steps - a.steps);
}
