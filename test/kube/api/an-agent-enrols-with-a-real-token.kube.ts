import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';

import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { ok } from '../../../src/core/kernel/result.ts';
import { prepareRoot } from '../../../src/io/authority/root-rotation.ts';
import { createAuthorityClient, type AuthorityClient } from '../../../src/io/enrolment/authority-client.ts';
import { startAuthorityProcess, type AuthorityProcess } from '../../support/authority-process.ts';
import { DAY, valueOf } from '../../support/authority-world.ts';
import { freePorts } from '../../support/free-ports.ts';
import { freshCsr, postSvid, realTimer } from '../../support/served-authority.ts';
import { systemClock } from '../../support/system-clock.ts';
import { until } from '../../support/until.ts';
import { startApiServer, type ApiServer } from '../api-server.ts';
import { askApi } from '../kube-api.ts';

const AUDIENCE = 'sallyport';
const SYSTEM = 'sallyport-system';
const TRUST = `/api/v1/namespaces/${SYSTEM}/configmaps/sallyport-trust`;
const PODS = '/api/v1/namespaces/agents/pods';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';

/** What an authority may do in a cluster, and no more. */
const CLUSTER_RULES = [
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
];
const OWN_RULES = [
  { apiGroups: [''], resources: ['configmaps'], resourceNames: ['sallyport-trust'], verbs: ['create', 'patch'] },
];

type World = {
  readonly server: ApiServer;
  readonly authority: AuthorityProcess;
  readonly healthPort: number;
  /** Makes a pod that nothing runs; its UID. */
  readonly createPod: (name: string, serviceAccount?: string) => Promise<string>;
  /** As the kubelet says where it is. */
  readonly giveAddress: (name: string, ip: string) => Promise<void>;
  readonly tokenOf: (name: string, uid: string, audience?: string, serviceAccount?: string) => Promise<string>;
  readonly clientWith: (token: string) => Promise<AuthorityClient>;
  /** What the process log said of the last refusal. */
  readonly lastReason: () => unknown;
};

async function allow(server: ApiServer): Promise<void> {
  const subject = { kind: 'ServiceAccount', name: 'sallyport-authority', namespace: SYSTEM };
  const name = 'sallyport-authority';
  const roles = [
    [`${RBAC}/clusterroles`, { metadata: { name }, rules: CLUSTER_RULES }],
    [`${RBAC}/clusterrolebindings`, { metadata: { name }, roleRef: roleRef('ClusterRole'), subjects: [subject] }],
    [`${RBAC}/namespaces/${SYSTEM}/roles`, { metadata: { name }, rules: OWN_RULES }],
    [
      `${RBAC}/namespaces/${SYSTEM}/rolebindings`,
      { metadata: { name }, roleRef: roleRef('Role'), subjects: [subject] },
    ],
  ] as const;
  for (const [path, body] of roles)
    // oxlint-disable-next-line no-await-in-loop -- a binding after its role
    await askApi(server.api, { method: 'POST', path, body });
}

function roleRef(kind: 'ClusterRole' | 'Role'): object {
  return { apiGroup: 'rbac.authorization.k8s.io', kind, name: 'sallyport-authority' };
}

async function world(context: TestContext): Promise<World> {
  const server = await startApiServer(context);
  await server.createNamespace(SYSTEM);
  await server.createNamespace('agents');
  await server.createServiceAccount(SYSTEM, 'sallyport-authority');
  await server.createServiceAccount('agents', 'planner');
  await allow(server);
  const tokenFile = join(server.folder, 'authority.token');
  const own = await server.requestToken({ namespace: SYSTEM, serviceAccount: 'sallyport-authority' });
  await writeFile(tokenFile, own, { mode: 0o600 });
  const [healthPort = 0] = await freePorts(1);
  const authority = await startAuthorityProcess(context, {
    config: {
      health: { listen: `127.0.0.1:${healthPort}` },
      kubernetes: {
        api: server.url,
        trustBundle: server.caFile,
        token: tokenFile,
        publish: { configMap: 'sallyport-trust', namespace: SYSTEM },
      },
    },
  });
  return {
    server,
    authority,
    healthPort,
    createPod: async (name, serviceAccountName = 'planner') => {
      const spec = { serviceAccountName, containers: [{ name: 'agent', image: 'registry.invalid/agent:1' }] };
      const pod = await askApi(server.api, { method: 'POST', path: PODS, body: { metadata: { name }, spec } });
      return (pod as { metadata: { uid: string } }).metadata.uid;
    },
    giveAddress: async (name, ip) => {
      const body = { status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] } };
      const type = 'application/merge-patch+json';
      await askApi(server.api, { method: 'PATCH', path: `${PODS}/${name}/status`, type, body });
    },
    tokenOf: (name, uid, audience = AUDIENCE, serviceAccount = 'planner') =>
      server.requestToken({ namespace: 'agents', serviceAccount, audiences: [audience], boundPod: { name, uid } }),
    clientWith: async (token) => {
      const client = createAuthorityClient(
        { url: authority.url, id: authority.id, method: 'kubernetes', token: 'token' },
        {
          readFile: () => Promise.resolve(ok({ bytes: Buffer.from(token), mode: 0o640 })),
          clock: systemClock,
          timer: realTimer,
        },
      );
      context.after(() => client.stop());
      const blocks = valueOf(pemBlocks(await readFile(authority.rootsFile, 'utf8')));
      client.trustRoots(blocks.map(({ der }) => der));
      return client;
    },
    lastReason: () => authority.log.findLast(({ msg }) => msg.endsWith('was refused'))?.['reason'],
  };
}

/** Enrols; the ID, or what kind of fault it was. */
async function enrol(client: AuthorityClient): Promise<string> {
  const enrolled = await client.enrol((await freshCsr()).csr);
  return enrolled.ok ? enrolled.value.spiffeId : enrolled.error.kind;
}

/** A token that was taken out of its pod, shown from another address. */
async function replay(port: number, token: string): Promise<number> {
  const csr = (await freshCsr()).base64;
  // Node's client takes the address to come from beside what it takes for TLS.
  const elsewhere: ConnectionOptions & { readonly localAddress: string } = { localAddress: '127.0.0.2' };
  return (await postSvid(port, { csr, method: 'kubernetes', token }, elsewhere)).status;
}

async function rootsPublished(server: ApiServer): Promise<readonly Buffer[]> {
  const { status, json } = await server.call({ path: TRUST });
  if (status !== 200) return [];
  const { data } = json as { data: Readonly<Record<string, string>> };
  return valueOf(pemBlocks(data['roots.pem'] ?? '')).map(({ der }) => Buffer.from(der));
}

function health(port: number, path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`);
}

const PLANNER = 'spiffe://example.org/ns/agents/sa/planner';

test('an authority of a real cluster', async (context) => {
  const { server, authority, healthPort, createPod, giveAddress, tokenOf, clientWith, lastReason } =
    await world(context);
  const uid = await createPod('planner-1');
  const token = await tokenOf('planner-1', uid);
  const client = await clientWith(token);
  const key = await freshCsr();

  await context.test(
    'a pod whose address is not written yet is told to come back, and comes in once it is',
    async () => {
      const early = await client.enrol(key.csr);
      assert.deepEqual(
        early.ok ? 'enrolled' : [early.error.kind, early.error.retryAfterMs],
        ['unavailable', 1_000],
        authority.story(),
      );
      assert.equal(lastReason(), 'pod_has_no_address');
      await giveAddress('planner-1', '127.0.0.1');
      assert.equal(await enrol(client), PLANNER);
    },
  );

  await context.test('a token from another address is refused, and written down with the pod', async () => {
    assert.equal(await replay(authority.port, token), 403);
    assert.equal(lastReason(), 'pod_address');
    const refused = await until('the record', async () =>
      (await authority.issuanceLog()).split('\n').findLast((line) => line.includes('"event":"refused"')),
    );
    const { sallyport } = JSON.parse(refused) as { sallyport: Record<string, string> };
    assert.deepEqual(
      [sallyport['pod'], sallyport['pod_uid'], sallyport['source'], sallyport['service_account']],
      ['planner-1', uid, '127.0.0.2', 'agents/planner'],
    );
  });

  await context.test('a token for another audience, and one that is bound to no pod', async () => {
    assert.equal(await enrol(await clientWith(await tokenOf('planner-1', uid, 'vault'))), 'refused');
    assert.equal(lastReason(), 'token_refused');
    const unbound = await server.requestToken({
      namespace: 'agents',
      serviceAccount: 'planner',
      audiences: [AUDIENCE],
    });
    assert.equal(await enrol(await clientWith(unbound)), 'refused');
    assert.equal(lastReason(), 'pod_missing');
  });

  await context.test('each service account gets its own ID and no other', async () => {
    const other = await createPod('other-1', 'default');
    await giveAddress('other-1', '127.0.0.1');
    const bound = await tokenOf('other-1', other, AUDIENCE, 'default');
    assert.equal(await enrol(await clientWith(bound)), 'spiffe://example.org/ns/agents/sa/default');
    // The API server itself gives no token of an account for a pod that runs as another one.
    await assert.rejects(tokenOf('other-1', other, AUDIENCE, 'planner'));
    const asking = { csr: (await freshCsr()).base64, method: 'kubernetes', token: bound, id: PLANNER };
    assert.equal((await postSvid(authority.port, asking)).status, 403);
  });

  await context.test('a renewal is for the address of the pod, and ends with the pod', async () => {
    const short = await createPod('planner-2');
    await giveAddress('planner-2', '127.0.0.1');
    const mine = await clientWith(await tokenOf('planner-2', short));
    const { csr, privateKey } = await freshCsr();
    const { chain } = valueOf(await mine.enrol(csr));
    const renew = async (): Promise<string> => {
      // What the authority remembers of a pod is forgotten within seconds, and an ID has its limit.
      await pause(200);
      const renewed = await mine.renew((await freshCsr()).csr, { chain, privateKey });
      return renewed.ok ? renewed.value.spiffeId : renewed.error.kind;
    };
    assert.equal(await renew(), PLANNER);
    await giveAddress('planner-2', '127.0.0.9');
    await until('the new address to count', async () => (await renew()) === 'refused');
    await giveAddress('planner-2', '127.0.0.1');
    await until('the address to be right', async () => (await renew()) === PLANNER);
    await server.kubectl(['-n', 'agents', 'delete', 'pod', 'planner-2', '--force', '--grace-period=0']);
    await until('the pod to be gone', async () => (await renew()) === 'refused');
    const record = new RegExp(`pod ${short} is there no more`);
    await until('the record', async () => record.test(await authority.issuanceLog()));
    assert.equal(await enrol(mine), 'refused');
  });

  await context.test('a pod of the same name is another one', async () => {
    const first = await createPod('planner-3');
    const old = await clientWith(await tokenOf('planner-3', first));
    await server.kubectl(['-n', 'agents', 'delete', 'pod', 'planner-3', '--force', '--grace-period=0']);
    await createPod('planner-3');
    await giveAddress('planner-3', '127.0.0.1');
    assert.equal(await enrol(old), 'refused');
  });

  await context.test('its roots are in the ConfigMap, and those of a rotation right after', async () => {
    const [root, ...more] = await until('the ConfigMap', async () => {
      const roots = await rootsPublished(server);
      return roots.length > 0 && roots;
    });
    assert.deepEqual(
      [root, ...more],
      valueOf(pemBlocks(await readFile(authority.rootsFile, 'utf8'))).map(({ der }) => Buffer.from(der)),
    );
    valueOf(await prepareRoot(authority.store, { keyKind: 'p256', ttlMs: 30 * DAY }, authority.deps));
    await until('two roots', async () => (await rootsPublished(server)).length === 2);
    const { json } = await server.call({ path: TRUST });
    const { data, metadata } = json as {
      data: Record<string, string>;
      metadata: { managedFields: { manager: string; operation: string }[] };
    };
    assert.equal((JSON.parse(data['bundle.json'] ?? '') as { keys: unknown[] }).keys.length, 2);
    assert.deepEqual(
      metadata.managedFields.map(({ manager, operation }) => [manager, operation]),
      [['sallyport-authority', 'Apply']],
    );
  });

  await context.test('it may do nothing else: neither read ConfigMaps, nor list pods', async () => {
    const own = await server.requestToken({ namespace: SYSTEM, serviceAccount: 'sallyport-authority' });
    for (const path of [TRUST, PODS, '/api/v1/pods', `/api/v1/namespaces/${SYSTEM}/secrets`])
      // oxlint-disable-next-line no-await-in-loop -- few
      assert.equal((await server.call({ path, token: own })).status, 403, path);
  });

  await context.test(
    'while the API server is away nobody enrols, whoever has a certificate goes on, and it stays ready',
    async () => {
      const { csr, privateKey } = await freshCsr();
      const { chain } = valueOf(await client.enrol(csr));
      await server.stopApiServer();
      assert.equal(await enrol(client), 'unavailable');
      const renewed = await client.renew((await freshCsr()).csr, { chain, privateKey });
      assert.equal(renewed.ok ? renewed.value.spiffeId : renewed.error.detail, PLANNER);
      const ready = await health(healthPort, '/readyz');
      const { parts } = (await ready.json()) as { parts: Record<string, { ok: boolean; detail: string }> };
      assert.equal(ready.status, 200, JSON.stringify(parts));
      assert.match(parts['pods']?.detail ?? '', /^renewed by earlier proof: pod: failed \(ECONNREFUSED\)$/);
      assert.match(
        await (await health(healthPort, '/metrics')).text(),
        /^sallyport_authority_renewals_unproven_total 1$/m,
      );
      await server.startAgain();
      await until('enrolment to go on', async () => (await enrol(client)) === PLANNER);
    },
  );
});
