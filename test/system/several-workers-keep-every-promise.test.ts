import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { sallyport } from '../support/cli.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { ALLOW_ALL, startSystem } from '../support/system.ts';

const CONNECTIONS = 24;
const REQUESTS = 25;

test(
  'two workers share one port: both serve, and their records are one chain, one record each',
  { timeout: 60_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `auto://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      config: { workers: 2 },
    });
    const { sidecar } = system;
    const peers = await Promise.all(Array.from({ length: CONNECTIONS }, () => connectHttp1(context, system)));
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
