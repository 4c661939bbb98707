import { isDeepStrictEqual } from 'node:util';

import { ok } from '../../core/kernel/result.ts';
import { medianMicroseconds } from './median-time.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { Evaluation } from '../../core/model/policy.ts';
import type { NondeterministicAnswers } from '../../core/policy/answer-book.ts';
import type { Profile, RuleCost } from '../../core/policy/policy-profile.ts';
import type { RegoCompiler } from '../../io/rego/compiler.ts';
import type { Diagnostic } from '../../io/rego/diagnostic.ts';
import type { RuleTrace } from '../../io/rego/evaluate.ts';
import type { OpenedPolicy } from './open-policy.ts';

/** What is asked. */
export type Question = {
  readonly entrypoint: string;
  /** An object; undefined asks without an input. */
  readonly input: unknown;
  /** What nondeterministic built-ins answered then, where a decision is asked again. */
  readonly recorded?: NondeterministicAnswers | undefined;
};

/** Why a policy answers as it does, and what that cost. */
export type Explanation = {
  readonly evaluation: Evaluation;
  /** Median of a few uncached evaluations. */
  readonly microseconds: number;
  /** The parts of the input that the rule can read: JSON pointer and value. */
  readonly read: readonly (readonly [pointer: string, value: unknown])[];
  /** Steps by rule, most expensive first, and those of reading the input and writing the answer. */
  readonly costs: readonly RuleCost[];
  /** Which rules OPA's interpreter entered, and which of them succeeded; none where there is no Rego. */
  readonly rules: readonly RuleTrace[];
  /** What `print` wrote. */
  readonly output: string;
  /** False where OPA's interpreter gave another answer; undefined where there is no Rego to ask it with. */
  readonly agrees: boolean | undefined;
};

/** Asks a policy in our host, and OPA's interpreter about the same. */
export async function explain(
  compiler: RegoCompiler,
  opened: OpenedPolicy,
  regoVersion: 0 | 1,
  question: Question,
): Promise<Result<Explanation, readonly Diagnostic[]>> {
  const { entrypoint, input, recorded } = question;
  const ask = (): Evaluation => opened.policy.query(entrypoint, input, recorded);
  const evaluation = ask();
  const told = await interpret(compiler, opened, regoVersion, question, evaluation);
  if (!told.ok) return told;
  return ok({
    evaluation,
    microseconds: medianMicroseconds(ask),
    read: input === undefined ? [] : leaves(JSON.parse(opened.readsOf(entrypoint)(input)), ''),
    costs: costs(opened.profile.profile(entrypoint, input)),
    ...told.value,
  });
}

/** The name of what no rule is answerable for. */
const OUTSIDE = 'input and answer';

function costs({ rules, outside }: Profile): readonly RuleCost[] {
  return [...rules, { rule: OUTSIDE, calls: 1, steps: outside }].sort((a, b) => b.steps - a.steps);
}

type Told = Pick<Explanation, 'rules' | 'output' | 'agrees'>;

async function interpret(
  compiler: RegoCompiler,
  { files }: OpenedPolicy,
  regoVersion: 0 | 1,
  { entrypoint, input, recorded }: Question,
  evaluation: Evaluation,
): Promise<Result<Told, readonly Diagnostic[]>> {
  if (files === undefined) return ok({ rules: [], output: '', agrees: undefined });
  const answers = recorded ?? (evaluation.kind === 'failed' ? undefined : evaluation.ndBuiltinCache);
  const told = await compiler.evaluate({
    files,
    regoVersion,
    entrypoint,
    explain: true,
    ...(input === undefined ? {} : { inputJson: JSON.stringify(input) }),
    ...(answers === undefined ? {} : { ndBuiltinCacheJson: JSON.stringify(answers) }),
  });
  if (!told.ok) return told;
  const { rules, output, defined, resultJson } = told.value;
  const value: unknown = resultJson === undefined ? undefined : JSON.parse(resultJson);
  return ok({ rules, output, agrees: same(evaluation, defined, value) });
}

function same(evaluation: Evaluation, defined: boolean, value: unknown): boolean {
  if (evaluation.kind !== 'defined') return !defined && evaluation.kind === 'undefined';
  return defined && isDeepStrictEqual(evaluation.value, value);
}

/** Scalars and empty collections of a document, each with its JSON pointer (RFC 6901). */
function leaves(value: unknown, pointer: string): readonly (readonly [string, unknown])[] {
  if (typeof value !== 'object' || value === null) return [[pointer, value]];
  const entries = Object.entries(value);
  if (entries.length === 0) return [[pointer, value]];
  return entries.flatMap(([key, below]) =>
    leaves(below, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  );
}
