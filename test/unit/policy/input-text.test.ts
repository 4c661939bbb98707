import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { inputText } from '../../../src/core/policy/input-text.ts';

function fault(input: unknown, depth = 10): string {
  const text = inputText(input, JSON.stringify, depth);
  return text.ok ? 'ok' : text.error.code;
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test('an object is written as it is', () => {
  const text = inputText({ a: [1, 'x', null, { b: true }] }, JSON.stringify, 10);
  assert.deepEqual(text, { ok: true, value: '{"a":[1,"x",null,{"b":true}]}' });
});

test('depth is that of the document, whatever its strings look like', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: fc.constantFrom('{', '[', '"', '\\', 'a', ']') }), fc.jsonValue({ maxDepth: 6 })),
      fc.integer({ min: 1, max: 8 }),
      (value, limit) => {
        const clean = JSON.parse(JSON.stringify(value)) as unknown;
        assert.equal(fault(clean, limit), depthOf(clean) > limit ? 'policy_input_too_large' : 'ok');
      },
    ),
  );
});

test('brackets in strings are no depth', () => {
  assert.equal(fault({ a: '['.repeat(1000), ['{'.repeat(1000)]: '\\"[[[' }, 1), 'ok');
  assert.equal(fault({ a: Array.from({ length: 1000 }, () => []) }, 3), 'ok');
  assert.equal(fault({ a: Array.from({ length: 1000 }, () => [[]]) }, 3), 'policy_input_too_large');
});

test('a lone surrogate is found wherever it stands, and only there', () => {
  const parts = fc.constantFrom('\ud800', '\udfff', '\u{1d11e}', '\\', '\\\\', '\\ud800', 'ud800', 'x', '"', '\n');
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 6 }), fc.boolean(), (pieces, asKey) => {
      const text = pieces.join('');
      const input = asKey ? { [text]: 1 } : { a: [text] };
      assert.equal(fault(input), text.isWellFormed() ? 'ok' : 'policy_input_invalid');
    }),
  );
});

test('an encoder that leaves a lone surrogate unescaped does not get it past', () => {
  const text = inputText({}, () => '{"a":"\ud800"}', 10);
  assert.ok(!text.ok && text.error.code === 'policy_input_invalid');
});

test('what has no JSON is a fault: cycles, big integers, throwing getters, a stack that runs out', () => {
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  assert.equal(fault(cycle), 'policy_input_invalid');
  assert.equal(fault({ a: 1n }), 'policy_input_invalid');
  assert.equal(fault(new Proxy({}, { ownKeys: () => assert.fail() })), 'policy_input_invalid');
  const overflow = inputText(
    {},
    () => {
      throw new RangeError('Maximum call stack size exceeded');
    },
    10,
  );
  assert.ok(!overflow.ok && overflow.error.code === 'policy_input_too_large');
});

test('details of faults hold nothing of the input', () => {
  const text = inputText({ password: 'hunter2\ud800' }, JSON.stringify, 10);
  assert.ok(!text.ok && !text.error.detail.includes('hunter2'));
});
