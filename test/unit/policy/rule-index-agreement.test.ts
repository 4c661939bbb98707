import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import fc from 'fast-check';

import type { Evaluation } from '../../../src/core/model/policy.ts';
import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';
import { indexablePolicy } from '../../support/indexable-policy.ts';
import { withAndWithoutIndex } from '../../support/plain-module.ts';
import { ENTRYPOINT, load } from '../../support/policy-host.ts';

const compiler = createRegoCompiler();
after(() => compiler.stop());

const DATA = { d: { yes: true, no: false } };

function line(evaluation: Evaluation): string {
  return evaluation.kind === 'failed'
    ? `${evaluation.fault.code}: ${evaluation.fault.detail}`
    : JSON.stringify(evaluation.kind === 'defined' ? evaluation.value : null);
}

/** The line of OPA's interpreter, where conflicts have no place in common with the module's. */
async function interpreted(source: string, input: object): Promise<string> {
  const asked = {
    files: { 'p.rego': source },
    dataJson: JSON.stringify(DATA),
    inputJson: JSON.stringify(input),
    entrypoint: ENTRYPOINT,
  };
  const answer = await compiler.evaluate(asked);
  if (!answer.ok) return `policy_${answer.error[0]?.code?.includes('conflict') === true ? 'conflict' : 'failed'}`;
  return answer.value.resultJson ?? 'null';
}

/** The interpreter leaves rules out once one of them has given the value that all give, and may miss a conflict with their `else`. */
function same(ours: string, interpreters: string): boolean {
  if (ours.startsWith('policy_conflict')) return true;
  if (ours.startsWith('policy_')) return ours.startsWith(interpreters);
  return !interpreters.startsWith('policy_') && valueOf(ours) === valueOf(interpreters);
}

function valueOf(json: string): string {
  return JSON.stringify(JSON.parse(json));
}

test("with a rule index a policy answers as without one, conflicts and their places included, and as OPA's interpreter does", async () => {
  let indexed = 0;

  const property = fc.asyncProperty(indexablePolicy, async ({ source, inputs }) => {
    const built = await compiler.build({ files: { 'p.rego': source }, entrypoints: [ENTRYPOINT] });
    assert.ok(built.ok, built.ok ? '' : JSON.stringify(built.error));
    const modules = withAndWithoutIndex(built.value.policyWasm);
    indexed += modules.indexed.index.length;
    const shared = {
      data: DATA,
      entrypoint: ENTRYPOINT,
      bundles: {},
      plan: JSON.parse(built.value.planJson) as unknown,
    };
    const [fast, plain] = [modules.indexed, modules.plain].map((wasm) =>
      load({ ...shared, wasm }, { cacheEntries: 0 }),
    );
    assert.ok(fast !== undefined && plain !== undefined);
    for (const input of inputs) {
      const answer = line(fast.query(ENTRYPOINT, input));
      assert.equal(answer, line(plain.query(ENTRYPOINT, input)), JSON.stringify(input));
      assert.equal(line(fast.evaluate(input as never)), answer, 'projected');
    }
    for (const input of inputs.slice(0, 2)) {
      const ours = line(fast.query(ENTRYPOINT, input));
      const other = await interpreted(source, input);
      assert.ok(same(ours, other), `${JSON.stringify(input)}: ${ours} and ${other}`);
    }
  });
  await fc.assert(property, {
    numRuns: 10,
    endOnFailure: true,
    interruptAfterTimeLimit: 20_000,
    markInterruptAsFailure: false,
  });
  assert.ok(indexed > 100, `${indexed} tests in all indexes`);
});
