import { access, constants, stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';

import { createRandom, systemClock } from '../../app/system.ts';
import { openPolicy } from '../../app/workbench/open-policy.ts';
import { parseExactJson } from '../../core/bundle/exact-json.ts';
import { readLogLine } from '../../core/record/read-line.ts';
import { reasonOf } from '../../io/sources/problem.ts';
import { EXIT } from '../exit-codes.ts';
import { logLines } from '../log-lines.ts';
import { inert } from '../terminal.ts';
import { printDiagnostics, printProblems } from './print-diagnostics.ts';
import { answer } from './print-explanation.ts';

import type { OpenedPolicy } from '../../app/workbench/open-policy.ts';
import type { Evaluation } from '../../core/model/policy.ts';
import type { DecisionRecord } from '../../core/model/record.ts';
import type { NondeterministicAnswers } from '../../core/policy/answer-book.ts';
import type { RegoCompiler } from '../../io/rego/compiler.ts';
import type { PolicyEvalOptions } from '../define-policy.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';
import type { PolicySources } from './sources.ts';

/** A log of decisions to be made again with a policy of today. */
export type RecordsOrder = {
  readonly compiler: RegoCompiler;
  readonly sources: PolicySources;
  readonly options: PolicyEvalOptions;
  /** Decision records, one a line; `-` is stdin. */
  readonly file: string;
  readonly terminal: Terminal;
};

/** One decision made again. */
type Again = { readonly record: DecisionRecord; readonly evaluation: Evaluation; readonly same: boolean };

type Counts = { same: number; changed: number; withoutInput: number };

/** Makes every decision of a log again, with what nondeterministic built-ins answered then, and tells those that would be answered otherwise now. */
export async function evalRecords(order: RecordsOrder): Promise<ExitCode> {
  const { options, terminal } = order;
  const unreadable = await whyUnreadable(order.file);
  if (unreadable !== undefined) return printProblems([`${order.file}: ${unreadable}`], options.json === true, terminal);
  const policies = new Map<string, OpenedPolicy>();
  const counts: Counts = { same: 0, changed: 0, withoutInput: 0 };
  for await (const { bytes } of logLines(order.file)) {
    const record = recordIn(bytes);
    if (record === undefined) continue;
    if (record.input === undefined || record.path === '') {
      counts.withoutInput += 1;
      continue;
    }
    const entrypoint = options.decision ?? record.path;
    const policy = await policyFor(entrypoint, policies, order);
    if (typeof policy === 'number') return policy;
    report(askAgain(policy, entrypoint, record), counts, order);
  }
  if (counts.same + counts.changed + counts.withoutInput === 0)
    return printProblems([`${order.file}: holds no decision record`], options.json === true, terminal);
  if (options.json !== true) terminal.out(summary(counts, terminal));
  return counts.changed === 0 ? EXIT.done : EXIT.no;
}

/** Why a file cannot be read, known before a policy is compiled for it; undefined for stdin, and for what can be read. */
async function whyUnreadable(file: string): Promise<string | undefined> {
  if (file === '-') return undefined;
  try {
    await access(file, constants.R_OK);
    return (await stat(file)).isDirectory() ? 'is a folder' : undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** The record in a line, numbers with all their digits; notices and other lines are passed over. */
function recordIn(bytes: Uint8Array): DecisionRecord | undefined {
  if (readLogLine(bytes).kind !== 'record') return undefined;
  return parseExactJson(new TextDecoder().decode(bytes))?.value as DecisionRecord | undefined;
}

async function policyFor(
  entrypoint: string,
  policies: Map<string, OpenedPolicy>,
  { compiler, sources, options, terminal }: RecordsOrder,
): Promise<OpenedPolicy | ExitCode> {
  const known = policies.get(entrypoint);
  if (known !== undefined) return known;
  const host = { clock: systemClock, random: createRandom() };
  const regoVersion = options.v0 === true ? 0 : 1;
  const opened = await openPolicy(compiler, { files: sources.files, regoVersion, entrypoints: [entrypoint], host });
  if (!opened.ok) return printDiagnostics(opened.error, sources, options.json === true, terminal);
  policies.set(entrypoint, opened.value);
  return opened.value;
}

function askAgain({ policy }: OpenedPolicy, entrypoint: string, record: DecisionRecord): Again {
  const recorded = record.nd_builtin_cache as NondeterministicAnswers | undefined;
  const evaluation = policy.query(entrypoint, record.input, recorded);
  const now = evaluation.kind === 'defined' ? evaluation.value : undefined;
  return { record, evaluation, same: isDeepStrictEqual(now, plain(record.result)) };
}

/** The recorded answer as an evaluation would give it: numbers as doubles. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function report({ record, evaluation, same }: Again, counts: Counts, { options, terminal }: RecordsOrder): void {
  counts[same ? 'same' : 'changed'] += 1;
  const { decision_id: id, result: was, erased = [], masked = [] } = record;
  const now = evaluation.kind === 'defined' ? { now: evaluation.value } : {};
  if (options.json === true) {
    terminal.out(JSON.stringify({ decision_id: id, same, was, ...now, steps: evaluation.steps, erased, masked }));
    return;
  }
  if (same) return;
  const hidden = [...erased, ...masked];
  terminal.out(`${inert(id)}  was ${inert(JSON.stringify(was) ?? 'undefined')}, now ${answer(evaluation)}`);
  if (hidden.length > 0)
    terminal.out(`  the record hides ${inert(hidden.join(', '))}: the answer may differ for that reason alone`);
}

function summary({ same, changed, withoutInput }: Counts, terminal: Terminal): string {
  const left = withoutInput === 0 ? '' : `; ${withoutInput} refused before a policy was asked`;
  const text = `${same + changed} decisions made again: ${same} the same, ${changed} changed${left}`;
  return terminal.style('out', changed === 0 ? 'green' : 'yellow', text);
}
