import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { toDecision } from '../../../src/core/policy/decision.ts';
import { CHART } from '../../support/chart.ts';
import { load } from '../../support/policy-host.ts';
import { connectionOf, requestOf } from '../../support/policy-input.ts';
import { agentId } from '../../support/policy-library.ts';
import { compileRego } from '../../support/rego.ts';

import type { PolicyInput } from '../../../src/core/model/policy-input.ts';

const entrypoint = 'sallyport/policy_service/decision';
const source = readFileSync(join(CHART, 'files', 'policy-service.rego'), 'utf8');
const compiled = await compileRego({ source, entrypoints: [entrypoint] });
const policy = load({ wasm: compiled.policyWasm, plan: compiled.plan, data: {}, entrypoint, bundles: {} });

const agent = agentId('sallyport-system', 'sallyport-injector');
const planner = agentId('agents', 'planner');

const kindOf = (input: PolicyInput): string => toDecision(policy.evaluate(input)).kind;
const asks = (path: string, caller = planner, method = 'GET'): PolicyInput =>
  requestOf({ caller, agent, method, path: path.split('/').slice(1) });

describe('the Rego before the policy service', () => {
  test('a workload reads the policy and the candidate of its own namespace', () => {
    assert.equal(kindOf(asks('/v1/policy/agents')), 'allow');
    assert.equal(kindOf(asks('/v1/policy/agents/candidate')), 'allow');
    assert.equal(kindOf(asks('/v1/policy/tools', agentId('tools', 'anybody'))), 'allow');
  });

  const REFUSED: readonly (readonly [title: string, input: PolicyInput])[] = [
    ["another namespace's", asks('/v1/policy/tools')],
    ["another namespace's candidate", asks('/v1/policy/tools/candidate')],
    ['nothing below', asks('/v1/policy/agents/candidate/x')],
    ['no other word', asks('/v1/policy/agents/secrets')],
    ['not with a slash at the end', asks('/v1/policy/agents/')],
    ['not without a namespace', asks('/v1/policy')],
    ['no other version', asks('/v2/policy/agents')],
    ['nothing else', asks('/')],
    ['nothing is written', asks('/v1/policy/agents', planner, 'PUT')],
    ['not even by HEAD', asks('/v1/policy/agents', planner, 'HEAD')],
    ['from another trust domain', asks('/v1/policy/agents', agentId('agents', 'planner', 'other.org'))],
    ['with an ID of another form', asks('/v1/policy/agents', 'spiffe://example.org/agents/planner')],
    ['with a longer one', asks('/v1/policy/agents', 'spiffe://example.org/ns/agents/sa/planner/x')],
    ['by nobody', requestOf({ caller: undefined, agent, path: ['v1', 'policy', 'agents'] })],
    ['on a connection whose bytes are not read', connectionOf({ caller: planner, agent })],
    ['outwards', { ...asks('/v1/policy/agents'), sallyport: { ...asks('/').sallyport, direction: 'outbound' } }],
    [
      'while we ourselves have no identity',
      requestOf({ caller: planner, agent: undefined, path: ['v1', 'policy', 'agents'] }),
    ],
  ];
  for (const [title, input] of REFUSED) test(`refused: ${title}`, () => assert.equal(kindOf(input), 'deny'));

  test('property: whoever is let in asked for the namespace of their own ID', () => {
    const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?$/);
    const word = fc.oneof(name, fc.constantFrom('v1', 'policy', 'candidate', '', '..', 'ns', 'sa'));
    fc.assert(
      fc.property(name, name, fc.array(word, { maxLength: 6 }), fc.boolean(), (namespace, account, rest, usual) => {
        const path = usual ? ['v1', 'policy', ...rest] : rest;
        const input = requestOf({ caller: agentId(namespace, account), agent, path });
        const own = ['v1', 'policy', namespace];
        const mayRead = [own, [...own, 'candidate']].some((one) => one.join('/') === path.join('/'));
        assert.equal(kindOf(input), mayRead ? 'allow' : 'deny');
      }),
      { numRuns: 300, examples: [['agents', 'a', ['agents'], true]] },
    );
  });
});
