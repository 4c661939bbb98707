import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { HOST_BUILTINS } from '../../../src/core/policy/builtins/table.ts';
import { boot, install, prepare } from '../../../src/core/policy/instance-image.ts';
import type { LoadedPolicy } from '../../../src/core/policy/host.ts';
import { compilePolicyModuleSync } from '../../../src/core/policy/policy-module.ts';
import type { Evaluation } from '../../../src/core/model/policy.ts';
import { ENTRYPOINT, STILL_WORLD, compileRules, load, loadRules } from '../../support/policy-host.ts';

/** One policy with every way to end: an answer, a conflict of rules, a conflict of objects, an endless search, an exhausted heap. */
const EVERY_END = `
d := "a" if input.kind in {"answer", "conflict"}
d := "b" if input.kind == "conflict"
d := {k: v | some pair in input.pairs; k := pair[0]; v := pair[1]} if input.kind == "object"
d := count([1 | some x in input.xs; some y in input.xs; some z in input.xs; x + y + z < 0]) if input.kind == "endless"
d := count([x | some i in numbers.range(1, 100000); x := concat("", [input.text, input.text])]) if input.kind == "memory"
d := regex.match(input.pattern, "aaa") if input.kind == "regex"
`;

const ENDS = {
  answer: { kind: 'answer' },
  conflict: { kind: 'conflict' },
  object: {
    kind: 'object',
    pairs: [
      ['k', 1],
      ['k', 2],
    ],
  },
  endless: { kind: 'endless', xs: Array.from({ length: 300 }, (_, i) => i) },
  memory: { kind: 'memory', text: 'x'.repeat(2000) },
  regex: { kind: 'regex', pattern: '^a+$' },
} as const;

let policy: LoadedPolicy;

before(async () => {
  policy = await loadRules(EVERY_END, { budget: 20_000_000 });
});

function ask(end: keyof typeof ENDS): Evaluation {
  return policy.query(ENTRYPOINT, ENDS[end]);
}

function code(evaluation: Evaluation): string {
  return evaluation.kind === 'failed' ? evaluation.fault.code : evaluation.kind;
}

test('every end of an evaluation has its own fault', () => {
  assert.deepEqual(
    Object.keys(ENDS).map((end) => code(ask(end as keyof typeof ENDS))),
    ['defined', 'policy_conflict', 'policy_conflict', 'policy_budget_exceeded', 'policy_budget_exceeded', 'defined'],
  );
});

test('a conflict says where in the policy it is', () => {
  const evaluation = ask('conflict');
  assert.ok(evaluation.kind === 'failed');
  assert.match(evaluation.fault.detail, /^policy\.rego:\d+:\d+: var assignment conflict$/);
});

test('an instance does not rot: 100,000 conflicts leave the instance answering rightly, with the same steps (the stock SDK is dead after 510)', () => {
  const before = ask('answer');
  for (let i = 0; i < 100_000; i += 1) assert.equal(code(ask('conflict')), 'policy_conflict');
  assert.deepEqual(ask('answer'), before);
});

test('hazard 13.: a budget trap at any point leaves no trace, inside the lazy initialisation of regular expressions too', async () => {
  const source = await compileRules(EVERY_END);
  const module = compilePolicyModuleSync(source.wasm as Uint8Array);
  assert.ok(module.ok);
  const shared = { ...source, wasm: module.value };
  const whole = load(shared).query(ENTRYPOINT, ENDS.regex);
  const answer = load(shared).query(ENTRYPOINT, ENDS.answer);
  assert.ok(whole.steps > 5 * answer.steps);
  for (let part = 1; part <= 60; part += 1) {
    const budget = answer.steps + Math.floor(((whole.steps - answer.steps - 1) * part) / 60);
    const tight = load(shared, { budget });
    for (let round = 0; round < 3; round += 1) {
      assert.equal(code(tight.query(ENTRYPOINT, ENDS.regex)), 'policy_budget_exceeded');
      assert.deepEqual(tight.query(ENTRYPOINT, ENDS.answer), answer);
    }
  }
  assert.deepEqual(load(shared, { budget: whole.steps }).query(ENTRYPOINT, ENDS.regex), whole);
});

test('traps at 300 different points of one instance change no later answer', () => {
  const regex = ask('regex');
  for (let length = 75; length < 375; length += 1) {
    const xs = Array.from({ length }, (_, i) => i);
    assert.equal(code(policy.query(ENTRYPOINT, { kind: 'endless', xs })), 'policy_budget_exceeded');
    assert.deepEqual(ask('regex'), regex);
  }
});

test('one instance, ends of all kinds in turn: the answer and its steps never change', () => {
  const answer = ask('answer');
  const regex = ask('regex');
  for (let i = 0; i < 200; i += 1) {
    const kinds = ['conflict', 'object', 'endless', 'memory'] as const;
    ask(kinds[i % kinds.length] ?? 'conflict');
    assert.deepEqual(ask('answer'), answer);
    assert.deepEqual(ask('regex'), regex);
  }
});

test('steps are the same in a fresh instance, the first time and later', async () => {
  const source = await compileRules(EVERY_END);
  const fresh = load(source);
  const first = fresh.query(ENTRYPOINT, ENDS.regex);
  assert.deepEqual(fresh.query(ENTRYPOINT, ENDS.regex), first);
  assert.deepEqual(policy.query(ENTRYPOINT, ENDS.regex), first);
});

test('steps used are reported, and the budget is the bound', () => {
  const evaluation = ask('endless');
  assert.ok(evaluation.steps > 20_000_000);
  assert.ok(evaluation.steps < 20_100_000);
  assert.ok(ask('answer').steps > 1000);
});

test('memory is what it is at the start: an exhausted heap is a denial, and the next evaluation has it all', async () => {
  const small = await loadRules(EVERY_END, { memoryBytes: 2 * 1024 * 1024, inputBytes: 64 * 1024 });
  const before = small.query(ENTRYPOINT, ENDS.answer);
  for (let i = 0; i < 10; i += 1) assert.equal(code(small.query(ENTRYPOINT, ENDS.memory)), 'policy_memory_exceeded');
  assert.deepEqual(small.query(ENTRYPOINT, ENDS.answer), before);
});

const DATA = {
  x: { y: { z: 1, w: [1, { q: 2 }] }, k: 'v' },
  l: [3, 1, 2, 1.5, 's', { a: {} }],
  g: { a: ['b'], b: ['a'] },
};
const READERS = [
  'd := v if { v := data.x with data.x as input.v }',
  'd := v if { v := data.x.y with data.x.y.w as input.v }',
  'd := v if { v := data.n.m with data.n.m.o as input.v with input.q as data.x }',
  'd := [v | walk(data.x, [_, v])]',
  'd := object.union(data.x, {"y": {"new": input.v}})',
  'd := object.remove(data.x, ["y"])',
  'd := sort(array.concat(data.l, array.reverse(data.l)))',
  'd := json.remove(data.x, ["y/w"])',
  'd := graph.reachable(data.g, {"a"})',
  'd := {k | some k, v in data.x; v != input.v}',
];

for (const rule of READERS) {
  test(`evaluation does not write where the data is: ${rule}`, async () => {
    const { wasm } = await compileRules(rule);
    const options = {
      memoryBytes: 4 << 20,
      budget: 2e8,
      inputBytes: 1 << 16,
      ...STILL_WORLD,
      builtins: HOST_BUILTINS,
    };
    const module = compilePolicyModuleSync(wasm as Uint8Array);
    assert.ok(module.ok);
    const booted = boot(module.value.module, options);
    assert.ok(booted.ok);
    const image = prepare(booted.value, JSON.stringify(DATA), options);
    assert.ok(image.ok);
    install(booted.value, image.value);
    const { guest, exports } = booted.value;
    const { heapBase, heapStart, dataAddress } = image.value;
    const data = guest.bytes.slice(heapBase, heapStart);
    const length = guest.write('{"v":{"deep":[1,{"a":1}]},"q":1}', heapStart, 1 << 16);
    assert.ok(length !== undefined);
    for (let i = 0; i < 3; i += 1) {
      const answer = exports.evaluate(
        0,
        image.value.entrypoints.get(ENTRYPOINT) ?? -1,
        dataAddress,
        heapStart,
        length,
        heapStart + length,
        0,
      );
      assert.match(guest.text(answer, 4096) ?? '', /^\[\{"result":/);
    }
    assert.deepEqual(guest.bytes.subarray(heapBase, heapStart), data);
  });
}
