import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Evaluation } from '../../../src/core/model/policy.ts';
import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import { loadPolicy } from '../../../src/core/policy/host.ts';
import type { PolicyOptions } from '../../../src/core/policy/host.ts';
import { describeLoadProblem } from '../../../src/core/policy/load-problem.ts';
import { compilePolicyModule } from '../../../src/core/policy/policy-module.ts';
import { PROBES } from '../../../src/core/policy/probe-inputs.ts';
import { HEAP_AT, TEXT_AT, hostilePolicy } from '../../support/hostile-policy.ts';
import type { HostilePolicy } from '../../support/hostile-policy.ts';
import { ENTRYPOINT, STILL_WORLD, compileRules, load, loadRules, sourceOf } from '../../support/policy-host.ts';
import { compileRego } from '../../support/rego.ts';
import { i32 } from '../../support/wasm-assembler.ts';

const GET = (PROBES[0] as (typeof PROBES)[number]).input;

function problem(wasm: Uint8Array, options: Partial<PolicyOptions> = {}): string {
  const result = loadPolicy(sourceOf(wasm), { ...STILL_WORLD, ...options });
  assert.ok(!result.ok, 'it loaded');
  return describeLoadProblem(result.error);
}

test('a policy is loaded once and says what it is', async () => {
  const source = await compileRules('d if hex.encode(input.a) == data.want');
  const policy = load({ ...source, data: { want: '61' } });
  assert.match(policy.digest, /^[0-9a-f]{64}$/);
  assert.deepEqual(policy.entrypoints, [ENTRYPOINT]);
  assert.deepEqual(policy.builtins, ['hex.encode']);
  assert.deepEqual(policy.bundles, { test: { revision: '1' } });
  assert.deepEqual([policy.deterministic, policy.mask, policy.drop], [true, undefined, undefined]);
  assert.deepEqual(policy.needs, { parsedBody: true, rawBody: true, parsedQuery: true, peerCertificate: true });
});

test('the digest is of policy.wasm as delivered, however it was compiled', async () => {
  const source = await compileRules('d := 1');
  const module = await compilePolicyModule(source.wasm as Uint8Array);
  assert.ok(module.ok);
  assert.equal(load({ ...source, wasm: module.value }).digest, load(source).digest);
});

const UNUSABLE: readonly (readonly [string, HostilePolicy, RegExp])[] = [
  ['an export of the ABI is missing', { without: 'opa_eval' }, /does not export opa_eval/],
  ['ABI 1.1, which has no opa_eval', { minor: 1 }, /version 1\.1/],
  ['names that are no JSON', { entrypoints: 'x' }, /cannot be used/],
  ['names that are a number', { entrypoints: '5' }, /names are unreadable/],
  ['an id that is no integer', { builtins: '{"a":"b"}' }, /names are unreadable/],
  ['no entrypoint of that name', { entrypoints: '{"t/other":0}' }, /no entrypoint t\/d; it has t\/other/],
  ['no entrypoint at all', { entrypoints: '{}' }, /it has none/],
  ['names without an end', { code: { entrypoints: i32(-1) } }, /names are unreadable/],
  ['data that the module cannot parse', { code: { opa_json_parse: i32(0) } }, /cannot be parsed/],
  ['a heap that never grows', { code: { opa_heap_ptr_get: i32(131_072) } }, /heap does not grow/],
  ['a heap below the stack', { code: { opa_heap_ptr_get: i32(1) } }, /not laid out/],
  ['a heap beyond memory', { code: { opa_heap_ptr_get: i32(-1) } }, /cannot be used|not laid out|does not fit/],
  ['an endless loop while names are read', { code: { builtins: [0x03, 0x40, 0x0c, 0, 0x0b, 0x00] } }, /step budget/],
];

for (const [what, policy, reason] of UNUSABLE) {
  test(`a module that is no policy is refused with the reason: ${what}`, () => {
    assert.match(problem(hostilePolicy(policy)), reason);
  });
}

test('a start function that never ends is stopped by the budget that the module is born with', () => {
  const endless = hostilePolicy({ startCode: [0x03, 0x40, 0x0c, 0, 0x0b] });
  assert.match(problem(endless), /not a usable policy module/);
});

test('bytes that are no module, and memory that a module does not fit, are refused', () => {
  assert.match(problem(new Uint8Array([1, 2, 3])), /not a usable policy module/);
  assert.match(problem(hostilePolicy({}), { memoryBytes: 65_536 }), /not a usable policy module/);
  assert.match(problem(hostilePolicy({}), { memoryBytes: 1 << 20 }), /does not fit/);
});

test('an evaluation may give back any address: what is not there is a fault', () => {
  const texts: readonly (readonly [number, string, string])[] = [
    [-1, '', 'policy_result_invalid'],
    [0, '', 'policy_result_invalid'],
    [TEXT_AT.own, '{{"result": 1}, {"result": 2}}', 'policy_result_invalid'],
    [TEXT_AT.own, '{{"answer": 1}}', 'policy_result_invalid'],
    [TEXT_AT.own, '{null}', 'policy_result_invalid'],
    [TEXT_AT.own, '{"result": true}', 'policy_result_invalid'],
    [TEXT_AT.own, 'true', 'policy_result_invalid'],
    [TEXT_AT.own, '', 'policy_result_invalid'],
    [TEXT_AT.own, '{{"result": true}} ', 'policy_result_invalid'],
    [TEXT_AT.own, '{{"result": [1e999]}}', 'policy_result_invalid'],
    [TEXT_AT.own, '{{"result": {1e999}}}', 'policy_result_invalid'],
    [TEXT_AT.own, '{{"result": }}', 'policy_result_invalid'],
    [TEXT_AT.own, '{{"result": 1e}}', 'policy_result_invalid'],
    [TEXT_AT.own, '{{"result": [1e, {}]}}', 'policy_result_invalid'],
    [TEXT_AT.own, '{{"result": {1, 2}}}', 'defined'],
    [TEXT_AT.own, '{{"result": null}}', 'defined'],
    [TEXT_AT.own, 'set()', 'undefined'],
  ];
  for (const [address, text, kind] of texts) {
    const evaluation = load(sourceOf(hostilePolicy({ code: { opa_eval: i32(address) }, text }))).query(ENTRYPOINT, {});
    assert.equal(evaluation.kind === 'failed' ? evaluation.fault.code : evaluation.kind, kind, `${address} ${text}`);
  }
});

test('an answer of more than a megabyte is a fault', async () => {
  const policy = await loadRules('d := concat("", [input.x, input.x, input.x])', { budget: 2 ** 31 - 1 });
  const ask = (length: number): Evaluation => policy.query(ENTRYPOINT, { x: 'x'.repeat(length) });
  assert.equal(ask(340_000).kind, 'defined');
  const tooLong = ask(350_000);
  assert.ok(tooLong.kind === 'failed');
  assert.equal(tooLong.fault.code, 'policy_result_invalid');
});

test('growing by no pages, which detaches the buffer, harms nothing', () => {
  const policy = load(
    sourceOf(hostilePolicy({ code: { opa_eval: [...i32(0), 0x40, 0, 0x1a, ...i32(TEXT_AT.allow)] } })),
  );
  for (let i = 0; i < 3; i += 1) assert.equal(policy.query(ENTRYPOINT, {}).kind, 'defined');
});

test('a module cannot keep a state between evaluations in its static data or its stack pointer', () => {
  // Counts in static data, answers with the count as the address: 0 the first time only, if anything were kept.
  const count = [...i32(TEXT_AT.own), ...i32(TEXT_AT.own), 0x2d, 0, 0, ...i32(1), 0x6a, 0x3a, 0, 0];
  const answer = [
    ...i32(TEXT_AT.own),
    0x2d,
    0,
    0,
    ...i32(50),
    0x46,
    0x04,
    0x7f,
    ...i32(TEXT_AT.allow),
    0x05,
    ...i32(0),
    0x0b,
  ];
  const spoil = [...i32(4), 0x24, 0];
  const policy = load(sourceOf(hostilePolicy({ text: '1', code: { opa_eval: [...count, ...spoil, ...answer] } })));
  const evaluations = [1, 2, 3].map(() => policy.query(ENTRYPOINT, {}).kind);
  assert.deepEqual(evaluations, ['defined', 'defined', 'defined']);
});

test('an instance that trapped in an unknown way is replaced: what it wrote over the data is not seen again', () => {
  // For an input of two bytes (`{}`): write over the data's text and trap. For any other: answer if the text still begins with a brace.
  const spoil = [...i32(HEAP_AT), ...i32(0), 0x3a, 0, 0, ...i32(-8), 0x28, 2, 0, 0x1a];
  const intact = [
    ...i32(HEAP_AT),
    0x2d,
    0,
    0,
    ...i32(0x7b),
    0x46,
    0x04,
    0x7f,
    ...i32(TEXT_AT.allow),
    0x05,
    ...i32(0),
    0x0b,
  ];
  const code = [0x20, 4, ...i32(2), 0x46, 0x04, 0x40, ...spoil, 0x0b, ...intact];
  const policy = load(sourceOf(hostilePolicy({ code: { opa_eval: code } })));
  for (let round = 0; round < 3; round += 1) {
    assert.equal(policy.query(ENTRYPOINT, { a: 1 }).kind, 'defined');
    assert.equal(policy.query(ENTRYPOINT, {}).kind, 'failed');
  }
});

test('an input is bounded in bytes of UTF-8, not in characters', async () => {
  const policy = await loadRules('d := count(input.x)', { inputBytes: 1000 });
  const kind = (x: string): string => {
    const evaluation = policy.query(ENTRYPOINT, { x });
    return evaluation.kind === 'failed' ? evaluation.fault.code : evaluation.kind;
  };
  assert.equal(kind('x'.repeat(1000 - 8)), 'defined');
  assert.equal(kind('x'.repeat(1000 - 7)), 'policy_input_too_large');
  assert.equal(kind('\u2603'.repeat(400)), 'policy_input_too_large');
  assert.equal(kind('x'.repeat(1000 - 8)), 'defined');
});

test('system/log/mask and system/log/drop are there when the policy has them', async () => {
  const compiled = await compileRego({
    files: {
      'a.rego': 'package t\n\nd := true\n',
      'log.rego': 'package system.log\n\nmask contains "/input/secret"\n\ndrop if input.path == "/healthz"\n',
    },
    entrypoints: [ENTRYPOINT, 'system/log/mask', 'system/log/drop'],
  });
  const policy = load({ wasm: compiled.policyWasm, data: {}, entrypoint: ENTRYPOINT, bundles: {} });
  const mask = policy.mask?.({ path: '/x' });
  assert.ok(mask?.kind === 'defined');
  assert.deepEqual(mask.value, ['/input/secret']);
  assert.equal(policy.drop?.({ path: '/x' }).kind, 'undefined');
  assert.equal(policy.drop?.({ path: '/healthz' }).kind, 'defined');
  assert.equal(policy.mask?.('no object').kind, 'failed');
});

test('with a plan, only what is read is sent, and it is the key under which a decision is remembered', async () => {
  const rules = 'package t\n\nimport rego.v1\n\nd := {"reasons": [input.attributes.request.http.method]}\n';
  const compiled = await compileRego({ source: rules, entrypoints: [ENTRYPOINT] });
  const policy = load({
    wasm: compiled.policyWasm,
    plan: compiled.plan,
    data: {},
    entrypoint: ENTRYPOINT,
    bundles: {},
  });
  assert.equal(policy.needs.parsedBody, false);
  const first = policy.evaluate(GET);
  const other: PolicyInput = { ...GET, parsed_path: ['elsewhere'] };
  const again = policy.evaluate(other);
  assert.ok(first.kind === 'defined' && again.kind === 'defined');
  assert.deepEqual([first.cached, again.cached], [false, true]);
  assert.deepEqual(again, { ...first, cached: true });
  assert.throws(() => {
    (again.value as { reasons: string[] }).reasons.push('x');
  }, TypeError);
  const uncached = load(
    { wasm: compiled.policyWasm, plan: compiled.plan, data: {}, entrypoint: ENTRYPOINT, bundles: {} },
    { cacheEntries: 0 },
  );
  assert.deepEqual([uncached.evaluate(GET), uncached.evaluate(GET)], [first, first]);
});

test('nothing is remembered where time decides, or after a failure', async () => {
  for (const rule of [
    'd if time.now_ns() > 0',
    'd := {k: v | some [k, v] in [["a", input.version.encoding], ["a", 1]]}',
  ]) {
    const compiled = await compileRego({
      source: `package t\n\nimport rego.v1\n\n${rule}\n`,
      entrypoints: [ENTRYPOINT],
    });
    const policy = load({
      wasm: compiled.policyWasm,
      plan: compiled.plan,
      data: {},
      entrypoint: ENTRYPOINT,
      bundles: {},
    });
    policy.evaluate(GET);
    const second = policy.evaluate(GET);
    assert.notEqual('cached' in second && second.cached, true, rule);
  }
});

test("a set in an answer is an array in Rego's order, and a key that is no string is its JSON, as OPA writes them", async () => {
  const rules = `d := {
	"sets": [{"b", "a", 10, 9, 2.5, null, true, "é", "😀", "\\uffff", [1], {"k": 1}, {2, 1}}, set()],
	"keys": {1: "n", [true]: {"x": {"z", "y"}}, {3, 2}: 0, "__proto__": 1, {"b": "<", "a": {"z", "y"}}: 4},
}`;
  const answer = (await loadRules(rules)).query(ENTRYPOINT, {});
  assert.ok(answer.kind === 'defined');
  const { sets, keys } = answer.value as { sets: unknown; keys: object };
  const wanted = [null, true, 2.5, 9, 10, 'a', 'b', 'é', '\uffff', '😀', [1], { k: 1 }, [1, 2]];
  assert.deepEqual(sets, [wanted, []]);
  const entries = Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1));
  const plain = JSON.stringify(entries);
  assert.equal(
    plain,
    '[["1","n"],["[2,3]",0],["[true]",{"x":["y","z"]}],["__proto__",1],["{\\"a\\":[\\"y\\",\\"z\\"],\\"b\\":\\"\\\\u003c\\"}",4]]',
  );
});

test('numbers without a digit before the point, as Rego may write them, are numbers in answers and for built-ins', async () => {
  const answer = (
    await loadRules('d := [.5, -.5, sprintf("%.2f %v", [.25, {-.5}]), {1 | object.subset([.5], [0.5])}]')
  ).query(ENTRYPOINT, {});
  assert.deepEqual(answer.kind === 'defined' && answer.value, [0.5, -0.5, '0.25 {-.5}', [1]]);
});
