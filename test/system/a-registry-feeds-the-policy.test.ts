import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { allowing, ready, statusOf } from '../support/controlled-system.ts';
import { startHttpAgent } from '../support/http-agent.ts';
import { OCI_LAYER, startRegistry, type ScriptedRegistry } from '../support/scripted-registry.ts';
import { startSidecar, type RawConfig } from '../support/sidecar-process.ts';
import { policyBundle, startSystem, type System } from '../support/system.ts';

const LOGIN = 'agent:a-password-of-the-test';
const SERVER = { trustBundle: 'registry.pem', token: LOGIN, minDelay: '100ms', maxDelay: '200ms' };
const SECRET = 'a shared secret of thirty-two bytes and more';

type World = {
  readonly registry: ScriptedRegistry;
  readonly system: System;
  readonly get: (path: string) => Promise<number>;
};

/** A sidecar that follows tag `1` of a registry that wants a login, with short pauses. `prepare`: what is there when it starts. */
async function world(
  context: TestContext,
  prepare: (registry: ScriptedRegistry) => void,
  keys: (registry: ScriptedRegistry) => RawConfig = () => ({}),
): Promise<World> {
  const registry = await startRegistry(context);
  registry.guard = { kind: 'bearer', login: LOGIN };
  prepare(registry);
  const agent = await startHttpAgent(context, (_request, response) => response.end('ok'));
  const system = await startSystem(context, {
    upstream: `http://127.0.0.1:${agent.port}`,
    policy: allowing('a', 'file'),
    files: { 'registry.pem': registry.authority.bundlePem },
    policyKeys: {
      bundle: registry.reference(':1'),
      bundleServer: SERVER,
      ...keys(registry),
    },
  });
  return { registry, system, get: (path) => statusOf(context, system, path) };
}

async function active(system: System, revision: string): Promise<void> {
  const metric = `sallyport_policy_info{bundle="policies",revision="${revision}"}`;
  await system.sidecar.until(revision, async () => (await system.sidecar.metric(metric)) === 1);
}

test('a policy by tag: a tag that moves is a new revision without a restart, one that stays costs a HEAD', async (context) => {
  const [first, second] = [await policyBundle(allowing('a', 'r1')), await policyBundle(allowing('b', 'r2'))];
  const { registry, system, get } = await world(context, (at) => at.push('1', first));
  assert.deepEqual([await get('/a'), await get('/b')], [200, 403]);
  const [record] = await system.sidecar.recordsFrom(0, 1);
  assert.deepEqual(record?.bundles, { policies: { revision: 'r1' } });
  await registry.heard('HEAD manifests/1', 2);
  assert.equal(registry.asked.filter((one) => one.startsWith('GET blobs/')).length, 1);
  registry.push('1', second);
  await active(system, 'r2');
  assert.deepEqual([await get('/a'), await get('/b')], [403, 200]);
  assert.ok(!JSON.stringify(system.sidecar.log).includes('a-password-of-the-test'));
});

test('no tag yet: it listens, is not ready and refuses; pushing the first image changes that', async (context) => {
  const { registry, system, get } = await world(context, () => undefined);
  const before = await ready(system.sidecar);
  assert.equal(before.status, 503);
  assert.match(before.policy, /oci:\/\/localhost:\d+\/team\/policies:1: answered 404: it has no such tag or digest/);
  assert.equal(await get('/a'), 503);
  registry.push('1', await policyBundle(allowing('a', 'r1')));
  await system.sidecar.until('ready', async () => (await ready(system.sidecar)).status === 200);
  assert.equal(await get('/a'), 200);
});

test('what is no good changes nothing: another blob, no bundle, unsigned where signatures are wanted, a registry that refuses', async (context) => {
  const bundle = await policyBundle(allowing('a', 'r1'));
  const { registry, system, get } = await world(context, (at) => at.push('1', bundle));
  const other = await policyBundle(allowing('b', 'r2'));
  const swapped = registry.put(other, OCI_LAYER).digest;
  const FAULTS: readonly (readonly [start: () => void, said: RegExp])[] = [
    [
      () => {
        registry.scripts.set(registry.path('blobs', swapped), (_request, response) => response.end(bundle));
        registry.push('1', other);
      },
      /has another digest than the manifest says|bytes, and not the/,
    ],
    [() => void registry.push('1', new TextEncoder().encode('no archive')), /policies:1: .*(gzip|archive|not_)/],
    [() => void (registry.guard = { kind: 'basic', login: 'another:one' }), /answered 401: it does not let us in/],
    [() => registry.untag('1'), /answered 404: it has no such tag or digest/],
  ];
  for (const [start, said] of FAULTS) {
    const from = system.sidecar.log.length;
    start();
    // oxlint-disable-next-line no-await-in-loop -- one after the other, in one process
    await system.sidecar.logged(said, from);
    // oxlint-disable-next-line no-await-in-loop -- as above
    assert.deepEqual([await get('/a'), await get('/b'), (await ready(system.sidecar)).status], [200, 403, 200]);
    registry.scripts.clear();
    registry.guard = { kind: 'bearer', login: LOGIN };
    registry.push('1', bundle);
    // oxlint-disable-next-line no-await-in-loop -- as above
    await system.sidecar.logged('the source is good again', from);
  }
});

test('signatures hold for images as well', async (context) => {
  const verification = { keys: { k: { algorithm: 'HS256', secret: SECRET } }, keyId: 'k' };
  const unsigned = await policyBundle(allowing('a', 'r1'));
  const { system, get } = await world(
    context,
    (at) => at.push('1', unsigned),
    () => ({ verification }),
  );
  assert.match((await ready(system.sidecar)).policy, /signature_missing/);
  assert.equal(await get('/a'), 503);
});

test('a restart without the registry: the last good copy, until it is back', async (context) => {
  const bundle = await policyBundle(allowing('a', 'r1'));
  const at = await world(
    context,
    (registry) => registry.push('1', bundle),
    () => ({ bundleServer: { ...SERVER, persist: 'kept' } }),
  );
  assert.equal(await at.get('/a'), 200);
  assert.equal(await at.system.sidecar.stop(), 0);
  await at.registry.stop();
  const { folder } = at.system;
  const config = JSON.parse(await readFile(join(folder, 'sallyport.json'), 'utf8')) as RawConfig;
  const system = { ...at.system, sidecar: await startSidecar(context, folder, config) };
  assert.equal(await statusOf(context, system, '/a'), 200);
  await system.sidecar.logged('the last good copy of the policy is in force');
  at.registry.push('1', await policyBundle(allowing('b', 'r2')));
  await at.registry.start();
  await active(system, 'r2');
  assert.equal(await statusOf(context, system, '/b'), 200);
});

test('a candidate by another tag comes and goes with it', async (context) => {
  const bundle = await policyBundle(allowing('a', 'r1'));
  const { registry, system, get } = await world(
    context,
    (at) => at.push('1', bundle),
    (at) => ({ candidate: { bundle: at.reference(':next') } }),
  );
  await registry.heard('GET manifests/next');
  registry.push('next', await policyBundle(allowing('c', 'r3')));
  const series = 'sallyport_candidate_info{bundle="policies",revision="r3"}';
  await system.sidecar.until('a candidate', async () => (await system.sidecar.metric(series)) === 1);
  assert.deepEqual([await get('/a'), await get('/c')], [200, 403]);
  registry.untag('next');
  await system.sidecar.until('no candidate', async () => (await system.sidecar.metric(series)) === undefined);
  assert.equal(await get('/a'), 200);
});
