import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import type { Evaluation } from '../../../src/core/model/policy.ts';
import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import { load } from '../../support/policy-host.ts';
import { compileRego } from '../../support/rego.ts';

const ENTRYPOINT = 'p/d';

/** Policies that look at their input in ways that a key may miss. */
const POLICIES: readonly string[] = [
  'd := {"a": object.get(input, "a", "none"), "b": object.get(input, ["b", "c"], "none")}',
  'd if input.a == input.b.c',
  'd := type_name(input.a)',
  'd := count(input.b)',
  'd := [k | some k, _ in input.b]',
  'd if input.a',
  'd if not input.a',
  'd := [input.l[0], input.l[2]]',
  'd := input.l[_] if count(input.l) == 1',
  'd := sprintf("%v", [input.a])',
  'd := input.a + 1',
  'd := input.a * 1000',
  'd if { some x in input.l; x == input.a }',
  'd := json.marshal(input)',
  'd if input.b["\\u00e9"] == "x"',
  'd := upper(input.a)',
  'd := {x | some x in input.l}',
  'd := "p" if input.b.__proto__ else := "q" if input.b.constructor',
];

/** Numbers at the edges of what a double holds, texts that need escapes, that look alike or that are like JSON, and what JSON has no word for. */
const ODD: readonly unknown[] = [
  [0, -0, 1, 2 ** 53, 2 ** 53 + 2, 1e21, 1e300, 5e-324, 0.1, 0.1 + 0.2, 0.3, -1, Number.NaN],
  ['', 'x', 'é', 'e\u0301', '\u{1d11e}', '\u0000', '"', '\\', '1', 'true', '\u2028', '\ud800', '0,"b":1', ']}'],
  [null, true, false, undefined],
].flat();
const odd = fc.constantFrom(...ODD);
const KEYS = ['a', 'c', 'é', '', '0', '1', '__proto__', 'constructor', 'b"', 'x,y'] as const;
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    { weight: 3, arbitrary: odd },
    fc.array(tie('value'), { maxLength: 3 }),
    fields(tie('value')),
  ),
})).value;

/** An object with keys in any order, `__proto__` as one of its own among them. */
function fields(values: fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  const pairs = fc.uniqueArray(fc.tuple(fc.constantFrom(...KEYS), values), { maxLength: 4, selector: ([key]) => key });
  return pairs.map((all) => Object.fromEntries(all));
}

const input = fc
  .tuple(
    fc.record({ a: value, b: fields(value), l: fc.array(value, { maxLength: 3 }), z: value }, { requiredKeys: [] }),
    fc.boolean(),
  )
  .map(([all, reversed]) => (reversed ? Object.fromEntries(Object.entries(all).toReversed()) : all));

function line(evaluation: Evaluation): string {
  if (evaluation.kind === 'failed') return `${evaluation.fault.code}: ${evaluation.fault.detail}`;
  return evaluation.kind === 'defined' ? JSON.stringify(evaluation.value) : 'undefined';
}

/** What is not asked about the part that is read may be refused for the part that is not. */
function unreadable(whole: string): boolean {
  return whole.startsWith('policy_input_');
}

describe('promise 2: a remembered decision is the one that evaluation gives', () => {
  for (const rules of POLICIES) {
    test(rules, async () => {
      const { policyWasm, plan } = await compileRego({
        source: `package p\n\nimport rego.v1\n\n${rules}\n`,
        entrypoints: [ENTRYPOINT],
      });
      const source = { wasm: policyWasm, data: {}, entrypoint: ENTRYPOINT, bundles: {} };
      // Two generations of three: most of what is remembered is forgotten again, and asked for again.
      const remembering = load({ ...source, plan }, { cacheEntries: 3 });
      const evaluating = load(source);
      let remembered = 0;
      fc.assert(
        fc.property(
          fc.array(input, { minLength: 1, maxLength: 8 }),
          fc.array(fc.nat(7), { maxLength: 16 }),
          (inputs, order) => {
            for (const at of [...inputs.keys(), ...order]) {
              const one = inputs[at % inputs.length] ?? {};
              const answer = remembering.evaluate(one as unknown as PolicyInput);
              if (answer.kind !== 'failed' && answer.cached) remembered += 1;
              const whole = line(evaluating.query(ENTRYPOINT, one));
              if (!unreadable(whole)) assert.equal(line(answer), whole, JSON.stringify(one));
            }
          },
        ),
        { numRuns: 60 },
      );
      assert.ok(remembered > 50, `${remembered} remembered`);
    });
  }
});
