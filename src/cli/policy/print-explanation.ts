import { toDecision } from '../../core/policy/decision.ts';
import { inert } from '../terminal.ts';
import { count } from './print-tests.ts';

import type { Explanation } from '../../app/workbench/explain.ts';
import type { Evaluation } from '../../core/model/policy.ts';
import type { Terminal } from '../terminal.ts';
import type { PolicySources } from './sources.ts';

/** Longest value that is shown on a line. */
const SHOWN = 200;

/** An explanation for a person: the answer, its cost, what was read, and rule by rule what happened. */
export function printExplanation(
  entrypoint: string,
  told: Explanation,
  sources: Pick<PolicySources, 'shown'>,
  terminal: Terminal,
): void {
  const title = (text: string): string => terminal.style('out', 'bold', text.padEnd(9));
  terminal.out(`${title('decision')} ${inert(entrypoint)} = ${answer(told.evaluation)}`);
  terminal.out(`${title('cost')} ${count(told.evaluation.steps)} steps, ${told.microseconds.toFixed(1)} us uncached`);
  for (const note of notes(told.evaluation)) terminal.out(`${title('note')} ${inert(note)}`);
  told.read.forEach(([pointer, value], index) => {
    terminal.out(`${title(index === 0 ? 'read' : '')} ${inert(`input${pointer} = ${short(value)}`)}`);
  });
  ruleLines(told, sources, terminal).forEach((line, index) => {
    terminal.out(`${title(index === 0 ? 'rules' : '')} ${line}`);
  });
  for (const line of told.output === '' ? [] : told.output.trimEnd().split('\n'))
    terminal.out(`${title('print')} ${inert(line)}`);
  if (told.agrees === false)
    terminal.out(
      terminal.style('out', 'red', "OPA's interpreter gives another answer; please report this policy and input"),
    );
}

/** The same as JSON, with places as the user names files. */
export function explanationJson(entrypoint: string, told: Explanation, sources: Pick<PolicySources, 'shown'>): object {
  const { evaluation, microseconds, read, costs, rules, output, agrees } = told;
  const value = evaluation.kind === 'defined' ? { result: evaluation.value } : {};
  const fault = evaluation.kind === 'failed' ? { error: evaluation.fault } : {};
  return {
    path: entrypoint,
    ...value,
    ...fault,
    steps: evaluation.steps,
    microseconds,
    read: Object.fromEntries(read),
    costs,
    rules: rules.map((rule) => ({ ...rule, file: sources.shown(rule.file) })),
    output,
    ...(agrees === undefined ? {} : { agrees }),
  };
}

/** An evaluation in a few words. */
export function answer(evaluation: Evaluation): string {
  switch (evaluation.kind) {
    case 'defined':
      return inert(short(evaluation.value));
    case 'undefined':
      return 'undefined';
    case 'failed':
      return inert(`failed: ${evaluation.fault.code}: ${evaluation.fault.detail}`);
    default:
      return evaluation satisfies never;
  }
}

function notes(evaluation: Evaluation): readonly string[] {
  if (evaluation.kind === 'failed') return [];
  const decision = toDecision(evaluation);
  const unusable = decision.kind === 'deny' && decision.fault.code === 'policy_result_invalid';
  const refused = unusable ? [`as a decision, a sidecar refuses this: ${decision.fault.detail}`] : [];
  return [...refused, ...(evaluation.builtinErrors ?? [])];
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}

/** Rules with their places where OPA's interpreter told of them; costs alone where there is only a module. */
function ruleLines({ rules, costs }: Explanation, sources: Pick<PolicySources, 'shown'>, terminal: Terminal): string[] {
  if (rules.length === 0) return costs.map(({ rule, steps }) => `${inert(rule)}  ${count(steps)} steps`);
  const told = new Set<string>();
  return rules.map(({ path, file, row, entered, succeeded }) => {
    const style = succeeded > 0 ? 'green' : 'dim';
    const word = terminal.style('out', style, (succeeded > 0 ? 'fired' : 'not').padEnd(6));
    const times = entered > 1 ? ` ${succeeded} of ${entered} times` : '';
    const cost = told.has(path) ? undefined : costs.find(({ rule }) => rule === path);
    told.add(path);
    return `${word} ${inert(`${path}  (${sources.shown(file)}:${row})`)}${times}${cost === undefined ? '' : `  ${count(cost.steps)} steps`}`;
  });
}
