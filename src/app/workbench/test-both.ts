import { ok } from '../../core/kernel/result.ts';
import { compileHostTests, runHostTest } from './host-tests.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { PolicyOptions } from '../../core/policy/host.ts';
import type { RegoCompiler } from '../../io/rego/compiler.ts';
import type { Diagnostic } from '../../io/rego/diagnostic.ts';
import type { SourceFiles } from '../../io/rego/source-files.ts';
import type { Coverage, TestResult } from '../../io/rego/test-run.ts';
import type { HostTests, HostVerdict } from './host-tests.ts';

/** Which tests are to be run, on what and within which bounds. */
export type TestOrder = {
  readonly files: SourceFiles;
  readonly regoVersion: 0 | 1;
  /** Regular expression (RE2) over `data.package.test_name`. */
  readonly filter?: string | undefined;
  readonly coverage: boolean;
  /** Most steps of a test. */
  readonly budget?: number | undefined;
  readonly host: PolicyOptions;
};

/** One test rule in both evaluators. */
export type BothTest = TestResult & {
  /** `data.package.test_name`. */
  readonly path: string;
  /** Absent for a test that is skipped. */
  readonly host?: HostVerdict;
  /** What stands between this test and a pass, in one word; `passed` needs both evaluators, in agreement and within the budget. */
  readonly verdict: 'passed' | 'failed' | 'error' | 'skipped' | 'disagree' | 'over-budget';
};

/** What came of a run. */
export type BothRun = {
  readonly tests: readonly BothTest[];
  readonly coverage?: Coverage;
  /** True where nothing stands against it: no failed test, and at least one that passed. */
  readonly ok: boolean;
};

/** Runs tests in OPA's interpreter and in our host. The diagnostics are those of files that do not compile for one of the two. */
export async function testBoth(
  compiler: RegoCompiler,
  order: TestOrder,
): Promise<Result<BothRun, readonly Diagnostic[]>> {
  const { files, regoVersion, filter, coverage } = order;
  const run = await compiler.test({ files, regoVersion, coverage, ...(filter === undefined ? {} : { filter }) });
  if (!run.ok) return run;
  const paths = run.value.results.filter(({ outcome }) => outcome !== 'skipped').map(pathOf);
  const host =
    paths.length === 0 ? ok(undefined) : await compileHostTests(compiler, files, regoVersion, paths, order.host);
  if (!host.ok) return host;
  const tests = run.value.results.map((result) => judge(result, host.value, order, run.value.results));
  const bad = tests.some(({ verdict }) => verdict !== 'passed' && verdict !== 'skipped');
  const some = tests.some(({ verdict }) => verdict === 'passed');
  return ok({ tests, ...(run.value.coverage && { coverage: run.value.coverage }), ok: some && !bad });
}

/** `data.package.test_name`; OPA numbers rules of one name, which a compiled policy does not. */
export function pathOf({ package: name, name: test }: TestResult): string {
  return `${name}.${test.replace(/#\d+$/, '')}`;
}

function judge(
  result: TestResult,
  host: HostTests | undefined,
  order: TestOrder,
  all: readonly TestResult[],
): BothTest {
  const path = pathOf(result);
  if (result.outcome === 'skipped' || host === undefined) return { ...result, path, verdict: 'skipped' };
  const verdict = runHostTest(host, path);
  const named = all.filter((other) => pathOf(other) === path);
  const agree = agrees(result, verdict, named);
  const over = order.budget !== undefined && verdict.steps > order.budget;
  const word = !agree ? 'disagree' : result.outcome !== 'passed' ? result.outcome : over ? 'over-budget' : 'passed';
  return { ...result, path, host: verdict, verdict: word };
}

/**
 * Do both say the same? Rules of one name are tests of their own to OPA, and one rule to a compiled policy: it passes when any does. An error may
 * show as a failure in the host, where a failing built-in makes its expression undefined as everywhere outside of strict mode.
 */
function agrees(result: TestResult, host: HostVerdict, named: readonly TestResult[]): boolean {
  if (result.outcome === 'error') return host.outcome !== 'passed';
  if (result.cases !== undefined) {
    const passed = result.cases.filter(({ outcome }) => outcome === 'passed').map(({ name }) => name);
    return host.outcome !== 'error' && [...passed].sort().join('\n') === [...host.passedCases].sort().join('\n');
  }
  const passed = named.some(({ outcome }) => outcome === 'passed');
  return passed === (host.outcome === 'passed') && host.outcome !== 'error';
}
