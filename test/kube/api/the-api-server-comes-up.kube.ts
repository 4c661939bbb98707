import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';

import { startApiServer } from '../api-server.ts';
import { until } from '../../support/until.ts';

const POD = { metadata: { name: 'web' }, spec: { containers: [{ name: 'app', image: 'registry.invalid/app:1' }] } };
const REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews';

test('the API server of the tests', async (context) => {
  const server = await startApiServer(context);
  await server.createNamespace('agents', { team: 'a' });

  await context.test('is the release that is pinned, for kubectl as well', async () => {
    const { serverVersion } = JSON.parse(await server.kubectl(['version', '-o', 'json']));
    assert.equal(serverVersion.gitVersion, 'v1.37.1');
  });

  await context.test('admits a pod, with a token of its service account mounted', async () => {
    const path = '/api/v1/namespaces/agents/pods';
    const { status, json } = await server.call({ method: 'POST', path, body: POD });
    assert.equal(status, 201, JSON.stringify(json));
    const { spec } = json as { spec: { serviceAccountName: string; volumes: readonly { name: string }[] } };
    assert.equal(spec.serviceAccountName, 'default');
    assert.match(spec.volumes[0]?.name ?? '', /^kube-api-access-/);
  });

  await context.test('a namespace that somebody else makes has its service account', async () => {
    await server.kubectl(['create', 'namespace', 'foreign']);
    const path = '/api/v1/namespaces/foreign/serviceaccounts/default';
    await until('the account', async () => (await server.call({ path })).status === 200);
  });

  await context.test('a token is for its audience and its pod, and dies with the pod', async () => {
    const path = '/api/v1/namespaces/agents/pods';
    const made = await server.call({ method: 'POST', path, body: { ...POD, metadata: { name: 'bound' } } });
    const { uid } = (made.json as { metadata: { uid: string } }).metadata;
    const token = await server.requestToken({
      namespace: 'agents',
      serviceAccount: 'default',
      audiences: ['authority'],
      boundPod: { name: 'bound', uid },
    });
    const review = (audience: string) =>
      server.call({ method: 'POST', path: REVIEWS, body: { spec: { token, audiences: [audience] } } });
    assert.partialDeepStrictEqual((await review('authority')).json, {
      status: {
        authenticated: true,
        user: {
          username: 'system:serviceaccount:agents:default',
          extra: { 'authentication.kubernetes.io/pod-uid': [uid] },
        },
      },
    });
    assert.notEqual(await authenticated(review('another')), true);
    await server.kubectl(['-n', 'agents', 'delete', 'pod', 'bound', '--force', '--grace-period=0']);
    await until('the token to be refused', async () => (await authenticated(review('authority'))) !== true);
  });

  await context.test('nobody else than the administrator may do anything', async () => {
    const token = await server.requestToken({ namespace: 'agents', serviceAccount: 'default' });
    assert.equal((await server.call({ path: '/api/v1/namespaces/agents/pods', token })).status, 403);
  });

  await context.test('a Service has an address of loopback, where a test can listen', async () => {
    const body = { metadata: { name: 'hook' }, spec: { ports: [{ port: 443 }] } };
    const { json } = await server.call({ method: 'POST', path: '/api/v1/namespaces/agents/services', body });
    const { clusterIP } = (json as { spec: { clusterIP: string } }).spec;
    assert.match(clusterIP, /^127\.96\./);
    const listener = createServer().listen(0, clusterIP);
    await once(listener, 'listening');
    listener.close();
  });

  await context.test('helm installs into it', async () => {
    assert.match(await server.helm(['list', '--all-namespaces']), /^NAME/);
  });

  await context.test('after an outage it has what it had', async () => {
    await server.stopApiServer();
    await assert.rejects(server.call({ path: '/readyz' }));
    await server.startAgain();
    assert.match(await server.kubectl(['get', 'namespace', 'agents', '--show-labels']), /team=a/);
  });
});

async function authenticated(review: Promise<{ readonly json: unknown }>): Promise<boolean | undefined> {
  return ((await review).json as { status: { authenticated?: boolean } }).status.authenticated;
}
