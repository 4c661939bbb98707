import { createRandom, systemClock } from '../../app/system.ts';
import { costOfTests } from '../../app/workbench/cost-of-tests.ts';
import { createRegoCompiler } from '../../io/rego/compiler.ts';
import { EXIT } from '../exit-codes.ts';
import { printDiagnostics, printProblems } from '../policy/print-diagnostics.ts';
import { count } from '../policy/print-tests.ts';
import { readPolicySources } from '../policy/sources.ts';
import { inert } from '../terminal.ts';

import type { TestCosts } from '../../app/workbench/cost-of-tests.ts';
import type { PolicyBenchOptions } from '../define-policy.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { PolicySources } from '../policy/sources.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport policy bench`: the cost of each test, and of the rules over all tests, most expensive first. */
export async function policyBench(
  paths: readonly string[],
  options: PolicyBenchOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const json = options.json === true;
  const sources = await readPolicySources(paths);
  if (!sources.ok) return printProblems(sources.error, json, terminal);
  const compiler = createRegoCompiler();
  try {
    const costs = await costOfTests(compiler, {
      files: sources.value.files,
      regoVersion: options.v0 === true ? 0 : 1,
      filter: options.filter,
      host: { clock: systemClock, random: createRandom() },
    });
    if (!costs.ok) return printDiagnostics(costs.error, sources.value, json, terminal);
    if (json) terminal.out(JSON.stringify(costs.value));
    else print(costs.value, options, sources.value, terminal);
    return EXIT.done;
  } finally {
    await compiler.stop();
  }
}

function print(
  { tests, rules }: TestCosts,
  options: PolicyBenchOptions,
  sources: PolicySources,
  terminal: Terminal,
): void {
  if (tests.length === 0)
    return terminal.out(terminal.style('out', 'yellow', 'no tests: rules named test_… are tests'));
  terminal.out(terminal.style('out', 'bold', `${'steps'.padStart(12)} ${'us'.padStart(9)}  test`));
  for (const { path, file, row, steps, microseconds } of tests) {
    const place = `(${sources.shown(file)}:${row})`;
    terminal.out(`${count(steps).padStart(12)} ${microseconds.toFixed(1).padStart(9)}  ${inert(`${path}  ${place}`)}`);
  }
  const total = rules.reduce((sum, { steps }) => sum + steps, 0);
  terminal.out('');
  terminal.out(
    terminal.style(
      'out',
      'bold',
      `${'steps'.padStart(12)} ${'share'.padStart(6)} ${'calls'.padStart(8)}  rule, over all tests`,
    ),
  );
  for (const { rule, steps, calls } of rules.slice(0, options.rules)) {
    const share = `${((steps / Math.max(total, 1)) * 100).toFixed(1)} %`;
    terminal.out(`${count(steps).padStart(12)} ${share.padStart(6)} ${count(calls).padStart(8)}  ${inert(rule)}`);
  }
}
