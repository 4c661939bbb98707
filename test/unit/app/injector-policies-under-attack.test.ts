import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
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

const SETTINGS = {
  listen: { host: '127.0.0.1', port: 0 },
  configMap: 'sallyport-policy',
  candidateConfigMap: 'sallyport-policy-candidate',
  library: true,
  serviceAccounts: false,
};

async function follow(context: TestContext, api: FakeKubeApi, platform: string | undefined) {
  const worlds: PolicyWorld[] = [];
  const problems: unknown[] = [];
  const service = { synced: true, update: (world: PolicyWorld) => void worlds.push(world) } as unknown as PolicyService;
  const policies = followClusterPolicies({ ...SETTINGS, platform }, 'example.org' as TrustDomain, {
    api: clientOf(context, api, [], systemTimer),
    service,
    onProblem: (problem) => void problems.push(problem),
  });
  context.after(() => policies.stop());
  await policies.start();
  return { worlds, problems, policies };
}

function takesPart(api: FakeKubeApi, name: string): void {
  api.store.put(`/api/v1/namespaces/${name}`, { metadata: { labels: { 'sallyport.dev/inject': 'enabled' } } });
}

test('a namespace that changes its policy all the time does not keep those of others from being told', async (context) => {
  const api = await startFakeKubeApi(context);
  for (const name of ['busy', 'agents']) takesPart(api, name);
  const { worlds } = await follow(context, api, undefined);
  await until('the first world', () => worlds.length > 0);
  let changes = 0;
  const flood = setInterval(() => {
    changes += 1;
    api.store.put('/api/v1/namespaces/busy/configmaps/sallyport-policy', { data: { 'a.rego': `package x${changes}` } });
  }, 5);
  context.after(() => clearInterval(flood));
  api.store.put('/api/v1/namespaces/agents/configmaps/sallyport-policy', { data: { 'a.rego': 'package new' } });
  await until('the policy of agents, or many changes of the other', () => changes > 300 || told(worlds) !== undefined);
  assert.equal(told(worlds), 'package new');
});

function told(worlds: readonly PolicyWorld[]): string | undefined {
  return worlds.at(-1)?.namespaces.get('agents')?.policy?.files.get('a.rego');
}

test("promise 7: platform rules that cannot be read any more stay in force, and it is told; never nobody's rules", async (context) => {
  const api = await startFakeKubeApi(context);
  takesPart(api, 'agents');
  const platform = join(await tempFolder(context), 'platform');
  await mkdir(platform);
  await writeFile(join(platform, 'rules.rego'), 'package sallyport.platform\n');
  const { worlds, problems } = await follow(context, api, platform);
  await until('the first world', () => worlds.length > 0);
  await rm(platform, { recursive: true });
  await until('the problem', () => problems.at(-1) !== undefined);
  assert.match(String(problems.at(-1)), /platform: there is no such file/);
  takesPart(api, 'other');
  await until('another world', () => worlds.at(-1)?.namespaces.has('other'));
  assert.deepEqual(
    worlds.map(({ platform: { files } }) => [...files.keys()]),
    worlds.map(() => ['rules.rego']),
  );
});

test('platform rules that could not be read yet are no platform without rules: nothing is served', async (context) => {
  const api = await startFakeKubeApi(context);
  takesPart(api, 'agents');
  const platform = join(await tempFolder(context), 'platform');
  const { worlds, policies } = await follow(context, api, platform);
  await until('the namespaces', () => policies.labels('agents')['sallyport.dev/inject'] === 'enabled');
  assert.match(policies.missing ?? '', /the platform's rules cannot be read/);
  assert.equal(worlds.length, 0);
  await mkdir(platform);
  await writeFile(join(platform, 'rules.rego'), 'package sallyport.platform\n');
  await until('the first world', () => worlds.length > 0);
  assert.deepEqual([...(worlds[0]?.platform.files.keys() ?? [])], ['rules.rego']);
});
