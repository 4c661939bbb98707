import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import fc from 'fast-check';

import type { LoadedPolicy } from '../../../src/core/policy/host.ts';
import { ENTRYPOINT, compileRules, load } from '../../support/policy-host.ts';

/** Policies that look at their input in many ways; OPA's SDK evaluates the module as delivered, we the metered one. */
const POLICIES: Readonly<Record<string, string>> = {
  echo: 'd := input',
  walk: 'd := [[path, value] | walk(input, [path, value]); is_number(value)]',
  roles: `
default d := false
d if { some grant in data.grants; grant.role in input.roles; startswith(input.path, grant.path) }`,
  text: 'd := {upper(k): [contains(v, "a"), split(v, "/"), trim(v, " "), json.marshal(v)] | some k, v in input; is_string(v)}',
  numbers: 'd := [sum(ns), max(ns), sort(ns)] if { ns := [v | walk(input, [_, v]); is_number(v)]; count(ns) > 0 }',
  objects:
    'd := {"union": object.union(input, data.nested), "keys": sort(object.keys(input)), "got": object.get(input, ["a", "b"], "none")}',
  regex: 'd := sort([k | some k, v in input; regex.match("^[a-z]+[0-9]*$", v)])',
  negation: 'd if { not input.a; not input.b == 1 }',
};

const DATA = {
  grants: [
    { role: 'a', path: '/' },
    { role: 'b', path: '/b' },
  ],
  nested: { list: [1, 2, { x: null }] },
};

type Sdk = { evaluate(input: unknown, entrypoint: string): unknown; setData(data: unknown): void };
/** The declarations of the package leave out its default export. */
type SdkModule = { default: { loadPolicySync(wasm: Uint8Array, memory: { initial: number }): Sdk } };
type Pair = { readonly ours: LoadedPolicy; readonly reference: Sdk };
const pairs = new Map<string, Pair>();

before(async () => {
  const sdk = (await import('@open-policy-agent/opa-wasm')) as unknown as SdkModule;
  for (const [name, rules] of Object.entries(POLICIES)) {
    const source = { ...(await compileRules(rules)), data: DATA };
    const reference = sdk.default.loadPolicySync(source.wasm as Uint8Array, { initial: 256 });
    reference.setData(DATA);
    pairs.set(name, { ours: load(source), reference });
  }
});

const keys = fc.oneof(fc.constantFrom('a', 'b', 'roles', 'path', 'x1'), fc.string({ unit: 'grapheme', maxLength: 5 }));
const inputs = fc.dictionary(
  keys,
  fc.oneof(
    fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme' }),
    fc.constantFrom('/b/c', 'abc1', ['a', 'b'], 0, -0, 1e21, 5e-324, 2 ** 53 + 2, '\u0000', '\u2028\uffff', {
      a: { b: 1 },
    }),
  ),
  { maxKeys: 5 },
);

for (const name of Object.keys(POLICIES)) {
  test(`our host answers as OPA's SDK does for random inputs: ${name}`, () => {
    const { ours, reference } = pairs.get(name) as Pair;
    fc.assert(
      fc.property(inputs, (input) => {
        const evaluation = ours.query(ENTRYPOINT, input);
        const expected = reference.evaluate(input, ENTRYPOINT);
        assert.deepEqual(
          evaluation.kind === 'defined' ? [{ result: evaluation.value }] : evaluation.kind,
          Array.isArray(expected) && expected.length > 0 ? expected : 'undefined',
        );
        assert.deepEqual(ours.query(ENTRYPOINT, input), evaluation);
      }),
      { numRuns: 300 },
    );
  });
}
