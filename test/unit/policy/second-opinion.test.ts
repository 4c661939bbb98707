import assert from 'node:assert/strict';
import { test } from 'node:test';

import { err } from '../../../src/core/kernel/result.ts';
import type { LoadedPolicy } from '../../../src/core/policy/host.ts';
import { HOST_BUILTINS } from '../../../src/core/policy/builtins/table.ts';
import { hiddenName, hideBuiltin } from '../../../src/core/policy/hide-builtin.ts';
import { describeLoadProblem } from '../../../src/core/policy/load-problem.ts';
import { compilePolicyModuleSync } from '../../../src/core/policy/policy-module.ts';
import type { PolicyModule } from '../../../src/core/policy/policy-module.ts';
import { PROBES } from '../../../src/core/policy/probe-inputs.ts';
import { loadJudgedPolicy, secondOpinion } from '../../../src/core/policy/second-opinion.ts';
import { TEXT_AT, hostilePolicy } from '../../support/hostile-policy.ts';
import { STILL_WORLD, compileRules, load, sourceOf } from '../../support/policy-host.ts';
import { compileRego } from '../../support/rego.ts';
import type { CompiledRego } from '../../support/rego.ts';
import { i32 } from '../../support/wasm-assembler.ts';

const OPTIONS = STILL_WORLD;

async function verdict(rules: string, data: unknown = {}): Promise<string> {
  const loaded = await loadJudgedPolicy({ ...(await compileRules(rules)), data }, OPTIONS);
  return loaded.ok ? 'agreed' : describeLoadProblem(loaded.error);
}

function compiled(wasm: Uint8Array): PolicyModule {
  const module = compilePolicyModuleSync(wasm);
  if (!module.ok) throw new Error(describeLoadProblem(module.error));
  return module.value;
}

const AGREED = [
  'd := true',
  'd if input.sallyport.subject == "never"',
  'd := {"allowed": count(input.parsed_path) > 1, "reasons": [r | some r in input.parsed_path]}',
  'd := input',
  'd := {"sets": {"b", "a", 10, 9, {2, 1}}, "keys": {1: {"z", "y"}}}',
  'd := data.users[input.source_principal]',
  'd := object.union(data.users, {"h": input.attributes.request.http.headers})',
  'd if regex.match("^/items/[0-9]+", input.attributes.request.http.path)',
];

for (const rules of AGREED) {
  test(`the reference evaluator agrees: ${rules}`, async () =>
    assert.equal(await verdict(rules, { users: { a: 1 } }), 'agreed'));
}

test("host built-ins give both evaluators the same answers, errors and time among them, and our sprintf is used, not the SDK's", async () => {
  const rules = [
    'd := [sprintf("%v %q %5.2f %d", [{1, 2}, "x", 1.5, input]), time.now_ns(), crypto.sha256("a"), [x | x := hex.decode("zz")]]',
    'd := object.subset({"a", "b"}, {"b"})',
    'd := {"sprintf": sprintf("%s %s", ["sprintf", input.sallyport.peer])}',
  ];
  for (const rule of rules) assert.equal(await verdict(rule), 'agreed', rule);
});

test('a policy that fails on a probe does not go live, and the probe is named', async () => {
  const conflict =
    'd := "a" if input.attributes.request.http.method == "POST"\n\nd := "b" if input.parsed_path[0] == "mcp"';
  assert.match(
    await verdict(conflict),
    /probe input "POST with a JSON body": policy_conflict: policy\.rego:\d+:\d+: var assignment conflict/,
  );
});

test('a policy that would run for ever on a probe does not go live', async () => {
  const endless =
    'd := count([1 | some a in numbers.range(1, 5000); some b in numbers.range(1, 5000); a + b < 0]) if input.sallyport.subject == "connection"';
  assert.match(await verdict(endless), /probe input "connection": policy_budget_exceeded/);
});

test("an answer that is not the reference evaluator's keeps a revision from going live", async () => {
  const module = compiled((await compileRules('d := 1')).wasm as Uint8Array);
  const other = load(await compileRules('d := 2'));
  const opinion = await secondOpinion(other, module, {}, PROBES);
  assert.deepEqual(opinion, err({ kind: 'probe_disagrees', probe: 'GET with headers', detail: 'the answers differ' }));
});

function withPlan(rules: string): Promise<CompiledRego> {
  return compileRego({ source: `package t\n\n${rules}\n`, entrypoints: ['t/d'] });
}

test('a plan of another policy is found: what it says is read gives another answer than the whole input', async () => {
  const path = await withPlan('d := input.attributes.request.http.path');
  const method = await withPlan('d := input.attributes.request.http.method');
  const source = { wasm: path.policyWasm, data: {}, entrypoint: 't/d', bundles: {} };
  assert.ok((await loadJudgedPolicy({ ...source, plan: path.plan }, OPTIONS)).ok);
  const loaded = await loadJudgedPolicy({ ...source, plan: method.plan }, OPTIONS);
  assert.ok(!loaded.ok && loaded.error.kind === 'probe_disagrees');
  assert.match(loaded.error.detail, /what the plan says is read/);
});

test('defined against undefined, and a missing entrypoint, are differences', async () => {
  const module = compiled((await compileRules('d if input.never')).wasm as Uint8Array);
  const opinion = await secondOpinion(load(await compileRules('d := true')), module, {}, PROBES);
  assert.ok(!opinion.ok && opinion.error.kind === 'probe_disagrees');
  const elsewhere = await secondOpinion(load(await compileRules('e := true', ['t/e'])), module, {}, PROBES);
  assert.ok(!elsewhere.ok && elsewhere.error.kind === 'probe_disagrees');
  assert.match(elsewhere.error.detail, /entrypoint t\/e is not valid/);
});

test('another order or number of built-in calls is a difference', async () => {
  const module = compiled((await compileRules('d := [hex.encode("a"), crypto.md5("b")]')).wasm as Uint8Array);
  const honest = load({ ...(await compileRules('d := [hex.encode("a"), crypto.md5("b")]')) });
  for (const change of [
    (calls: readonly unknown[]) => calls.slice(1),
    (calls: readonly unknown[]) => calls.toReversed(),
    (calls: readonly unknown[]) => [...calls, calls[0]],
  ]) {
    const trace: LoadedPolicy['trace'] = (input) => {
      const traced = honest.trace(input);
      return { ...traced, calls: change(traced.calls) as typeof traced.calls };
    };
    const evaluate: LoadedPolicy['evaluate'] = (input) => honest.evaluate(input);
    const opinion = await secondOpinion(
      Object.assign(Object.create(honest) as LoadedPolicy, { trace, evaluate }),
      module,
      {},
      PROBES,
    );
    assert.ok(!opinion.ok && opinion.error.kind === 'probe_disagrees');
    assert.match(opinion.error.detail, /reference evaluator failed: it calls/);
  }
});

test('a module that behaves with us and runs for ever with the reference evaluator is stopped by the meter', async () => {
  // `opa_json_parse` is asked once by our host, for the data, and again by the SDK in its own way: with `{}` first.
  const secondTime = [...i32(TEXT_AT.own), 0x2d, 0, 0, ...i32(49), 0x47, 0x04, 0x40, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b];
  const remember = [...i32(TEXT_AT.own), ...i32(50), 0x3a, 0, 0];
  const wasm = hostilePolicy({ text: '1', code: { opa_json_parse: [...secondTime, ...remember, ...i32(1)] } });
  const loaded = await loadJudgedPolicy(sourceOf(wasm), OPTIONS);
  assert.ok(!loaded.ok);
  assert.deepEqual(loaded.error, {
    kind: 'probe_disagrees',
    probe: 'all',
    detail: 'the reference evaluator failed: unreachable',
  });
});

test('what cannot be loaded is not asked about', async () => {
  const broken = await loadJudgedPolicy(sourceOf(new Uint8Array([0])), OPTIONS);
  assert.ok(!broken.ok && broken.error.kind === 'module_invalid');
  const missing = await loadJudgedPolicy({ ...(await compileRules('d := 1')), entrypoint: 't/x' }, OPTIONS);
  assert.ok(!missing.ok && missing.error.kind === 'entrypoint_missing');
});

test('every probe is an input like those of the gate: an object within the bounds, with the keys that are always there', () => {
  assert.deepEqual(
    PROBES.map(({ name }) => name),
    ['GET with headers', 'GET without headers', 'POST with a JSON body', 'gRPC call', 'connection'],
  );
  for (const { input } of PROBES) {
    assert.deepEqual(input.version, { ext_authz: 'v3', encoding: 'protojson' });
    assert.equal(input.sallyport.subject, input.attributes.request === undefined ? 'connection' : 'request');
  }
});

test('hiding a built-in renames its declaration and nothing else', async () => {
  const source = await compileRules('d := ["sprintf", sprintf("%d", [1])]');
  const module = compiled(source.wasm as Uint8Array);
  const hidden = hideBuiltin(module.metered, 'sprintf');
  assert.equal(hidden.filter((byte, at) => byte !== module.metered[at]).length, 1);
  assert.equal(hiddenName('sprintf'), 'sprint!');
  assert.equal(hideBuiltin(module.metered, 'no.such.name'), module.metered);
  const builtins = new Map([
    [hiddenName('sprintf'), HOST_BUILTINS.get('sprintf') as NonNullable<ReturnType<typeof HOST_BUILTINS.get>>],
  ]);
  const renamed = { ...module, module: new WebAssembly.Module(hidden), metered: hidden };
  const evaluation = load({ ...source, wasm: renamed }, { builtins }).query('t/d', {});
  assert.ok(evaluation.kind === 'defined');
  assert.deepEqual(evaluation.value, ['sprintf', '1']);
});
