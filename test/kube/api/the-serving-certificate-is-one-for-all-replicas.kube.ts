import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';

import { until } from '../../support/until.ts';
import { askApi } from '../kube-api.ts';
import {
  caBundles,
  createConfiguration,
  secretData,
  startReplica,
  startWebhookWorld,
  NAMESPACE,
  SECRET,
} from '../webhook-world.ts';

test('replicas that start at once leave one Secret and one caBundle, and serve the same certificate', async (context) => {
  const world = await startWebhookWorld(context);
  await createConfiguration(world);
  const names = ['a', 'b', 'c'];
  const replicas = await Promise.all(names.map((name) => startReplica(context, world, name)));
  for (const { serving, problems } of replicas)
    await until(`a certificate (${problems.join()})`, () => serving.current() !== undefined);
  const data = await secretData(world);
  assert.deepEqual(Object.keys(data).sort(), ['ca.crt', 'ca.key', 'tls.crt', 'tls.key']);
  for (const { serving } of replicas) assert.equal(serving.current()?.certificate, data['tls.crt']);
  for (const bundle of await caBundles(world)) assert.equal(bundle, data['ca.crt']);
  const leaf = new X509Certificate(data['tls.crt'] ?? '');
  assert.equal(leaf.checkHost('sallyport-injector.sallyport-system.svc'), 'sallyport-injector.sallyport-system.svc');
  // Races are lost, and nothing else goes wrong.
  for (const { problems } of replicas)
    for (const one of problems) assert.match(one, /^(?:get not_found|(?:create|update|patch) conflict) /);
  for (const { said } of replicas) assert.ok(!said.join().includes('PRIVATE'));
});

test('a caBundle that somebody empties, and a Secret that somebody deletes, are there again', async (context) => {
  const world = await startWebhookWorld(context);
  await createConfiguration(world);
  const lives = { leafMs: 3_600_000, authorityMs: 36_000_000, settleMs: 1_000, lookMs: 2_000 };
  const [one, other] = await Promise.all(['a', 'b'].map((name) => startReplica(context, world, name, lives)));
  assert.ok(one && other);
  for (const { serving } of [one, other]) await until('a certificate', () => serving.current() !== undefined);
  const before = await secretData(world);
  const configuration = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/sallyport-injector';
  await askApi(world.kube.api, {
    method: 'PATCH',
    path: configuration,
    type: 'application/json-patch+json',
    body: [{ op: 'remove', path: '/webhooks/1/clientConfig/caBundle' }],
  });
  await until('caBundle', async () => (await caBundles(world)).every((bundle) => bundle === before['ca.crt']));
  await askApi(world.kube.api, { method: 'DELETE', path: `/api/v1/namespaces/${NAMESPACE}/secrets/${SECRET}` });
  // The lost authority goes once nobody can be serving a certificate of it any more.
  const after = await until('a new authority', async () => {
    const data = await secretData(world).catch(() => undefined);
    const bundles = await caBundles(world);
    return (
      data !== undefined &&
      data['ca.crt'] !== before['ca.crt'] &&
      bundles.every((bundle) => bundle === data['ca.crt']) &&
      data
    );
  });
  for (const { serving } of [one, other]) {
    await until('the new certificate', () => serving.current()?.certificate === after['tls.crt']);
    assert.equal(serving.problem, undefined);
  }
});

test('what RBAC does not allow is said as the rule that is missing; an API server that is away changes nothing', async (context) => {
  const world = await startWebhookWorld(context);
  await createConfiguration(world);
  const lives = { leafMs: 3_600_000, authorityMs: 36_000_000, settleMs: 1_000, lookMs: 1_000 };
  const clusterRole = '/apis/rbac.authorization.k8s.io/v1/clusterroles/sallyport-injector';
  const merge = 'application/merge-patch+json';
  await askApi(world.kube.api, { method: 'PATCH', path: clusterRole, type: merge, body: rules(['get']) });
  const { serving } = await startReplica(context, world, 'a', lives);
  const problem = await until('a problem', () => serving.problem);
  assert.match(
    problem,
    /may not patch mutatingwebhookconfigurations \(403\); a ClusterRole bound to it needs .*resourceNames: \[sallyport-injector\], verbs: \[patch\]/,
  );
  // Nothing is served that the API server does not believe.
  assert.equal(serving.current(), undefined);
  await askApi(world.kube.api, {
    method: 'PATCH',
    path: clusterRole,
    type: merge,
    body: rules(['get', 'list', 'watch', 'patch']),
  });
  const served = await until('a certificate', () => serving.current());
  await world.kube.stopApiServer();
  await until('a problem', () => serving.problem);
  assert.equal(serving.current(), served);
  assert.equal(serving.trusted, true);
  await world.kube.startAgain();
  await until('no problem', () => serving.problem === undefined);
  assert.equal(serving.current(), served);
});

/** A ClusterRole's rules with these verbs. */
function rules(verbs: readonly string[]): object {
  return {
    rules: [
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations'],
        resourceNames: ['sallyport-injector'],
        verbs,
      },
    ],
  };
}
