import { writeFile } from 'node:fs/promises';

import { createRandom, systemClock } from '../../app/system.ts';
import { testBoth } from '../../app/workbench/test-both.ts';
import { createRegoCompiler } from '../../io/rego/compiler.ts';
import { EXIT } from '../exit-codes.ts';
import { junit } from '../policy/junit.ts';
import { printDiagnostics, printProblems } from '../policy/print-diagnostics.ts';
import { printCoverage, printTests } from '../policy/print-tests.ts';
import { readPolicySources } from '../policy/sources.ts';
import { statedBudget } from '../policy/stated-budget.ts';
import { watchSources } from '../policy/watch-sources.ts';

import type { BothRun } from '../../app/workbench/test-both.ts';
import type { RegoCompiler } from '../../io/rego/compiler.ts';
import type { PolicyTestOptions } from '../define-policy.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { PolicySources } from '../policy/sources.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport policy test`: exit 0 only if every test passes in OPA's interpreter and in our host, within budget and coverage asked for. */
export async function policyTest(
  paths: readonly string[],
  options: PolicyTestOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const compiler = createRegoCompiler();
  const once = (): Promise<ExitCode> => runOnce(compiler, paths, options, terminal);
  try {
    return await (options.watch === true ? watchSources(paths, once, terminal) : once());
  } finally {
    await compiler.stop();
  }
}

async function runOnce(
  compiler: RegoCompiler,
  paths: readonly string[],
  options: PolicyTestOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const json = options.json === true;
  const sources = await readPolicySources(paths);
  if (!sources.ok) return printProblems(sources.error, json, terminal);
  const run = await testBoth(compiler, {
    files: sources.value.files,
    regoVersion: options.v0 === true ? 0 : 1,
    filter: options.filter,
    coverage: options.coverage === true || options.threshold !== undefined,
    budget: options.budget ?? statedBudget(sources.value.files),
    host: { clock: systemClock, random: createRandom() },
  });
  if (!run.ok) return printDiagnostics(run.error, sources.value, json, terminal);
  const covered = (run.value.coverage?.percent ?? 0) >= (options.threshold ?? 0);
  await print(run.value, covered, sources.value, options, terminal);
  return run.value.ok && covered ? EXIT.done : EXIT.no;
}

async function print(
  run: BothRun,
  covered: boolean,
  sources: PolicySources,
  options: PolicyTestOptions,
  terminal: Terminal,
): Promise<void> {
  if (options.junit !== undefined) await writeFile(options.junit, junit(run, sources));
  if (options.json === true) {
    const tests = run.tests.map((test) => ({ ...test, file: sources.shown(test.file) }));
    terminal.out(JSON.stringify({ ...run, tests, ok: run.ok && covered }));
    return;
  }
  printTests(run, sources, options, terminal);
  if (run.coverage !== undefined) printCoverage(run.coverage, sources, terminal);
  if (!covered) terminal.out(terminal.style('out', 'red', `coverage is below ${options.threshold ?? 0} %`));
}
