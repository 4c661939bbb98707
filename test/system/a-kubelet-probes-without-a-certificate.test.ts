import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';

import { asIs } from '../support/grpc-agent.ts';
import { createAuthority } from '../support/pki.ts';
import { startHttpAgent, startTcpAgent } from '../support/probe-agent.ts';
import { spawnSidecar, spawnSidecarByEnvironment, type SidecarProcess } from '../support/sidecar-process.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { ALLOW_ALL, CALLER_ID, clientTls, OWN_ID, policyBundle } from '../support/system.ts';
import { replaceFile, tempFolder, writeFiles } from '../support/temp-folder.ts';

import type { ServerResponse } from 'node:http';

const HEALTH = '/grpc.health.v1.Health/Check';

/** A gRPC agent that serves health and nothing else; `serving` is what it says. */
async function startHealthAgent(context: TestContext, serving: () => boolean): Promise<number> {
  const server = new Server();
  const check = {
    path: HEALTH,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  server.addService(
    { check },
    {
      check: ({ request }: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        assert.equal(request.toString('latin1'), '\x0a\x07a.Agent');
        done(null, Buffer.from([8, serving() ? 1 : 2]));
      },
    },
  );
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error === null ? resolve(port) : reject(error),
  );
  context.after(() => server.forceShutdown());
  return promise;
}

async function probe(sidecar: SidecarProcess, path: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${sidecar.probePort}${path}`, { headers: { connection: 'close' } });
  assert.equal(await response.text(), '');
  return response.status;
}

function probes(sidecar: SidecarProcess, ...paths: string[]): Promise<number[]> {
  return Promise.all(paths.map((path) => probe(sidecar, path)));
}

test(
  'probes of HTTP, gRPC and TCP pass the sidecar, nothing else does, and a drain shows at once',
  { timeout: 90_000 },
  async (context) => {
    const held: ServerResponse[] = [];
    let isWell = true;
    const agent = await startHttpAgent(context, ({ url }, response) => {
      if (url === '/hold') held.push(response);
      else response.writeHead(isWell ? 200 : 500).end('well');
    });
    const health = await startHealthAgent(context, () => isWell);
    const raw = await startTcpAgent(context, (socket) => socket.resume());
    const folder = await tempFolder(context);
    const authority = createAuthority();
    const own = authority.issue({ id: OWN_ID });
    const caller = authority.issue({ id: CALLER_ID });
    await writeFiles(folder, {
      'own.pem': own.chainPem,
      'trust.pem': authority.bundlePem,
      'policy.tar.gz': await policyBundle(ALLOW_ALL),
    });
    await replaceFile(join(folder, 'own.key'), own.keyPem);
    // In a pod the configuration is in the environment.
    const sidecar = spawnSidecarByEnvironment(context, folder, {
      identity: { certificate: 'own.pem', privateKey: 'own.key', trustBundles: { 'example.org': 'trust.pem' } },
      inbound: [{ listen: '127.0.0.1:0', upstream: `http://127.0.0.1:${agent.port}` }],
      policy: { bundle: 'policy.tar.gz', decision: 'test/authz/decision' },
      journal: ['file:records.ndjson'],
      probes: {
        listen: '127.0.0.1:0',
        targets: {
          'app/readiness': {
            http: { port: agent.port, path: '/ready', headers: [{ name: 'Host', value: 'agent.internal' }] },
          },
          'app/liveness': { grpc: { port: health, service: 'a.Agent' } },
          'app/startup': { tcp: { port: raw.port }, timeout: '2s' },
        },
      },
    });
    await sidecar.logged('listening');
    assert.deepEqual(sidecar.complaints, []);
    assert.deepEqual(await probes(sidecar, '/startupz', '/healthz', '/readyz'), [200, 200, 200]);
    assert.deepEqual(
      await probes(sidecar, '/probe/app/readiness', '/probe/app/liveness', '/probe/app/startup'),
      [200, 200, 200],
    );
    isWell = false;
    assert.deepEqual(await probes(sidecar, '/probe/app/readiness', '/probe/app/liveness', '/readyz'), [503, 503, 200]);
    isWell = true;
    assert.deepEqual(
      await probes(sidecar, '/', '/ready', '/metrics', '/status', '/probe/app', '/probe/other/liveness'),
      [404, 404, 404, 404, 404, 404],
    );
    assert.deepEqual(sidecar.records(), [], 'a probe is no traffic: no decision, no record');

    const peer = await connectHttp1(context, {
      sidecar,
      tls: () => clientTls(authority, caller, 'http/1.1'),
    });
    const open = get(peer, '/hold');
    await sidecar.until('the request at the agent', () => held.length === 1);
    sidecar.signal('SIGTERM');
    await sidecar.logged('draining');
    assert.deepEqual(
      await probes(sidecar, '/readyz', '/healthz', '/startupz', '/probe/app/liveness'),
      [503, 200, 200, 200],
    );
    held[0]?.end('done');
    assert.equal((await open).status, 200);
    assert.equal(await sidecar.exited(), 0);
    assert.equal(sidecar.records().length, 1);
  },
);

test(
  'while an identity is waited for, startup and readiness say no rather than nothing',
  { timeout: 60_000 },
  async (context) => {
    const folder = await tempFolder(context);
    await writeFiles(folder, { 'policy.tar.gz': await policyBundle(ALLOW_ALL) });
    const sidecar = await spawnSidecar(context, folder, {
      identity: { source: 'workload-api', workloadApi: { socket: `unix://${join(folder, 'none.sock')}` } },
      inbound: [{ listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:1' }],
      policy: { bundle: 'policy.tar.gz', decision: 'test/authz/decision' },
      probes: { listen: '127.0.0.1:0' },
    });
    await sidecar.logged('policy revision active');
    assert.deepEqual(await probes(sidecar, '/startupz', '/healthz', '/readyz'), [503, 200, 503]);
    assert.equal(await sidecar.stop(), 0);
  },
);

test(
  'a probe port that is taken keeps the sidecar from starting: exit 3, by name',
  { timeout: 60_000 },
  async (context) => {
    const taken = await startTcpAgent(context, (socket) => socket.destroy());
    const folder = await tempFolder(context);
    const sidecar = await spawnSidecar(context, folder, {
      identity: { certificate: 'own.pem', privateKey: 'own.key', trustBundles: { 'example.org': 'trust.pem' } },
      inbound: [{ listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:1' }],
      policy: { bundle: 'policy.tar.gz' },
      probes: { listen: `127.0.0.1:${taken.port}` },
    });
    await sidecar.logged(/^probes\.listen: .*EADDRINUSE/);
    assert.equal(await sidecar.exited(), 3);
  },
);
