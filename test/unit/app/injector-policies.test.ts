import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { followClusterPolicies } from '../../../src/app/injector-policies.ts';
import type { TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { PolicyService } from '../../../src/io/policy-service/policy-service.ts';
import type { PolicyWorld } from '../../../src/io/policy-service/settings.ts';
import { systemTimer } from '../../../src/io/sources/timer.ts';
import { startFakeKubeApi, type FakeKubeApi } from '../../support/fake-kube-api.ts';
import { clientOf } from '../../support/kube-client.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

const REGO = 'package sallyport.authz\ndecision := true\n';

test('nothing is told before everything is known: a policy not heard of yet would look like none', async (context) => {
  const api = await startFakeKubeApi(context);
  let closed = true;
  api.fault = ({ path }) => (closed && path.endsWith('/configmaps') ? { kind: 'status', status: 503 } : undefined);
  namespace(api, 'agents');
  const { worlds, policies } = await follow(context, api);
  await until('the namespaces to be known', () => policies.labels('agents')['sallyport.dev/inject'] === 'enabled');
  assert.match(policies.missing ?? '', /configmaps|API server/);
  assert.deepEqual(worlds, []);
  closed = false;
  await until('the policies to be told', () => worlds.length > 0);
});

test('policy and candidate of a namespace, as their ConfigMaps have them', async (context) => {
  const api = await startFakeKubeApi(context);
  namespace(api, 'agents', { 'sallyport.dev/segment': 'planners' });
  const path = '/api/v1/namespaces/agents/configmaps';
  const metadata = { annotations: { 'sallyport.dev/decision': 'envoy/authz/allow' } };
  api.store.put(`${path}/sallyport-policy`, { metadata, data: { 'a.rego': REGO } });
  const { worlds } = await follow(context, api);
  const first = await until('the first world', () => worlds.at(-1));
  const agents = first.namespaces.get('agents');
  assert.deepEqual([...(agents?.policy?.files ?? [])], [['a.rego', REGO]]);
  assert.equal(agents?.policy?.decision, 'envoy/authz/allow');
  assert.equal(agents?.candidate, undefined);
  assert.equal(first.cluster.namespaces.get('agents')?.labels['sallyport.dev/segment'], 'planners');
  assert.deepEqual([first.cluster.trustDomain, first.cluster.accountSegments], ['example.org', false]);

  api.store.put(`${path}/sallyport-policy-candidate`, { data: { 'b.rego': REGO } });
  await until('the candidate', () => worlds.at(-1)?.namespaces.get('agents')?.candidate?.files.has('b.rego'));
  api.store.remove(`${path}/sallyport-policy`);
  await until('its end', () => worlds.at(-1)?.namespaces.get('agents')?.policy === undefined);
});

test('other ConfigMaps are not asked for', async (context) => {
  const api = await startFakeKubeApi(context);
  await follow(context, api);
  await until('all questions', () => api.calls.length >= 3);
  const asked = api.calls
    .filter(({ path }) => path.endsWith('/configmaps'))
    .map(({ query }) => query.get('fieldSelector'));
  assert.deepEqual(
    [...new Set(asked)].toSorted((a, b) => `${a}`.localeCompare(`${b}`)),
    ['metadata.name=sallyport-policy', 'metadata.name=sallyport-policy-candidate'],
  );
  const [namespaces] = api.calls.filter(({ path }) => path === '/api/v1/namespaces');
  assert.equal(namespaces?.query.get('labelSelector'), 'sallyport.dev/inject=enabled');
});

test("the platform's folder is followed, whatever its keys are called; what the kubelet keeps there is not", async (context) => {
  const api = await startFakeKubeApi(context);
  const platform = await tempFolder(context);
  await mkdir(join(platform, '..2026_11_21'));
  await writeFile(join(platform, 'rules.rego'), 'package sallyport.platform\n');
  await writeFile(join(platform, 'fleet.yaml'), 'a: 1\n');
  const { worlds } = await follow(context, api, { platform });
  const first = await until('the first world', () => worlds.at(-1));
  assert.deepEqual([...first.platform.files.keys()].sort(), ['fleet.yaml', 'rules.rego']);
  await writeFile(join(platform, 'rules.rego'), 'package sallyport.platform\nx := 1\n');
  await until('the change', () => worlds.at(-1)?.platform.files.get('rules.rego')?.includes('x := 1'));
});

test('service accounts count where that is asked for', async (context) => {
  const api = await startFakeKubeApi(context);
  namespace(api, 'agents');
  const labels = { 'sallyport.dev/segment': 'writers' };
  api.store.put('/api/v1/namespaces/agents/serviceaccounts/scribe', { metadata: { labels } });
  const { worlds } = await follow(context, api, { serviceAccounts: true });
  const { cluster } = await until('the first world', () => worlds.at(-1));
  assert.deepEqual(cluster.namespaces.get('agents')?.serviceAccounts.get('scribe'), labels);
  assert.equal(cluster.accountSegments, true);
});

function namespace(api: FakeKubeApi, name: string, labels: Readonly<Record<string, string>> = {}): void {
  const metadata = { labels: { 'sallyport.dev/inject': 'enabled', ...labels } };
  api.store.put(`/api/v1/namespaces/${name}`, { metadata });
}

async function follow(context: TestContext, api: FakeKubeApi, settings: object = {}) {
  const worlds: PolicyWorld[] = [];
  const service = { synced: true, update: (world: PolicyWorld) => void worlds.push(world) } as unknown as PolicyService;
  const policies = followClusterPolicies(
    {
      listen: { host: '127.0.0.1', port: 0 },
      configMap: 'sallyport-policy',
      candidateConfigMap: 'sallyport-policy-candidate',
      library: true,
      serviceAccounts: false,
      platform: undefined,
      ...settings,
    },
    'example.org' as TrustDomain,
    { api: clientOf(context, api, [], systemTimer), service, onProblem: () => undefined },
  );
  context.after(() => policies.stop());
  await policies.start();
  return { worlds, policies };
}
