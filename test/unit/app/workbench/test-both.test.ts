import assert from 'node:assert/strict';
import { test } from 'node:test';

import { entrypointOf } from '../../../../src/app/workbench/host-tests.ts';
import { testBoth } from '../../../../src/app/workbench/test-both.ts';
import { createRegoCompiler } from '../../../../src/io/rego/compiler.ts';
import { STILL_WORLD } from '../../../support/policy-host.ts';

import type { BothTest } from '../../../../src/app/workbench/test-both.ts';
import type { RegoCompiler } from '../../../../src/io/rego/compiler.ts';
import type { TestResult } from '../../../../src/io/rego/test-run.ts';

const REGO = `package t

test_good if 1 == 1

test_bad if 1 == 2

test_twice if 1 == 2

test_twice if 1 == 1

test_cases[name] if {
	some name, value in {"a": 1, "b": 2}
	value == 1
}
`;

/** The real toolkit, but for what it says of tests. */
async function judged(
  results: readonly Partial<TestResult>[],
  options: { budget?: number } = {},
): Promise<readonly BothTest[]> {
  const real = createRegoCompiler();
  const defaults = {
    package: 'data.t',
    file: 't_test.rego',
    row: 1,
    col: 1,
    durationNs: 1,
    output: '',
    outcome: 'passed',
  } as const;
  const told = results.map((one) => ({ name: 'test_good', ...defaults, ...one }));
  const compiler: RegoCompiler = { ...real, test: () => Promise.resolve({ ok: true, value: { results: told } }) };
  try {
    const files = { 't_test.rego': REGO };
    const run = await testBoth(compiler, { files, regoVersion: 1, coverage: false, host: STILL_WORLD, ...options });
    assert.ok(run.ok);
    assert.equal(
      run.value.ok,
      run.value.tests.every(({ verdict }) => verdict === 'passed'),
    );
    return run.value.tests;
  } finally {
    await real.stop();
  }
}

test('a pass in the interpreter that fails in our host is a disagreement, and so is the reverse', async () => {
  const [passed, agreed] = await judged([{ name: 'test_bad' }, {}]);
  assert.deepEqual([passed?.verdict, passed?.host?.outcome], ['disagree', 'failed']);
  assert.equal(agreed?.verdict, 'passed');
  const [failed] = await judged([{ outcome: 'failed' }]);
  assert.deepEqual([failed?.verdict, failed?.host?.outcome], ['disagree', 'passed']);
});

test('an error in the interpreter is an error unless our host passes the test', async () => {
  const [bad, good] = await judged([{ name: 'test_bad', outcome: 'error', error: 'broke off' }, { outcome: 'error' }]);
  assert.deepEqual([bad?.verdict, bad?.error], ['error', 'broke off']);
  assert.equal(good?.verdict, 'disagree');
});

test('rules of one name are one entrypoint, which passes when any of them does', async () => {
  const tests = await judged([{ name: 'test_twice', outcome: 'failed' }, { name: 'test_twice#01' }]);
  assert.deepEqual(
    tests.map(({ path, verdict, host }) => [path, verdict, host?.outcome]),
    [
      ['data.t.test_twice', 'failed', 'passed'],
      ['data.t.test_twice', 'passed', 'passed'],
    ],
  );
});

test('cases are compared by name', async () => {
  const passed = { name: 'a', outcome: 'passed' } as const;
  const failed = { name: 'b', outcome: 'failed' } as const;
  const rule = { name: 'test_cases', outcome: 'failed' } as const;
  const [same, more, fewer] = await judged([
    { ...rule, cases: [passed, failed] },
    { ...rule, cases: [passed, { ...failed, outcome: 'passed' }] },
    { ...rule, cases: [failed] },
  ]);
  assert.deepEqual([same?.verdict, more?.verdict, fewer?.verdict], ['failed', 'disagree', 'disagree']);
});

test('a pass beyond the budget is no pass; a failure stays what it is', async () => {
  const [over, failed] = await judged([{}, { name: 'test_bad', outcome: 'failed' }], { budget: 10 });
  assert.deepEqual([over?.verdict, failed?.verdict], ['over-budget', 'failed']);
});

test('the path of a test becomes an entrypoint, whatever its package is called', () => {
  assert.equal(entrypointOf('data.a.b.test_x'), 'a/b/test_x');
  assert.equal(entrypointOf('data.a["x-y"].b.test_z'), 'a/x-y/b/test_z');
  assert.equal(entrypointOf('data["quo\\"te"].test_z'), 'quo"te/test_z');
});
