import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { platform } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect } from 'node:tls';

import { sallyport } from '../support/cli.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { createAuthority } from '../support/pki.ts';
import { connectRaw, type RawPeer } from '../support/raw-http1-peer.ts';
import { spawnSidecar } from '../support/sidecar-process.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { ALLOW_ALL, OWN_ID, startSystem, type System } from '../support/system.ts';

const CONNECTIONS = 24;
const REQUESTS = 25;

const skip = platform() === 'linux' ? false : 'threads share a port on Linux';

test(
  'two workers share one port: both serve, and their records are one chain, one record each',
  { timeout: 60_000, skip },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `auto://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      config: { workers: 2 },
    });
    const { sidecar } = system;
    const peers = await peersOfAll(context, system);
    await Promise.all(
      peers.map(async (peer, index) => {
        for (let i = 0; i < REQUESTS; i += 1) assert.equal((await get(peer, `/${index}/${i}`)).status, 200);
      }),
    );
    const total = CONNECTIONS * REQUESTS;
    const series = 'sallyport_requests_total{direction="inbound",style="http",verdict="allow",fault="none"}';
    assert.equal(await sidecar.metric(series), total, 'the workers are counted together');
    assert.equal(await sidecar.metric('sallyport_open_connections'), CONNECTIONS);
    assert.equal(await sidecar.metric('sallyport_workers_serving'), 2);
    assert.equal(await sidecar.stop(), 0);
    const records = sidecar.records();
    assert.equal(records.length, total);
    assert.equal(new Set(records.map(({ decision_id }) => decision_id)).size, total);
    const numbers = records.map(({ req_id = 0 }) => req_id);
    assert.deepEqual([new Set(numbers).size, Math.max(...numbers)], [total, total], 'numbered together');
    const verified = await sallyport(['log', 'verify', join(system.folder, 'records.ndjson')]);
    assert.equal(verified.code, 0, verified.out.join('\n'));
  },
);

/** Peers whom the system has spread over both workers. */
async function peersOfAll(context: TestContext, system: System): Promise<readonly RawPeer[]> {
  const peers = await Promise.all(Array.from({ length: CONNECTIONS }, () => connectHttp1(context, system)));
  for (const worker of [0, 1]) {
    const open = await system.sidecar.metric(`sallyport_worker_connections{worker="${worker}"}`);
    assert.ok((open ?? 0) > 0, `worker ${worker} has none of ${CONNECTIONS} connections`);
  }
  return peers;
}

test(
  'a change of policy, certificate or trust is in force with all workers when the log says so',
  { timeout: 90_000, skip },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `http://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      config: { workers: 2 },
    });
    const { sidecar, authority } = system;
    const peers = await peersOfAll(context, system);
    for (const peer of peers) assert.equal((await get(peer, '/')).status, 200);

    let from = sidecar.log.length;
    await system.setPolicy('package test.authz\n\ndecision := false\n');
    await sidecar.logged('policy revision active', from);
    for (const peer of peers) assert.equal((await get(peer, '/')).status, 403);

    const own = authority.issue({ id: OWN_ID });
    from = sidecar.log.length;
    await system.replace('own.key', own.keyPem);
    await system.replace('own.pem', own.chainPem);
    await sidecar.logged('identity in force', from);
    const shown = await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        const socket = connect({ ...system.tls(), port: sidecar.port });
        context.after(() => socket.destroy());
        await once(socket, 'secureConnect');
        return socket.getPeerX509Certificate()?.serialNumber;
      }),
    );
    assert.equal(new Set(shown).size, 1, 'no worker shows the old one');
    assert.equal(await sidecar.stop(), 0);
  },
);

test(
  'promise 6: whom a list revokes is shown out by every worker, and let in by none, resumed or not',
  { timeout: 90_000, skip },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const authority = createAuthority();
    const system = await startSystem(context, {
      upstream: `http://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      authority,
      identity: { revocationLists: ['lists.pem'] },
      files: { 'lists.pem': authority.crl({ number: 1n }).pem },
      config: { workers: 2 },
    });
    const { sidecar, caller } = system;
    const peers = await peersOfAll(context, system);
    for (const peer of peers) assert.equal((await get(peer, '/')).status, 200);
    const first = connect({ ...system.tls(), port: sidecar.port });
    context.after(() => first.destroy());
    const [session] = (await once(first, 'session')) as [Buffer];

    const from = sidecar.log.length;
    await system.replace('lists.pem', authority.crl({ revoked: [caller.serial], number: 2n }).pem);
    await Promise.all(peers.map(({ ended }) => ended));
    await sidecar.logged('identity in force', from);
    const answers = await Promise.all(
      Array.from({ length: CONNECTIONS }, async (_, index) => {
        const tls = index % 2 === 0 ? system.tls() : { ...system.tls(), session };
        const peer = await connectRaw({ port: sidecar.port, tls });
        peer.send('GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n');
        return peer.rest();
      }),
    );
    assert.deepEqual(new Set(answers), new Set(['']));
    assert.equal(await sidecar.stop(), 0);
    const faults = sidecar.records().map(({ sallyport }) => sallyport.fault ?? 'none');
    // The connection that began the session never had a request, so its end is its record.
    assert.equal(faults.filter((code) => code === 'peer_certificate_revoked').length, CONNECTIONS + 1);
    assert.equal(faults.length, 2 * CONNECTIONS + 1, 'one record each');
  },
);

test(
  'a port that another process shares keeps it from starting: exit 3',
  { timeout: 60_000, skip },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, { upstream: `http://127.0.0.1:${upstream.port}`, policy: ALLOW_ALL });
    assert.equal(await system.sidecar.stop(), 0);
    const taken = createServer().listen({ host: '127.0.0.1', port: 0, reusePort: true });
    context.after(() => taken.close());
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const config = JSON.parse(await readFile(join(system.folder, 'sallyport.json'), 'utf8')) as { inbound: object[] };
    const inbound = [{ ...config.inbound[0], listen: `127.0.0.1:${port}` }];
    const sidecar = await spawnSidecar(context, system.folder, { ...config, inbound, workers: 2 });
    assert.equal(await sidecar.exited(), 3);
    assert.ok(
      sidecar.log.some(({ msg }) => msg.includes('EADDRINUSE')),
      sidecar.story(),
    );
  },
);
