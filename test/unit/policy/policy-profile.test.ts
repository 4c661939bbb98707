import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { loadPolicy } from '../../../src/core/policy/host.ts';
import { openProfile } from '../../../src/core/policy/policy-profile.ts';
import { profileModule } from '../../../src/core/policy/profile-module.ts';
import { STILL_WORLD } from '../../support/policy-host.ts';
import { compileRego } from '../../support/rego.ts';

const SOURCE = `package profiled

default decision := false

decision if {
	is_get(input.method)
	input.group in groups
}

is_get(method) if method == "GET"

groups contains group if some group in data.groups

costly := count([1 | some i in numbers.range(1, 500); i % 2 == 0])

both := [mocked, costly] if mocked := decision with input.method as "GET"
`;

const DATA = { groups: ['a', 'b', 'c'] };
const ENTRYPOINTS = ['profiled/decision', 'profiled/costly', 'profiled/both'];

async function opened() {
  const { policyWasm } = await compileRego({ source: SOURCE, entrypoints: ENTRYPOINTS });
  const profile = openProfile({ wasm: policyWasm, data: DATA }, STILL_WORLD);
  const plain = loadPolicy({ wasm: policyWasm, data: DATA, entrypoint: 'profiled/decision', bundles: {} }, STILL_WORLD);
  assert.ok(profile.ok && plain.ok);
  return { profile: profile.value, plain: plain.value };
}

test('a profile gives each rule its calls and steps, the most expensive first', async () => {
  const { profile } = await opened();
  const { rules, evaluation } = profile.profile('profiled/both', { method: 'PUT', group: 'b' });
  assert.ok(evaluation.kind === 'defined');
  assert.deepEqual(evaluation.value, [true, 250]);
  const names = rules.map(({ rule }) => rule);
  assert.equal(names[0], 'data.profiled.costly');
  assert.deepEqual([...names].sort(), [
    'data.profiled.both',
    'data.profiled.costly',
    'data.profiled.decision',
    'data.profiled.groups',
    'data.profiled.is_get',
  ]);
  assert.ok(rules.every(({ calls, steps }) => calls === 1 && steps > 0));
});

test('the steps of a profile are those of the evaluation without one, to the step', async () => {
  const { profile, plain } = await opened();
  fc.assert(
    fc.property(
      fc.constantFrom(...ENTRYPOINTS),
      fc.dictionary(fc.constantFrom('method', 'group', 'x'), fc.json()),
      (name, input) => {
        const one = profile.profile(name, input);
        assert.deepEqual(one.evaluation, plain.query(name, input));
        assert.equal(
          one.rules.reduce((sum, { steps }) => sum + steps, one.outside),
          one.evaluation.steps,
        );
      },
    ),
  );
});

test('an evaluation that fails in the middle of a rule leaves the next profile right', async () => {
  const { policyWasm } = await compileRego({ source: SOURCE, entrypoints: ENTRYPOINTS });
  const profile = openProfile({ wasm: policyWasm, data: DATA }, { ...STILL_WORLD, budget: 45_000 });
  assert.ok(profile.ok);
  const failed = profile.value.profile('profiled/costly', {});
  assert.equal(failed.evaluation.kind, 'failed');
  const input = { method: 'GET', group: 'z' };
  const again = profile.value.profile('profiled/decision', input);
  assert.deepEqual(again, (await opened()).profile.profile('profiled/decision', input));
});

test('an unknown entrypoint, an input that is none and bytes that are no module are refused', async () => {
  const { profile } = await opened();
  assert.equal(profile.profile('profiled/nothing', {}).evaluation.kind, 'failed');
  assert.equal(profile.profile('profiled/decision', 'text').evaluation.kind, 'failed');
  const { evaluation } = profile.profile('profiled/decision', undefined);
  assert.deepEqual(evaluation.kind === 'defined' && evaluation.value, false);
  const { policyWasm } = await compileRego({ source: SOURCE, entrypoints: ENTRYPOINTS });
  for (let length = 0; length < policyWasm.length; length += 997) {
    assert.equal(openProfile({ wasm: policyWasm.subarray(0, length), data: {} }, STILL_WORLD).ok, false);
  }
  assert.equal(profileModule(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)).ok, false);
});
