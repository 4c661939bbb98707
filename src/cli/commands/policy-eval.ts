import { createRandom, systemClock } from '../../app/system.ts';
import { explain } from '../../app/workbench/explain.ts';
import { openPolicy } from '../../app/workbench/open-policy.ts';
import { DEFAULT_DECISION } from '../../core/model/policy.ts';
import { toDecision } from '../../core/policy/decision.ts';
import { createRegoCompiler } from '../../io/rego/compiler.ts';
import { EXIT } from '../exit-codes.ts';
import { evalRecords } from '../policy/eval-records.ts';
import { printDiagnostics, printProblems } from '../policy/print-diagnostics.ts';
import { explanationJson, printExplanation } from '../policy/print-explanation.ts';
import { readInput } from '../policy/read-input.ts';
import { readPolicySources } from '../policy/sources.ts';

import type { RegoCompiler } from '../../io/rego/compiler.ts';
import type { PolicyEvalOptions } from '../define-policy.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { PolicySources } from '../policy/sources.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport policy eval`: exit 1 where the answer is a denial, or where a record would be answered in another way now. */
export async function policyEval(
  paths: readonly string[],
  options: PolicyEvalOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const json = options.json === true;
  if (options.input !== undefined && options.record !== undefined)
    return printProblems(['sallyport policy eval: --input and --record are two questions; ask one'], json, terminal);
  const sources = await readPolicySources(paths);
  if (!sources.ok) return printProblems(sources.error, json, terminal);
  const compiler = createRegoCompiler();
  try {
    if (options.record !== undefined)
      return await evalRecords({ compiler, sources: sources.value, options, file: options.record, terminal });
    return await evalInput(compiler, sources.value, options, terminal);
  } finally {
    await compiler.stop();
  }
}

async function evalInput(
  compiler: RegoCompiler,
  sources: PolicySources,
  options: PolicyEvalOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const json = options.json === true;
  const input = await readInput(options.input);
  if (!input.ok) return printProblems([input.error], json, terminal);
  const entrypoint = options.decision ?? DEFAULT_DECISION;
  const regoVersion = options.v0 === true ? 0 : 1;
  const host = { clock: systemClock, random: createRandom() };
  const opened = await openPolicy(compiler, { files: sources.files, regoVersion, entrypoints: [entrypoint], host });
  if (!opened.ok) return printDiagnostics(opened.error, sources, json, terminal);
  const told = await explain(compiler, opened.value, regoVersion, { entrypoint, input: input.value });
  if (!told.ok) return printDiagnostics(told.error, sources, json, terminal);
  if (json) terminal.out(JSON.stringify(explanationJson(entrypoint, told.value, sources)));
  else printExplanation(entrypoint, told.value, sources, terminal);
  return toDecision(told.value.evaluation).kind === 'allow' && told.value.agrees !== false ? EXIT.done : EXIT.no;
}
