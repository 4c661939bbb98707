import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { loadRules } from '../../support/policy-host.ts';

/** `[expression, answer]` as `opa eval` of OPA 1.22.0 gave them; without an answer where it gave undefined. See `test/support/record-opa-answers.ts`. */
const answers = JSON.parse(readFileSync(new URL('opa-answers.json', import.meta.url), 'utf8')) as readonly (readonly [
  string,
  unknown?,
])[];

/** Expressions of one built-in, evaluated together: one rule each, so that one that is undefined leaves the others alone. */
async function evaluate(expressions: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const rules = expressions.map((expression, index) => `r${index} := ${expression}`);
  const all = rules.map((_, index) => `d[${index}] := r${index}`);
  const policy = await loadRules([...rules, ...all].join('\n'), { budget: 2 ** 31 - 1 });
  const evaluation = policy.query('t/d', {});
  if (evaluation.kind !== 'defined') assert.fail(JSON.stringify(evaluation));
  return evaluation.value as Readonly<Record<string, unknown>>;
}

function builtinOf(expression: string): string {
  return /^[a-z0-9_.]+/.exec(expression)?.[0] ?? '';
}

for (const builtin of new Set(answers.map(([expression]) => builtinOf(expression)))) {
  const cases = answers.filter(([expression]) => builtinOf(expression) === builtin);
  test(`OPA's ${builtin}: ${cases.length} answers of opa eval`, async () => {
    for (let from = 0; from < cases.length; from += 250) {
      const part = cases.slice(from, from + 250);
      const found = await evaluate(part.map(([expression]) => expression));
      for (const [index, [expression, answer]] of part.entries()) assert.deepEqual(found[index], answer, expression);
    }
  });
}
