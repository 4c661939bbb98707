import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { startAuthorityProcess } from '../support/authority-process.ts';
import { podObject, startFakeApiServer } from '../support/fake-api-server.ts';
import { freePorts } from '../support/free-ports.ts';
import { freshCsr, postSvid } from '../support/served-authority.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

const POD = { namespace: 'agents', serviceAccount: 'planner', name: 'planner-1', uid: '4e0c' };
const MAP = 'sallyport-system/sallyport-trust';

type Readiness = {
  readonly status: number;
  readonly parts: Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;
};

/** The process in front of an API server that fails until it is told otherwise. */
async function world(context: TestContext) {
  const api = await startFakeApiServer(context);
  api.fault = { kind: 'status', status: 500 };
  api.pods.set('agents/planner-1', podObject(POD, ['127.0.0.1']));
  const { namespace, serviceAccount, name, uid } = POD;
  api.tokens.set('bound', { audiences: ['sallyport'], namespace, serviceAccount, pod: { name, uid } });
  const folder = await tempFolder(context);
  const [token, trustBundle] = [join(folder, 'token'), join(folder, 'ca.crt')];
  await writeFile(token, api.clientToken);
  await writeFile(trustBundle, api.caPem);
  const [port = 0] = await freePorts(1);
  const publish = { configMap: 'sallyport-trust', namespace: 'sallyport-system' };
  const authority = await startAuthorityProcess(context, {
    config: { health: { listen: `127.0.0.1:${port}` }, kubernetes: { api: api.url, token, trustBundle, publish } },
  });
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  return {
    api,
    authority,
    get,
    ready: async (): Promise<Readiness> => {
      const answer = await get('/readyz');
      const { parts } = (await answer.json()) as Pick<Readiness, 'parts'>;
      return { status: answer.status, parts };
    },
    enrol: async () => {
      const csr = (await freshCsr()).base64;
      return (await postSvid(authority.port, { csr, method: 'kubernetes', token: 'bound' })).status;
    },
  };
}

test('an authority in a cluster is ready once its roots are published, goes on without the API server, and tells so', async (context) => {
  const { api, authority, get, ready, enrol } = await world(context);
  await until('the health address', async () => (await get('/healthz').catch(() => undefined))?.status === 200);
  const before = await until('the reason', async () => {
    const now = await ready();
    return now.parts['publication']?.detail !== 'not yet published' && now;
  });
  assert.deepEqual(
    [before.status, before.parts['issuing']?.ok, before.parts['lists']?.ok, before.parts['publication']],
    [503, true, true, { ok: false, detail: `ConfigMap ${MAP}: the API server answered 500` }],
  );
  assert.equal(await enrol(), 503);

  api.fault = undefined;
  await until('readiness', async () => (await ready()).status === 200);
  const [{ body } = { body: {} }] = api.applied.get(MAP) ?? [];
  const { data } = body as { data: Readonly<Record<string, string>> };
  assert.equal(data['roots.pem'], await readFile(authority.rootsFile, 'utf8'));
  assert.equal(await enrol(), 200);
  api.pods.delete('agents/planner-1');
  assert.equal(await enrol(), 403);

  // A later outage makes it no less ready: out of its Service it could not renew anybody.
  api.fault = { kind: 'status', status: 500 };
  assert.equal(await enrol(), 503);
  assert.equal((await ready()).status, 200);
  const metrics = await (await get('/metrics')).text();
  for (const line of [
    'sallyport_authority_certificates_issued_total 1',
    'sallyport_authority_certificates_refused_total{fault="caller_refused"} 1',
    'sallyport_authority_requests_refused_total{reason="pod_gone"} 1',
    'sallyport_authority_up 1',
    'sallyport_authority_roots_published 1',
  ])
    assert.ok(metrics.split('\n').includes(line), line);
  assert.match(metrics, /^sallyport_authority_crl_number [1-9]/m);
  assert.match(metrics, /^sallyport_authority_root_not_after_timestamp_seconds\{sha256="[0-9a-f]{64}"\} \d+/m);

  await authority.stop();
  assert.equal(authority.log.at(-1)?.msg, 'stopped');
  await assert.rejects(get('/healthz'));
});
