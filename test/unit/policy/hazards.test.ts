import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HOST_BUILTINS } from '../../../src/core/policy/builtins/table.ts';
import type { Builtin } from '../../../src/core/policy/builtin.ts';
import { loadPolicy } from '../../../src/core/policy/host.ts';
import { inputText } from '../../../src/core/policy/input-text.ts';
import { boot, prepare } from '../../../src/core/policy/instance-image.ts';
import { compilePolicyModuleSync } from '../../../src/core/policy/policy-module.ts';
import type { Evaluation } from '../../../src/core/model/policy.ts';
import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import { TEXT_AT, hostilePolicy } from '../../support/hostile-policy.ts';
import { ENTRYPOINT, STILL_WORLD, compileRules, load, loadRules, sourceOf } from '../../support/policy-host.ts';
import { i32 } from '../../support/wasm-assembler.ts';

function code(evaluation: Evaluation): string {
  return evaluation.kind === 'failed' ? evaluation.fault.code : evaluation.kind;
}

function ones(count: number): unknown {
  return { xs: Array.from({ length: count }, () => 1) };
}

function nested(depth: number): unknown {
  return JSON.parse(`{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`);
}

/** Text that JSON refuses, and that OPA's parser in the module accepts or takes for undefined. */
const MALFORMED = ['[1 2]', '[1,]', '{1:2}', '01', '{"a":1} } garbage', '{"a":1,"a":2}', '', 'nul', '{"a":'];

test('hazard 1.: malformed JSON is undefined input to the module, which then allows; the host never passes text on', async () => {
  const source = await compileRules('d if not input.x');
  const module = compilePolicyModuleSync(source.wasm as Uint8Array);
  assert.ok(module.ok);
  const options = {
    memoryBytes: 4 << 20,
    budget: 2e8,
    inputBytes: 1 << 16,
    ...STILL_WORLD,
    builtins: HOST_BUILTINS,
  };
  const booted = boot(module.value.module, options);
  assert.ok(booted.ok);
  const image = prepare(booted.value, '{}', options);
  assert.ok(image.ok);
  const { guest, exports } = booted.value;
  const { heapStart, dataAddress } = image.value;
  const length = guest.write('{"x":', heapStart, 100) ?? 0;
  const answer = exports.evaluate(0, 0, dataAddress, heapStart, length, heapStart + length, 0);
  assert.equal(guest.text(answer, 100), '[{"result":true}]', 'the module no longer fails open: the comment can go');
  const policy = load(source);
  for (const text of MALFORMED) assert.equal(code(policy.query(ENTRYPOINT, text)), 'policy_input_invalid');
});

test('hazard 2.: an encoder that writes anything but an object is refused before the lenient parser sees it', () => {
  for (const written of ['[{"a":1}]', 'null', '"{}"', ' {"a":1}', '', undefined]) {
    const text = inputText({}, () => written, 256);
    assert.ok(!text.ok);
    assert.equal(text.error.code, 'policy_input_invalid');
  }
});

test('hazard 3.: falsy inputs, which the SDK sends as no input, are never evaluated', async () => {
  const policy = await loadRules('d if true');
  for (const input of [null, 0, false, '', NaN, 0n])
    assert.equal(code(policy.query(ENTRYPOINT, input)), 'policy_input_invalid');
  assert.equal(code(policy.evaluate(undefined as unknown as PolicyInput)), 'policy_input_invalid');
  assert.equal(code(policy.query(ENTRYPOINT, {})), 'defined');
});

test('hazard 4.: lone surrogates in keys and values, at any depth, are a fault of their own', async () => {
  const policy = await loadRules('d := input.x');
  for (const x of ['\ud800', 'a\udc00b', { '\ud83d': 1 }, [[{ k: 'x\\\ud800' }]]]) {
    assert.equal(code(policy.query(ENTRYPOINT, { x })), 'policy_input_invalid');
  }
  for (const x of ['\u{1d11e}', '\\ud800', '\\\\ud800', '\u0000\u001f\u007f\u2028\ufffe']) {
    const evaluation = policy.query(ENTRYPOINT, { x });
    assert.ok(evaluation.kind === 'defined', JSON.stringify(x));
    assert.equal(evaluation.value, x);
  }
});

const THROWERS: readonly (readonly [string, readonly number[], string, RegExp])[] = [
  ['unreachable, with budget left', [0x00], 'policy_failed', /RuntimeError: unreachable/],
  ['a division by zero', [...i32(1), ...i32(0), 0x6d], 'policy_failed', /divide by zero/],
  ['memory out of bounds', [...i32(-8), 0x28, 2, 0], 'policy_failed', /out of bounds/],
  ['an abort with a message that is not there', [...i32(-1), 0x10, 0, ...i32(0)], 'policy_failed', /unreadable abort/],
  ['an abort with a message of its own', [...i32(TEXT_AT.own), 0x10, 0, ...i32(0)], 'policy_failed', /^boom$/],
  ['a built-in that the module never declared', [...i32(7), ...i32(0), 0x10, 1], 'policy_failed', /unknown built-in 7/],
  ['an endless loop', [0x03, 0x40, 0x0c, 0, 0x0b, ...i32(0)], 'policy_budget_exceeded', /budget/],
  [
    'endless recursion',
    [...[0, 1, 2, 3, 4, 5, 6].flatMap((local) => [0x20, local]), 0x10, 15],
    'policy_failed',
    /RangeError: Maximum call stack/,
  ],
];

for (const [what, body, fault, detail] of THROWERS) {
  test(`hazard 5.: whatever is thrown is a denial, and the next evaluation works: ${what}`, () => {
    // Throws for an input of two bytes (`{}`) and answers for any other.
    const guarded = [0x20, 4, ...i32(2), 0x46, 0x04, 0x40, ...body, 0x1a, 0x0b, ...i32(TEXT_AT.allow)];
    const policy = load(sourceOf(hostilePolicy({ code: { opa_eval: guarded }, text: 'boom' })));
    for (let round = 0; round < 3; round += 1) {
      const evaluation = policy.query(ENTRYPOINT, {});
      assert.ok(evaluation.kind === 'failed');
      assert.equal(evaluation.fault.code, fault);
      assert.match(evaluation.fault.detail, detail);
      assert.deepEqual(code(policy.query(ENTRYPOINT, { a: 1 })), 'defined');
    }
  });
}

test('hazard 6.: data that fails to load leaves the active revision as it was, since every revision is a new instance', async () => {
  const source = await compileRules('d := data.users[input.user]');
  const active = load({ ...source, data: { users: { ann: true } } });
  const options = STILL_WORLD;
  const problems = [
    loadPolicy({ ...source, data: { users: '\ud800' } }, options),
    loadPolicy({ ...source, data: [1, 2] }, options),
    loadPolicy({ ...source, data: undefined }, options),
    loadPolicy({ ...source, data: { users: Array.from({ length: 300_000 }, () => 1) } }, options),
    loadPolicy({ ...source, data: { big: 'x'.repeat(20 << 20) } }, options),
  ];
  assert.deepEqual(
    problems.map((result) => (result.ok ? 'loaded' : result.error.kind)),
    ['data_invalid', 'data_invalid', 'data_invalid', 'memory_exceeded', 'memory_exceeded'],
  );
  assert.deepEqual(active.query(ENTRYPOINT, { user: 'ann' }), {
    ...active.query(ENTRYPOINT, { user: 'ann' }),
    value: true,
  });
});

/** OPA's hash of a string in the module is 32-bit FNV-1 without a seed; object buckets are its remainder by a power of two. */
function fnv1(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash, 0x01000193) ^ text.charCodeAt(at);
  return hash >>> 0;
}

function headers(count: number, colliding: boolean): Record<string, string> {
  const found: Record<string, string> = {};
  for (let i = 0, left = count; left > 0; i += 1) {
    const name = `x-${i.toString(36)}`;
    if (colliding && fnv1(name) % 4096 !== 0) continue;
    found[name] = 'v';
    left -= 1;
  }
  return found;
}

test('hazard 7.: header names chosen to collide in the module cost many times the steps of others, and the budget ends 1,400 of them', async () => {
  const policy = await loadRules('d := count(input.headers)');
  const plain = policy.query(ENTRYPOINT, { headers: headers(300, false) });
  const hostile = policy.query(ENTRYPOINT, { headers: headers(300, true) });
  assert.deepEqual([code(plain), code(hostile)], ['defined', 'defined']);
  assert.ok(hostile.steps > 5 * plain.steps, `${hostile.steps} against ${plain.steps}`);
  assert.equal(code(policy.query(ENTRYPOINT, { headers: headers(1400, false) })), 'defined');
  assert.equal(code(policy.query(ENTRYPOINT, { headers: headers(1400, true) })), 'policy_budget_exceeded');
  assert.deepEqual(policy.query(ENTRYPOINT, { headers: headers(300, false) }), plain);
});

test('hazard 8.: small integers take 96 times their bytes; memory does not grow, and what does not fit is denied', async () => {
  const policy = await loadRules('d := count(input.xs)', { budget: 2 ** 31 - 1 });
  assert.equal(code(policy.query(ENTRYPOINT, ones(30_000))), 'defined');
  assert.equal(code(policy.query(ENTRYPOINT, ones(250_000))), 'policy_memory_exceeded');
  assert.equal(code(policy.query(ENTRYPOINT, ones(300_000))), 'policy_input_too_large');
  assert.equal(code(policy.query(ENTRYPOINT, ones(30_000))), 'defined');
});

test('hazard 9.: an input nested 257, 10,000 or 1,000,000 deep is refused before it is evaluated', async () => {
  const policy = await loadRules('d := count(input)');
  assert.equal(code(policy.query(ENTRYPOINT, nested(256))), 'defined');
  for (const depth of [257, 10_000, 1_000_000]) {
    const evaluation = policy.query(ENTRYPOINT, nested(depth));
    assert.deepEqual([code(evaluation), evaluation.steps], ['policy_input_too_large', 0]);
  }
});

test('hazard 10.: numbers that JavaScript cannot hold are a fault, not Infinity', async () => {
  const policy = await loadRules('d := json.unmarshal(input.text)');
  const ask = (text: string): Evaluation => policy.query(ENTRYPOINT, { text });
  for (const text of ['1e400', '-1e400', `[{"a":1${'0'.repeat(400)}}]`])
    assert.equal(code(ask(text)), 'policy_result_invalid');
  const large = ask('[1e300, "1e999", 12345678901234567890]');
  assert.ok(large.kind === 'defined');
  assert.deepEqual(large.value, [1e300, '1e999', 12345678901234567000]);
});

test('hazard 10.: an exponent of nine digits ends in a fault within the budget', async () => {
  const policy = await loadRules('d if to_number(input.text) > 1');
  const evaluation = policy.query(ENTRYPOINT, { text: '1e999999999' });
  assert.equal(evaluation.kind, 'failed');
  assert.ok(evaluation.steps < 200_100_000);
});

test('hazard 11.: a built-in that fails makes its expression undefined, says so, and the decision goes on', async () => {
  const policy = await loadRules('d := "known" if hex.decode(input.text) == "a"\nelse := "other"');
  const evaluation = policy.query(ENTRYPOINT, { text: 'zz' });
  assert.ok(evaluation.kind === 'defined');
  assert.equal(evaluation.value, 'other');
  assert.deepEqual(evaluation.builtinErrors, ['hex.decode: invalid hexadecimal']);
  const next = policy.query(ENTRYPOINT, { text: '61' });
  assert.ok(next.kind === 'defined');
  assert.deepEqual([next.value, next.builtinErrors], ['known', undefined]);
});

test('hazard 11.: a bug in a built-in is a denial, not undefined: `not` would turn it into an allow', async () => {
  const broken: Builtin = {
    arity: 1,
    call: () => {
      throw new TypeError('bug');
    },
  };
  const builtins = new Map([...HOST_BUILTINS, ['hex.decode', broken] as const]);
  const policy = await loadRules('d if not hex.decode(input.text)', { builtins });
  const evaluation = policy.query(ENTRYPOINT, { text: '61' });
  assert.ok(evaluation.kind === 'failed');
  assert.deepEqual([evaluation.fault.code, evaluation.fault.detail], ['policy_failed', 'TypeError: bug']);
});

test('hazard 12.: time stands still within one decision and goes on with the next', async () => {
  let now = 1_700_000_000_000;
  const clock = { wallMs: () => (now += 1), monotonicMs: () => 0 };
  const policy = await loadRules(
    'd := [time.now_ns(), time.now_ns(), same] if { same := time.now_ns() == time.now_ns() }',
    { clock },
  );
  const [first, second] = [policy.query(ENTRYPOINT, {}), policy.query(ENTRYPOINT, {})];
  assert.ok(first.kind === 'defined' && second.kind === 'defined');
  assert.deepEqual(first.value, [1_700_000_000_001_000_000, 1_700_000_000_001_000_000, true]);
  assert.deepEqual(second.value, [1_700_000_000_002_000_000, 1_700_000_000_002_000_000, true]);
  assert.deepEqual(second.ndBuiltinCache, { 'time.now_ns': { '[]': 1_700_000_000_002_000_000 } });
});

test('hazard 13.: a policy that is cubic in its input is stopped, and the same policy answers for a small input', async () => {
  const policy = await loadRules(
    'd := count([1 | some x in input.xs; some y in input.xs; some z in input.xs; x + y + z == 0])',
  );
  const ask = (length: number): Evaluation => policy.query(ENTRYPOINT, { xs: Array.from({ length }, (_, i) => i) });
  assert.equal(code(ask(20)), 'defined');
  const stopped = ask(400);
  assert.equal(code(stopped), 'policy_budget_exceeded');
  assert.ok(stopped.steps < 200_100_000);
});

test('hazard 13.: repetition inside one built-in is stopped as well: numbers.range, sprintf, concat', async () => {
  const rules = [
    'd := count(numbers.range(0, 100000000))',
    'd := [s | some i in numbers.range(0, 100000); s := sprintf("%09000d", [i])]',
  ];
  for (const rule of rules) {
    const evaluation = (await loadRules(rule)).query(ENTRYPOINT, {});
    assert.equal(code(evaluation), 'policy_budget_exceeded', rule);
  }
});

test('hazard 14.: replacing a part of a scalar input, an out-of-bounds access in the module, cannot come up: input is an object', async () => {
  const policy = await loadRules('d if { p with input.x as 1 }\n\np if input.x == 1');
  assert.equal(code(policy.query(ENTRYPOINT, 'text')), 'policy_input_invalid');
  assert.equal(code(policy.query(ENTRYPOINT, {})), 'defined');
});

test('trap: an undefined result is undefined, not false', async () => {
  const policy = await loadRules('d if input.x');
  assert.deepEqual(policy.query(ENTRYPOINT, {}), {
    kind: 'undefined',
    steps: policy.query(ENTRYPOINT, {}).steps,
    cached: false,
  });
});

test('trap: maximum memory hit, then recovery: the next evaluation has the whole heap again', async () => {
  const policy = await loadRules('d := count(input.xs)', { memoryBytes: 3 << 20, inputBytes: 1 << 17 });
  const ask = (length: number): string => code(policy.query(ENTRYPOINT, { xs: Array.from({ length }, () => 1) }));
  assert.deepEqual(
    [ask(10_000), ask(60_000), ask(10_000), ask(60_000), ask(10_000)],
    ['defined', 'policy_memory_exceeded', 'defined', 'policy_memory_exceeded', 'defined'],
  );
});

test('trap: a policy that needs built-ins which are not here is refused at load, with all their names', () => {
  const builtins = '{"http.send":0,"hex.decode":1,"net.lookup_ip_addr":2,"ask.oracle":3}';
  const result = loadPolicy(sourceOf(hostilePolicy({ builtins })), STILL_WORLD);
  assert.ok(!result.ok);
  assert.deepEqual(result.error, {
    kind: 'builtins_missing',
    names: ['ask.oracle', 'http.send', 'net.lookup_ip_addr'],
  });
});

test('trap: entrypoints are asked by name only; positions differ between builds', async () => {
  const names = ['t/b', 't/a', 't/c'];
  const source = await compileRules('a := "a"\n\nb := "b"\n\nc := "c"', names);
  for (const [rule, entrypoint] of [
    ['a', 't/a'],
    ['b', 't/b'],
    ['c', 't/c'],
  ] as const) {
    const evaluation = load({ ...source, entrypoint }).trace({}).evaluation;
    assert.ok(evaluation.kind === 'defined');
    assert.equal(evaluation.value, rule);
  }
  const missing = loadPolicy({ ...source, entrypoint: '0' }, STILL_WORLD);
  assert.ok(!missing.ok);
  assert.deepEqual(missing.error, { kind: 'entrypoint_missing', entrypoint: '0', available: ['t/a', 't/b', 't/c'] });
  assert.equal(code(load({ ...source, entrypoint: 't/a' }).query('constructor', {})), 'policy_failed');
});
