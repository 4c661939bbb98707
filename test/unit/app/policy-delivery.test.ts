import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { loadDelivery, policyDelivery } from '../../../src/app/policy-delivery.ts';
import { parseExactJson } from '../../../src/core/bundle/exact-json.ts';
import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import { compilePolicyModule } from '../../../src/core/policy/policy-module.ts';
import { compileRego } from '../../support/rego.ts';
import { systemClock } from '../../support/system-clock.ts';

const ENTRYPOINT = 'test/authz/decision';
const REGO = `package test.authz

decision := {"allowed": input.who in data.known, "reasons": [sprintf("%v", [data.large])]}
`;
const BOUNDS = { memory: 16 * 1_048_576, budget: 10_000_000 };
const world = { clock: systemClock, random: (length: number) => new Uint8Array(randomBytes(length)) };

async function delivered(data: string) {
  const { policyWasm, plan } = await compileRego({ files: { 'policy.rego': REGO }, entrypoints: [ENTRYPOINT] });
  const module = await compilePolicyModule(policyWasm);
  assert.ok(module.ok);
  const bundles = { main: { revision: 'r1' } };
  const source = { wasm: module.value, plan, data: parseExactJson(data)?.value, entrypoint: ENTRYPOINT, bundles };
  return { delivery: policyDelivery(source, module.value, undefined), digest: module.value.digest };
}

test('a revision is the same in another thread: digest, revision, answers, and numbers that no double holds', async () => {
  const { delivery, digest } = await delivered('{"known": ["a"], "large": 12345678901234567890123}');
  const loaded = await loadDelivery(structuredClone(delivery), BOUNDS, world);
  assert.deepEqual([loaded.policy.digest, loaded.policy.bundles], [digest, { main: { revision: 'r1' } }]);
  const asked = (who: string) => loaded.policy.evaluate({ who } as unknown as PolicyInput);
  const answer = asked('a');
  assert.ok(answer.kind === 'defined');
  assert.deepEqual(answer.value, { allowed: true, reasons: ['12345678901234567890123'] });
  const other = asked('b');
  assert.deepEqual(other.kind === 'defined' && (other.value as { allowed: boolean }).allowed, false);
});

test('what cannot be loaded is a fault of ours, and thrown', async () => {
  const { delivery } = await delivered('{}');
  await assert.rejects(loadDelivery({ ...delivery, entrypoint: 'no/such/rule' }, BOUNDS, world), /no\/such\/rule/);
  await assert.rejects(loadDelivery({ ...delivery, descriptors: new Uint8Array([255]) }, BOUNDS, world));
});
