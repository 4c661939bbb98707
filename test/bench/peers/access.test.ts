import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { load } from '../../support/policy-host.ts';
import { requestOf } from '../../support/policy-input.ts';
import { answerOf } from '../../support/policy-parts.ts';
import { compileRego } from '../../support/rego.ts';
import { ACCESS, DECISION, rbacCannot, rbacPolicies, regoFiles, ruleFacts, type Grant } from './access.ts';
import type { PolicyName } from './target.ts';

type Asked = { readonly caller: string; readonly method: string; readonly path: readonly string[] };

const CLIENT = 'spiffe://example.org/agents/client';
const STRANGER = 'spiffe://example.org/agents/stranger';
const ALL_GRANTS = Object.values(ACCESS.grants).flat();

/** What the facts say, read as they stand. */
function isGranted({ caller, method, path }: Asked): boolean {
  const grants = (ACCESS.agents[caller] ?? []).flatMap((role) => ACCESS.grants[role] ?? []);
  return grants.some((grant) => covers(grant, method, path));
}

function covers(grant: Grant, method: string, path: readonly string[]): boolean {
  return grant.methods.includes(method) && grant.path.every((segment, index) => path[index] === segment);
}

/** Requests of which about half are granted: somebody known, at a granted path, or beside it, or below it. */
const asked: fc.Arbitrary<Asked> = fc.record({
  caller: fc.constantFrom(...Object.keys(ACCESS.agents), STRANGER),
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE'),
  path: fc
    .tuple(
      fc.constantFrom(...ALL_GRANTS.map(({ path }) => path)),
      fc.constantFrom([], ['x'], ['public', 'y'], undefined),
    )
    .map(([path, more]) => (more === undefined ? [...path.slice(0, -1), `${path.at(-1)}s`] : [...path, ...more])),
});

type Judging = (asked: Asked & { readonly body?: unknown }) => unknown;

async function sallyport(policy: PolicyName): Promise<Judging> {
  const { policyWasm, plan, data } = await compileRego({ files: regoFiles(policy), entrypoints: [DECISION] });
  const loaded = load({ wasm: policyWasm, plan, data, entrypoint: DECISION, bundles: {} });
  return (request) => answerOf(loaded, requestOf({ ...request, agent: 'spiffe://example.org/agents/agent' }));
}

/** As much of Envoy's RBAC as is used here (`envoy/config/rbac/v3/rbac.proto`). */
function envoy(policy: PolicyName): Judging {
  const policies = Object.values(rbacPolicies(policy));
  return (request) =>
    policies.some(
      ({ principals, permissions }) =>
        principals.some((one) => matches(one, request)) && permissions.some((one) => matches(one, request)),
    );
}

/** One rule of any kind, as Envoy would read it from the JSON. */
type Matcher = {
  readonly and_rules?: { readonly rules: readonly Matcher[] };
  readonly or_rules?: { readonly rules: readonly Matcher[] };
  readonly authenticated?: { readonly principal_name: { readonly exact: string } };
  readonly header?: { readonly string_match: { readonly exact: string } };
  readonly url_path?: { readonly path: { readonly exact?: string; readonly prefix?: string } };
};

function matches(rule: Matcher, request: Asked): boolean {
  const { and_rules: all, or_rules: any, authenticated, header, url_path: url } = rule;
  if (all) return all.rules.every((each) => matches(each, request));
  if (any) return any.rules.some((each) => matches(each, request));
  if (authenticated) return authenticated.principal_name.exact === request.caller;
  if (header) return header.string_match.exact === request.method;
  const { exact, prefix } = url?.path ?? {};
  const text = `/${request.path.join('/')}`;
  return text === exact || (prefix !== undefined && text.startsWith(prefix));
}

test('the facts: 20 agents, 10 roles, 30 grants; what the load asks for is granted to client, and to nobody without a role', () => {
  assert.equal(Object.keys(ACCESS.agents).length, 20);
  assert.equal(Object.keys(ACCESS.grants).length, 10);
  assert.equal(ALL_GRANTS.length, 30);
  const load: readonly [string, string][] = [
    ['GET', 'api/v1/catalog/items'],
    ['POST', 'api/v1/catalog/query'],
    ['GET', 'api/v1/catalog/big'],
    ['POST', 'api/v1/catalog/big'],
    ['POST', 'bench.Echo/Unary'],
    ['POST', 'bench.Echo/Stream'],
  ];
  for (const [method, path] of load) {
    assert.ok(isGranted({ caller: CLIENT, method, path: path.split('/') }), path);
    assert.ok(!isGranted({ caller: STRANGER, method, path: path.split('/') }), path);
  }
  assert.ok(!isGranted({ caller: CLIENT, method: 'GET', path: ['admin'] }));
});

test('the Rego and the native RBAC say what the facts say', async () => {
  const [byRego, byRbac] = [await sallyport('rbac'), envoy('rbac')];
  fc.assert(
    fc.property(asked, (request) => {
      const expected = isGranted(request);
      assert.equal(byRego(request), expected);
      assert.equal(byRbac(request), expected);
    }),
    { numRuns: 400 },
  );
});

test('json-body: a POST needs the grant and `action` "query" in its body; native RBAC cannot', async () => {
  const judge = await sallyport('json-body');
  const post = { caller: CLIENT, method: 'POST', path: ['api', 'v1', 'catalog', 'query'] };
  assert.equal(judge({ ...post, body: { action: 'query' } }), true);
  assert.equal(judge({ ...post, body: { action: 'drop' } }), false);
  assert.equal(judge({ ...post, body: null }), false);
  assert.equal(judge({ ...post, caller: STRANGER, body: { action: 'query' } }), false);
  assert.equal(judge({ ...post, method: 'GET' }), true);
  assert.ok(rbacCannot('json-body'));
  assert.throws(() => rbacPolicies('json-body'), /reads no bodies/);
});

test('rules-N: N rules, each for one agent, the last of which lets the load in, for both ways of judging', async () => {
  const facts = ruleFacts(10);
  assert.equal(new Set(facts.map(({ agent }) => agent)).size, 10);
  assert.equal(facts.at(-1)?.agent, CLIENT);
  const [byRego, byRbac] = [await sallyport('rules-10'), envoy('rules-10')];
  for (const { agent: caller } of [...facts, { agent: STRANGER }]) {
    for (const { grant } of facts) {
      const request = { caller, method: 'GET', path: [...grant.path, 'items'] };
      const expected = facts.some((fact) => fact.agent === caller && fact.grant === grant);
      assert.equal(byRego(request), expected);
      assert.equal(byRbac(request), expected);
    }
  }
  const names = Object.keys(rbacPolicies('rules-1000'));
  assert.equal(names.length, 1_000);
  assert.deepEqual(names.toSorted(), names);
});
