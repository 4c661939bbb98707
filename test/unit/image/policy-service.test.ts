import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';

import fc from 'fast-check';

import { compilePolicyServiceBundle, POLICY_SERVICE_BUNDLE } from '../../../helm/image/contents.ts';
import { readBundle } from '../../../src/core/bundle/bundle.ts';
import { toDecision } from '../../../src/core/policy/decision.ts';
import { load } from '../../support/policy-host.ts';
import { connectionOf, requestOf } from '../../support/policy-input.ts';
import { agentId } from '../../support/policy-library.ts';

import type { PolicyInput } from '../../../src/core/model/policy-input.ts';

const entrypoint = 'sallyport/policy_service/decision';
const ROOT = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-policy-service-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const archive = compiled();
const bundle = readBundle(archive);
assert.ok(bundle.ok, JSON.stringify(bundle));
const { module, planJson = '', rego } = bundle.value;
const policy = load({
  wasm: module?.bytes ?? assert.fail('nothing compiled'),
  plan: JSON.parse(planJson),
  data: {},
  entrypoint,
  bundles: {},
});

/** The bundle as the image has it. */
function compiled(): Buffer {
  compilePolicyServiceBundle(ROOT, folder);
  return readFileSync(join(folder, basename(POLICY_SERVICE_BUNDLE)));
}

const agent = agentId('sallyport-system', 'sallyport-injector');
const planner = agentId('agents', 'planner');

const kindOf = (input: PolicyInput): string => toDecision(policy.evaluate(input)).kind;
const asks = (path: string, caller = planner, method = 'GET'): PolicyInput =>
  requestOf({ caller, agent, method, path: path.split('/').slice(1) });

describe('the bundle in the image', () => {
  test('is compiled for the rule that the chart names, with its source beside it for who wants to read it', () => {
    assert.deepEqual(module?.entrypoints, [entrypoint]);
    assert.deepEqual([...rego.keys()], ['policy-service.rego']);
    const source = readFileSync(join(ROOT, 'helm/image/policy-service.rego'));
    assert.ok(source.equals(rego.get('policy-service.rego') ?? assert.fail('no source')));
  });

  test('is the same bytes each time, wherever the clone is', () => assert.ok(compiled().equals(archive)));
});

describe('what it decides before the policy service', () => {
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
