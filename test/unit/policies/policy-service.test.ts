import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import fc from 'fast-check';

import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';
import { formatDiagnostic } from '../../../src/io/rego/format-diagnostic.ts';
import { load } from '../../support/policy-host.ts';
import { requestOf } from '../../support/policy-input.ts';
import { answerOf } from '../../support/policy-parts.ts';
import { agentId } from '../../support/policy-library.ts';
import { compileRego } from '../../support/rego.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const GUARD = readFileSync(join(ROOT, 'helm/image/policy-service.rego'), 'utf8');
const TESTS = readFileSync(join(import.meta.dirname, 'policy_service_test.rego'), 'utf8');
const SCHEMA = JSON.parse(readFileSync(join(ROOT, 'policies/schemas/input.json'), 'utf8')) as unknown;
const DECISION = 'sallyport/policy_service/decision';
const OWN = agentId('sallyport-system', 'sallyport-injector');

test('the guard of the policy service is strict Rego of our input, formatted, and its tests pass', async (context) => {
  const compiler = createRegoCompiler({ isolation: 'thread' });
  context.after(() => compiler.stop());
  const guard = { 'policy-service.rego': GUARD };
  const files = { ...guard, 'policy_service_test.rego': TESTS };
  assert.deepEqual((await compiler.check({ files: guard, inputSchema: SCHEMA })).map(formatDiagnostic), []);
  const formatted = await compiler.format({ files });
  assert.deepEqual(formatted.ok && formatted.value, files);
  const run = await compiler.test({ files });
  assert.ok(run.ok, JSON.stringify(run));
  assert.deepEqual(
    run.value.results.flatMap(({ name, outcome }) => (outcome === 'passed' ? [] : [`${name}: ${outcome}`])),
    [],
  );
  assert.ok(run.value.results.length >= 9);
});

const { policyWasm, plan } = await compileRego({ source: GUARD, entrypoints: [DECISION] });
const guard = load({ wasm: policyWasm, plan, data: {}, entrypoint: DECISION, bundles: {} });

function allowed(caller: string | undefined, path: readonly string[], method = 'GET'): boolean {
  const answer = answerOf(guard, requestOf({ caller, agent: OWN, path, method }));
  return (answer as { readonly allowed: boolean }).allowed;
}

test('in our host, with the input of our gate: its own namespace, and no other', () => {
  assert.ok(allowed(agentId('agents', 'planner'), ['v1', 'policy', 'agents']));
  assert.ok(allowed(agentId('agents', 'planner'), ['v1', 'policy', 'agents', 'candidate']));
  assert.ok(!allowed(agentId('agents', 'planner'), ['v1', 'policy', 'other']));
  assert.ok(!allowed(agentId('agents', 'planner', 'other.org'), ['v1', 'policy', 'agents']));
  assert.ok(!allowed(undefined, ['v1', 'policy', 'agents']));
});

test('whatever the namespaces: allowed where they are the same, denied where not', () => {
  const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,6}[a-z0-9])?$/);
  fc.assert(
    fc.property(name, name, fc.boolean(), (own, asked, candidate) => {
      const path = ['v1', 'policy', asked, ...(candidate ? ['candidate'] : [])];
      assert.equal(allowed(agentId(own, 'a'), path), own === asked);
    }),
  );
});
