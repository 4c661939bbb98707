import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Evaluation } from '../../../src/core/model/policy.ts';
import { ENTRYPOINT, loadRules } from '../../support/policy-host.ts';

/** Every way to fail: two rules that conflict, keys that conflict, the budget spent in the policy, inside a host built-in and by one, an exhausted heap. */
const WAYS = `
d := "a" if input.kind in {"answer", "conflict"}
d := "b" if input.kind == "conflict"
d := {k: v | some pair in input.pairs; k := pair[0]; v := pair[1]} if input.kind == "object"
d := count([1 | some x in input.xs; some y in input.xs; some z in input.xs; x + y + z < 0]) if input.kind == "endless"
d := [x | some i in numbers.range(1, 1000); x := hex.encode(input.text)] if input.kind == "calls"
d := sprintf("%090000d", [1]) if input.kind == "call"
d := count(input.xs) if input.kind == "memory"
d := regex.match(input.pattern, "aaa") if input.kind == "regex"
`;

const FAILURES = {
  conflict: [{}, 'policy_conflict'],
  object: [
    {
      pairs: [
        ['k', 1],
        ['k', 2],
      ],
    },
    'policy_conflict',
  ],
  endless: [{ xs: Array.from({ length: 90 }, (_, i) => i) }, 'policy_budget_exceeded'],
  calls: [{ text: 'abcd' }, 'policy_budget_exceeded'],
  call: [{}, 'policy_budget_exceeded'],
  memory: [{ xs: Array.from({ length: 25_000 }, () => 1) }, 'policy_memory_exceeded'],
} as const satisfies Record<string, readonly [object, string]>;

type Way = keyof typeof FAILURES;

/** Most are the cheap ones, so that there can be many. */
const TURN: readonly Way[] = [
  ...Array.from({ length: 64 }, (): Way => 'conflict'),
  ...Array.from({ length: 30 }, (): Way => 'object'),
  ...Array.from({ length: 3 }, (): Way => 'calls'),
  'call',
  'endless',
  'memory',
];

function code(evaluation: Evaluation): string {
  return evaluation.kind === 'failed' ? evaluation.fault.code : evaluation.kind;
}

const load = () => loadRules(WAYS, { budget: 20_000_000, memoryBytes: 2 << 20, inputBytes: 1 << 16 });

test('100,000 evaluations that fail in every way, built-ins of the host among them, change no answer and no step', async () => {
  const policy = await load();
  const ask = (kind: string, more: object = {}): Evaluation => policy.query(ENTRYPOINT, { kind, ...more });
  const sound = (): readonly Evaluation[] => [ask('answer'), ask('regex', { pattern: '^a+$' })];
  const first = sound();
  assert.deepEqual(first.map(code), ['defined', 'defined']);
  const failed = new Map<Way, Evaluation>();
  for (let i = 0; i < 100_000; i += 1) {
    const way = TURN[i % TURN.length] ?? 'conflict';
    const [more, fault] = FAILURES[way];
    const evaluation = ask(way, more);
    assert.equal(code(evaluation), fault, `${way}, evaluation ${i}`);
    assert.equal(evaluation.steps, (failed.get(way) ?? evaluation).steps, `steps of ${way}, evaluation ${i}`);
    failed.set(way, evaluation);
    if (i % 997 === 0) assert.deepEqual(sound(), first, `evaluation ${i}`);
  }
  assert.deepEqual([...failed.keys()].sort(), ['call', 'calls', 'conflict', 'endless', 'memory', 'object']);
  assert.deepEqual(sound(), first);
});

test('each way by itself, 2,000 times, as often as the stock SDK takes before it is dead and four times more', async () => {
  for (const way of Object.keys(FAILURES) as Way[]) {
    // A millisecond each.
    if (way === 'endless') continue;
    const policy = await load();
    const [more] = FAILURES[way];
    const before = policy.query(ENTRYPOINT, { kind: 'answer' });
    const first = policy.query(ENTRYPOINT, { kind: way, ...more });
    for (let i = 0; i < 2_000; i += 1) assert.deepEqual(policy.query(ENTRYPOINT, { kind: way, ...more }), first, way);
    assert.deepEqual(policy.query(ENTRYPOINT, { kind: 'answer' }), before, way);
  }
});
