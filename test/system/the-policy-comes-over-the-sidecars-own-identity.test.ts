import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { createNamespacePolicies } from '../../src/app/policy-service.ts';
import type { PolicyService } from '../../src/io/policy-service/policy-service.ts';
import type { PolicyWorld } from '../../src/io/policy-service/settings.ts';
import { ready, statusOf } from '../support/controlled-system.ts';
import { startHttpAgent } from '../support/http-agent.ts';
import { createAuthority, type Authority } from '../support/pki.ts';
import type { RawConfig } from '../support/sidecar-process.ts';
import { startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';

const GUARD = join(import.meta.dirname, '..', '..', 'helm', 'image', 'policy-service.rego');
const SERVER_ID = 'spiffe://example.org/ns/sallyport-system/sa/sallyport-injector';
const AGENT_ID = 'spiffe://example.org/ns/agents/sa/planner';

/** The policy of namespace `agents`: paths below `/WORD`; and the platform's: nothing below `/closed`. */
function world(word: string, labels: Readonly<Record<string, string>> = {}): PolicyWorld {
  const rego = `package sallyport.authz

default decision := false

decision if input.parsed_path[0] in {"${word}", "closed"}

decision if input.parsed_path[0] == data.kubernetes.namespaces.agents.labels.team
`;
  const platform = 'package sallyport.platform\n\ndeny contains "closed" if input.parsed_path[0] == "closed"\n';
  return {
    platform: { files: new Map([['deny.rego', platform]]) },
    namespaces: new Map([
      ['agents', { policy: { files: new Map([['authz.rego', rego]]) } }],
      ['other', {}],
    ]),
    cluster: {
      trustDomain: 'example.org',
      namespaces: new Map([['agents', { labels, serviceAccounts: new Map() }]]),
    },
  };
}

type Plane = {
  readonly authority: Authority;
  readonly service: PolicyService;
  readonly front: System;
  readonly url: string;
};

/** The policy service, and a sidecar in front of it that says who may have which policy. */
async function startPlane(context: TestContext): Promise<Plane> {
  const log = { info: () => undefined, warn: () => undefined };
  const service = createNamespacePolicies({ listen: { host: '127.0.0.1', port: 0 } }, { log });
  context.after(() => service.stop());
  const { port } = await service.start();
  const authority = createAuthority();
  const front = await startSystem(context, {
    authority,
    ownId: SERVER_ID,
    upstream: `http://127.0.0.1:${port}`,
    policy: { rego: readFileSync(GUARD, 'utf8'), decision: 'sallyport/policy_service/decision' },
    // Requests are held for longer than an agent's answer usually takes.
    limits: { upstreamTimeout: '6m', requestTimeout: '6m', streamIdleTimeout: '6m' },
  });
  return { authority, service, front, url: `https://127.0.0.1:${front.sidecar.port}/v1/policy/agents` };
}

type AgentOptions = { readonly url?: string; readonly bundleServer?: RawConfig; readonly identity?: RawConfig };

/** An agent in namespace `agents`, whose sidecar has its policy from the plane. */
async function startAgent(context: TestContext, plane: Plane, options: AgentOptions = {}): Promise<System> {
  const agent = await startHttpAgent(context, (_request, response) => response.end('ok'));
  return startSystem(context, {
    authority: plane.authority,
    ownId: AGENT_ID,
    upstream: `http://127.0.0.1:${agent.port}`,
    policy: 'package test.authz\n\ndecision := true\n',
    policyKeys: {
      bundle: options.url ?? plane.url,
      decision: 'sallyport/composed/decision',
      bundleServer: {
        peer: SERVER_ID,
        minDelay: '100ms',
        maxDelay: '500ms',
        longPolling: '60s',
        ...options.bundleServer,
      },
    },
    ...(options.identity !== undefined && { identity: options.identity }),
  });
}

test("the namespace's policy is in force, under the platform's; a change arrives while the request for it is held", async (context) => {
  const plane = await startPlane(context);
  plane.service.update(world('a'));
  await plane.service.settled();
  const system = await startAgent(context, plane);
  const status = (path: string): Promise<number> => statusOf(context, system, path);
  assert.equal((await ready(system.sidecar)).status, 200);
  assert.deepEqual([await status('/a'), await status('/b'), await status('/closed')], [200, 403, 403]);
  const records = await system.sidecar.recordsFrom(0, 3);
  assert.deepEqual(
    records.map(({ sallyport: { verdict, reasons } }) => [verdict, reasons]),
    [
      ['allow', []],
      ['deny', []],
      ['deny', ['closed']],
    ],
  );
  const revision = plane.service.revisions().get('agents');
  assert.equal(await system.sidecar.metric(`sallyport_policy_info{bundle="agents",revision="${revision}"}`), 1);
  await until('a request that is held through the front', () => plane.service.held === 1);

  plane.service.update(world('b'));
  await system.sidecar.until('the next policy', async () => (await status('/b')) === 200);
  assert.equal(await status('/a'), 403);
  await until('the next request that is held', () => plane.service.held === 1);
  plane.service.update(world('b', { team: 'c' }));
  await system.sidecar.until('what labels say', async () => (await status('/c')) === 200);

  const asked = plane.front.sidecar.records();
  assert.ok(asked.every(({ sallyport: { peer, verdict } }) => peer === AGENT_ID && verdict === 'allow'));
});

test('a policy that is no good changes nothing', async (context) => {
  const plane = await startPlane(context);
  plane.service.update(world('a'));
  const system = await startAgent(context, plane);
  await system.sidecar.until('a policy', async () => (await ready(system.sidecar)).status === 200);
  plane.service.update(world('"'));
  await plane.service.settled();
  assert.match(plane.service.problems().get('agents')?.join('\n') ?? '', /namespace\/authz\.rego:5/);
  assert.equal(await statusOf(context, system, '/a'), 200);
});

test('a server that proves another identity is not asked; nothing is allowed', async (context) => {
  const plane = await startPlane(context);
  plane.service.update(world('a'));
  const peer = 'spiffe://example.org/ns/sallyport-system/sa/other';
  const system = await startAgent(context, plane, { bundleServer: { peer } });
  const { status, policy } = await ready(system.sidecar);
  assert.equal(status, 503);
  assert.match(policy, /it is not the configured peer: the server is spiffe:.*sallyport-injector, expected is .*other/);
  assert.equal(await statusOf(context, system, '/a'), 503);
  assert.deepEqual(
    plane.front.sidecar.records().filter(({ sallyport }) => sallyport.outcome?.kind === 'forwarded'),
    [],
  );
});

test("another namespace's policy is not given out: the sidecar in front refuses", async (context) => {
  const plane = await startPlane(context);
  plane.service.update(world('a'));
  await plane.service.settled();
  const system = await startAgent(context, plane, { url: plane.url.replace('/agents', '/other') });
  assert.match((await ready(system.sidecar)).policy, /answered 403: it does not let us in; see which identity of ours/);
  const [record] = await plane.front.sidecar.recordsWhen('a refusal', (all) => (all.length > 0 ? all : undefined));
  assert.deepEqual(
    [record?.sallyport.verdict, record?.sallyport.peer, record?.sallyport.reasons],
    ['deny', AGENT_ID, ['a workload of namespace agents may GET /v1/policy/agents and its candidate only']],
  );
});

test('after its identity rotated, the next connection shows the new one', async (context) => {
  const plane = await startPlane(context);
  plane.service.update(world('a'));
  await plane.service.settled();
  const system = await startAgent(context, plane);
  await until('a request that is held', () => plane.service.held === 1);
  const fresh = plane.authority.issue({ id: AGENT_ID });
  await system.replace('own.key', fresh.keyPem);
  await system.replace('own.pem', fresh.chainPem);
  await system.sidecar.reload();
  plane.service.update(world('b'));
  await system.sidecar.until('the next policy', async () => (await statusOf(context, system, '/b')) === 200);
  await until('the next request that is held', () => plane.service.held === 1);
  plane.service.update(world('c'));
  await system.sidecar.until('the policy after it', async () => (await statusOf(context, system, '/c')) === 200);
  const serials = plane.front.sidecar.records().map(({ input }) => serialOf(input));
  assert.equal(new Set(serials).size, 2);
});

function serialOf(input: unknown): string | undefined {
  return (input as { sallyport?: { peer?: { certificate?: { serial?: string } } } } | undefined)?.sallyport?.peer
    ?.certificate?.serial;
}
