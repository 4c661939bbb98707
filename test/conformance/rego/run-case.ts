import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import type { Evaluation } from '../../../src/core/model/policy.ts';
import { loadPolicy } from '../../../src/core/policy/host.ts';
import type { LoadedPolicy } from '../../../src/core/policy/host.ts';
import { describeLoadProblem } from '../../../src/core/policy/load-problem.ts';
import type { RegoCompiler } from '../../../src/io/rego/compiler.ts';
import { formatDiagnostic } from '../../../src/io/rego/format-diagnostic.ts';
import { systemClock, systemRandom } from '../../support/system-clock.ts';
import type { Case } from './case.ts';
import { sameRows } from './same-rows.ts';
import { ROWS, ROWS_TEXT, caseFiles } from './wrapper.ts';

/** How a case went; `wanted` and `got` are one line each. */
export type Verdict =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly wanted: string; readonly got: string };

const PASSED: Verdict = { kind: 'passed' };
/** A number that may not be what a double says it is. */
const BEYOND_DOUBLE = /[0-9]{16}|[0-9][eE]/;

/**
 * Runs a case as the sidecar would: compiled by our compiler, metered, in a host with its usual bounds. The answer from what the plan says is read, from
 * the whole input and from the cache must be one and the same.
 */
export async function runCase(one: Case, compiler: RegoCompiler): Promise<Verdict> {
  const built = await compiler.build({ files: caseFiles(one), entrypoints: [ROWS, ROWS_TEXT] });
  if (!built.ok) return failed(one, `does not compile: ${built.error.map(formatDiagnostic).join('; ')}`);
  const plan: unknown = JSON.parse(built.value.planJson);
  const source = { wasm: built.value.policyWasm, plan, data: one.data, entrypoint: ROWS, bundles: {} };
  const policy = loadPolicy(source, { clock: systemClock, random: systemRandom });
  if (!policy.ok) return failed(one, describeLoadProblem(policy.error));
  return judge(one, policy.value);
}

function judge(one: Case, policy: LoadedPolicy): Verdict {
  // Without an input the sidecar never asks; what is projected and remembered is then shown for an empty one.
  const asked = one.input.kind === 'object' ? one.input.value : undefined;
  const input = asked ?? {};
  const reference = policy.query(ROWS, input);
  for (const way of ['projected', 'remembered']) {
    // The host takes any object; the type is what the gate gives it.
    const other = policy.evaluate(input as unknown as PolicyInput);
    if (policy.deterministic && answerOf(other) !== answerOf(reference)) {
      return failed(one, `${way}: ${answerOf(other)}, whole: ${answerOf(reference)}`);
    }
  }
  const whole = asked === undefined ? policy.query(ROWS, undefined) : reference;
  const text = rowsText(one, policy, asked, whole);
  return fits(one, whole, text) ? PASSED : failed(one, answerOf(whole) + notesOf(whole));
}

function fits(one: Case, whole: Evaluation, text: string | undefined): boolean {
  const { wanted } = one;
  switch (wanted.kind) {
    case 'rows':
      return text !== undefined && sameRows(JSON.stringify(wanted.rows), text, wanted.sorted);
    case 'defined':
      return text !== undefined && (text !== '[]') === wanted.defined;
    case 'strict-error':
      return text === '[]';
    case 'error':
      return whole.kind === 'failed' && FAULT_OF[wanted.code] === whole.fault.code;
    default:
      return wanted satisfies never;
  }
}

const FAULT_OF: Readonly<Record<string, string>> = { eval_conflict_error: 'policy_conflict' };

/** The rows as JSON text; by Rego's own writer where a number may be more than a double. */
function rowsText(one: Case, policy: LoadedPolicy, input: unknown, whole: Evaluation): string | undefined {
  if (whole.kind !== 'defined') return undefined;
  if (one.wanted.kind !== 'rows' || !BEYOND_DOUBLE.test(JSON.stringify(one.wanted.rows)))
    return JSON.stringify(whole.value);
  const exact = policy.query(ROWS_TEXT, input);
  return exact.kind === 'defined' && typeof exact.value === 'string' ? exact.value : undefined;
}

function answerOf(evaluation: Evaluation): string {
  if (evaluation.kind === 'defined') return JSON.stringify(evaluation.value);
  return evaluation.kind === 'undefined' ? 'undefined' : `${evaluation.fault.code}: ${evaluation.fault.detail}`;
}

function notesOf(evaluation: Evaluation): string {
  if (evaluation.kind === 'failed' || evaluation.builtinErrors === undefined) return '';
  return ` (${evaluation.builtinErrors.join('; ')})`;
}

function failed({ wanted }: Case, got: string): Verdict {
  const text = wanted.kind === 'rows' ? JSON.stringify(wanted.rows) : JSON.stringify(wanted);
  return { kind: 'failed', wanted: text, got };
}
