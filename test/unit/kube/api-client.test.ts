import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { CONFIG_MAPS, NAMESPACES, SECRETS, WEBHOOK_CONFIGURATIONS } from '../../../src/io/kube/api-resource.ts';
import { inCluster } from '../../../src/io/kube/in-cluster.ts';
import { startKubeClient } from '../../support/kube-client.ts';
import { createAuthority } from '../../support/pki.ts';
import { until } from '../../support/until.ts';

import type { ApiFault } from '../../../src/io/kube/api-fault.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { KubeFault } from '../../support/fake-kube-api.ts';

const MAP = { ...CONFIG_MAPS, namespace: 'agents', name: 'policy' } as const;
const PATH = '/api/v1/namespaces/agents/configmaps/policy';
const LIST = { limit: 10, maxBytes: 1_000_000 } as const;

function faultOf(answer: Result<unknown, ApiFault>): ApiFault {
  assert.ok(!answer.ok, 'it was answered');
  return answer.error;
}

describe('how an API server is found', () => {
  test('by the environment of a pod', () => {
    const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
    const files = { tokenFile: `${folder}/token`, caFile: `${folder}/ca.crt` };
    const address = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };
    assert.deepEqual(inCluster(address), { ok: true, value: { url: 'https://10.96.0.1:443', ...files } });
    const six = inCluster({ ...address, KUBERNETES_SERVICE_HOST: 'fd00::1' });
    assert.ok(six.ok && six.value.url === 'https://[fd00::1]:443');
  });

  for (const [host, port] of [
    [undefined, '443'],
    ['a', undefined],
    ['a/b', '1'],
    ['a', '1/x'],
    ['', ''],
  ] as const) {
    test(`not by ${JSON.stringify([host, port])}`, () => {
      const answer = inCluster({ KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port });
      assert.ok(!answer.ok && answer.error.includes('is this a pod?'));
    });
  }
});

describe('requests to the API server', () => {
  test('get, create, update', async (context) => {
    const { api, client } = await startKubeClient(context);
    assert.equal(faultOf(await client.get(MAP)).kind, 'not_found');
    const { name, ...collection } = MAP;
    const made = await client.create(collection, { metadata: { name }, data: { a: '1' } });
    assert.ok(made.ok && made.value.metadata.resourceVersion === '101');
    assert.equal(faultOf(await client.create(collection, { metadata: { name } })).kind, 'conflict');
    assert.ok((await client.update(MAP, { ...made.value, data: { a: '2' } })).ok);
    assert.equal(faultOf(await client.update(MAP, { ...made.value, data: { a: '3' } })).kind, 'conflict');
    const found = await client.get(MAP);
    assert.deepEqual(found.ok && found.value['data'], { a: '2' });
    assert.deepEqual(new Set(api.calls.map(({ path }) => path)), new Set([PATH, PATH.slice(0, -'/policy'.length)]));
  });

  test('three kinds of patches, each with its media type', async (context) => {
    const { api, client } = await startKubeClient(context);
    api.store.put(PATH, { data: { a: '1' } });
    assert.ok((await client.patch(MAP, { kind: 'merge', patch: { data: { b: '2' } } })).ok);
    const json = [{ op: 'add', path: '/data/c', value: '3' }] as const;
    assert.ok((await client.patch(MAP, { kind: 'json', patch: json })).ok);
    const test = [{ op: 'test', path: '/data/c', value: 'other' }, ...json];
    assert.equal(faultOf(await client.patch(MAP, { kind: 'json', patch: test })).kind, 'conflict');
    const change = { kind: 'apply', patch: { data: { d: '4' } }, manager: 'sallyport', force: true } as const;
    assert.ok((await client.patch(MAP, change)).ok);
    assert.deepEqual(
      api.calls.map(({ type, query }) => `${type} ${query.toString()}`),
      [
        'application/merge-patch+json ',
        'application/json-patch+json ',
        'application/json-patch+json ',
        'application/apply-patch+yaml fieldManager=sallyport&force=true',
      ],
    );
  });

  test('a list comes in pages, and may be metadata only', async (context) => {
    const { api, client } = await startKubeClient(context);
    for (const name of ['a', 'b', 'c']) api.store.put(`/api/v1/namespaces/${name}`, {});
    const first = await client.list(NAMESPACES, { ...LIST, limit: 2, labelSelector: 'x=y', metadataOnly: true });
    assert.ok(first.ok && first.value.items.length === 2 && first.value.continue === '2');
    const rest = await client.list(NAMESPACES, { ...LIST, continue: first.value.continue });
    assert.ok(rest.ok && rest.value.items.length === 1 && rest.value.continue === '');
    const [call] = api.calls;
    assert.equal(call?.accept, 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1');
    assert.equal(call.query.get('labelSelector'), 'x=y');
  });

  test('what is in a name never becomes a path', async (context) => {
    const { api, client } = await startKubeClient(context);
    await client.get({ ...CONFIG_MAPS, namespace: 'a/../b', name: '../../secrets?x#y' });
    assert.equal(api.calls[0]?.path, '/api/v1/namespaces/a%2F..%2Fb/configmaps/..%2F..%2Fsecrets%3Fx%23y');
  });

  test('token and CA are read anew for each request', async (context) => {
    const { api, client, files } = await startKubeClient(context);
    api.store.put(PATH, {});
    assert.ok((await client.get(MAP)).ok);
    api.clientToken = 'rotated';
    const old = faultOf(await client.get(MAP));
    assert.equal(old.kind, 'unavailable');
    assert.match(old.detail, /401 Unauthorized: it does not know our own token/);
    files.set('token', 'rotated\n');
    assert.ok((await client.get(MAP)).ok);
    files.set('ca', createAuthority({ trustDomain: 'cluster.test' }).bundlePem);
    assert.equal(faultOf(await client.get(MAP)).kind, 'unavailable');
    files.set('ca', '');
    assert.equal(faultOf(await client.get(MAP)).detail, 'ca: holds no certificate in PEM');
    files.set('token', 'two words');
    assert.equal(faultOf(await client.get(MAP)).detail, 'token: holds no bearer token (RFC 6750 2.1)');
  });
});

const STATUSES = [
  [400, 'invalid'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [409, 'conflict'],
  [410, 'gone'],
  [422, 'invalid'],
  [429, 'unavailable'],
  [500, 'unavailable'],
  [503, 'unavailable'],
  [301, 'broken'],
  [204, 'broken'],
] as const;

describe('what the API server answers instead', () => {
  for (const [status, kind] of STATUSES) {
    test(`${status} is ${kind}, and nothing of its text is told`, async (context) => {
      const { api, client, faults } = await startKubeClient(context);
      api.fault = () => ({ kind: 'status', status, reason: 'Because', retryAfter: '7' });
      const fault = faultOf(await client.get(MAP));
      assert.equal(fault.kind, kind);
      assert.equal(fault.retryAfterMs, 7_000);
      assert.ok(!fault.detail.includes('SECRET') && !fault.detail.includes('client-token'), fault.detail);
      assert.deepEqual(faults, [`get ${kind}`]);
    });
  }

  test('403 says the rule that is missing', async (context) => {
    const { api, client } = await startKubeClient(context);
    api.fault = () => ({ kind: 'status', status: 403 });
    const inNamespace = faultOf(await client.update({ ...SECRETS, namespace: 'n', name: 's' }, { metadata: {} }));
    const role =
      'a Role in namespace n bound to it needs {apiGroups: [""], resources: [secrets], resourceNames: [s], verbs: [update]}';
    assert.equal(inNamespace.detail, `our service account may not update secrets (403); ${role}`);
    const cluster = faultOf(await client.list(WEBHOOK_CONFIGURATIONS, LIST));
    assert.match(
      cluster.detail,
      /a ClusterRole .*\["admissionregistration.k8s.io"\], resources: \[mutatingwebhookconfigurations\], verbs: \[list\]/,
    );
  });

  for (const [text, expected] of [
    ['Mon, 01 Jan 2035 00:00:00 GMT', undefined],
    ['99999', 600_000],
    ['-1', undefined],
  ] as const) {
    test(`Retry-After ${text}`, async (context) => {
      const { api, client } = await startKubeClient(context);
      api.fault = () => ({ kind: 'status', status: 429, retryAfter: text });
      assert.equal(faultOf(await client.get(MAP)).retryAfterMs, expected);
    });
  }

  for (const text of ['', '{', '[]', 'null', '{}', '{"metadata":[]}', '{"metadata":{"name":7}}']) {
    test(`no object: ${text}`, async (context) => {
      const { api, client } = await startKubeClient(context);
      api.fault = () => ({ kind: 'text', text });
      assert.equal(faultOf(await client.get(MAP)).kind, 'broken');
      assert.equal(faultOf(await client.list(NAMESPACES, LIST)).kind, 'broken');
    });
  }

  for (const kind of ['silent', 'stalled'] as const) {
    test(`an API server that is ${kind} has until the deadline`, async (context) => {
      const { api, client, timer } = await startKubeClient(context);
      api.fault = () => ({ kind });
      const answer = client.get(MAP);
      await until('the call', () => api.calls.length > 0);
      await timer.fire(4_321);
      assert.deepEqual(faultOf(await answer), {
        kind: 'unavailable',
        detail: `get ${PATH}: no whole answer within 4321 ms`,
      });
      assert.deepEqual(timer.set(), []);
    });
  }

  test('an answer without end, and one that is too large', async (context) => {
    const { api, client } = await startKubeClient(context);
    api.fault = () => ({ kind: 'endless' });
    assert.equal(faultOf(await client.get(MAP)).kind, 'too_large');
    api.fault = () => ({ kind: 'text', text: ' '.repeat(2_000) });
    assert.equal(faultOf(await client.list(NAMESPACES, { ...LIST, maxBytes: 1_999 })).kind, 'too_large');
  });

  test('a connection that is cut, nobody who listens, and a stop', async (context) => {
    const { api, client } = await startKubeClient(context);
    api.fault = () => ({ kind: 'reset' });
    assert.match(faultOf(await client.get(MAP)).detail, /^API server: the connection failed \([A-Z_]+\)$/);
    await api.stop();
    assert.equal(faultOf(await client.get(MAP)).detail, 'API server: the connection failed (ECONNREFUSED)');
    await api.start();
    api.fault = () => ({ kind: 'silent' });
    const answer = client.get(MAP);
    await client.stop();
    assert.equal(faultOf(await answer).kind, 'stopped');
  });
});

describe('one watch', () => {
  const LINES: readonly (readonly [string, KubeFault, ApiFault['kind']])[] = [
    ['a line that is no event', { kind: 'watch', text: 'nonsense\n' }, 'broken'],
    [
      'a cut line',
      { kind: 'watch', text: '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n{"type' },
      'broken',
    ],
    ['a line without end', { kind: 'endless' }, 'too_large'],
    ['410 in the stream', { kind: 'watch', text: '{"type":"ERROR","object":{"code":410}}\n' }, 'gone'],
    ['410 as an answer', { kind: 'status', status: 410 }, 'gone'],
    ['a cut connection', { kind: 'reset' }, 'unavailable'],
  ];
  for (const [title, fault, kind] of LINES) {
    test(`${title} ends it as ${kind}`, async (context) => {
      const { api, client } = await startKubeClient(context);
      api.fault = () => fault;
      const ask = { resourceVersion: '1', timeoutSeconds: 60, maxBytes: 100_000, signal: new AbortController().signal };
      assert.equal((await client.watch(NAMESPACES, ask, () => undefined))?.kind, kind);
    });
  }

  test('a silent one is given up a little after its time; one that its caller ends is stopped', async (context) => {
    const { api, client, timer } = await startKubeClient(context);
    const caller = new AbortController();
    const ask = { resourceVersion: '100', timeoutSeconds: 60, maxBytes: 1_000, signal: caller.signal };
    const first = client.watch(NAMESPACES, ask, () => undefined);
    await until('the watch', () => api.watching === 1);
    await timer.fire(70_000);
    assert.equal((await first)?.kind, 'unavailable');
    const second = client.watch(NAMESPACES, ask, () => undefined);
    await until('the watch', () => api.watching === 1);
    caller.abort();
    assert.equal((await second)?.kind, 'stopped');
  });
});
