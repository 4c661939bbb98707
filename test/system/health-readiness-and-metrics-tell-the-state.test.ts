import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { connectRaw, type RawResponse } from '../support/raw-http1-peer.ts';
import { clientTls, startSystem, type System } from '../support/system.ts';
import { connectHttp1, get, openGrpcStream, openWebSocket } from '../support/system-clients.ts';
import { tempFolder } from '../support/temp-folder.ts';

const POLICY = {
  rego: `package test.authz

default decision := false

decision if input.parsed_path[0] != "refused"
`,
  revision: 'r-42',
};

/** One request to the admin listener, with whatever Host. */
async function adminGet(
  { sidecar }: System,
  path: string,
  head = 'Host: 127.0.0.1\r\n',
  method = 'GET',
): Promise<RawResponse> {
  const peer = await connectRaw({ port: sidecar.adminPort });
  peer.send(`${method} ${path} HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
  const response = await peer.response(method);
  peer.close();
  return response;
}

/** Names of all series of our own, labels included, without their values. */
async function seriesOf({ sidecar }: System): Promise<ReadonlySet<string>> {
  const { text } = await sidecar.admin('/metrics');
  return new Set(
    text.split('\n').flatMap((line) => (line.startsWith('sallyport_') ? [line.slice(0, line.lastIndexOf(' '))] : [])),
  );
}

test('readiness follows the agent, health does not', { timeout: 60_000 }, async (context) => {
  const socketPath = join(await tempFolder(context), 'agent.sock');
  const system = await startSystem(context, { upstream: `http+unix://${socketPath}`, policy: POLICY });
  const ready = async (): Promise<readonly [number, Record<string, { ok: boolean }>]> => {
    const { status, text } = await system.sidecar.admin('/readyz');
    return [status, (JSON.parse(text) as { parts: Record<string, { ok: boolean }> }).parts];
  };
  const [before, parts] = await ready();
  assert.equal(before, 503);
  assert.deepEqual(
    Object.entries(parts).map(([name, { ok }]) => [name, ok]),
    [
      ['policy', true],
      ['identity', true],
      ['journal', true],
      ['upstream', false],
    ],
  );
  assert.equal((await system.sidecar.admin('/healthz')).status, 200);
  assert.equal((await get(await connectHttp1(context, system), '/')).status, 502);

  const agent = await startEchoUpstream({ path: socketPath });
  assert.equal((await ready())[0], 200);
  assert.equal((await get(await connectHttp1(context, system), '/')).status, 200);
  await agent.close();
  assert.equal((await ready())[0], 503);
  const [failed, ...others] = await system.sidecar.recordsFrom(0, 2);
  assert.equal(failed?.sallyport.outcome.fault, 'upstream_unreachable');
  assert.equal(others.length, 1, 'probes are no requests and leave no records');
});

test('metrics tell what happened, in label sets that no peer can grow', { timeout: 60_000 }, async (context) => {
  const agent = await startEchoUpstream();
  context.after(agent.close);
  const system = await startSystem(context, { upstream: `auto://127.0.0.1:${agent.port}`, policy: POLICY });
  const { sidecar } = system;
  const value = async (series: string): Promise<number> => (await sidecar.metric(series)) ?? Number.NaN;
  const rises = async (series: string, from: number, by: number): Promise<void> => {
    await sidecar.until(`${series} to rise by ${by}`, async () => (await value(series)) === from + by);
  };

  await context.test('what is in force', async () => {
    const notAfter = await value('sallyport_certificate_not_after_timestamp_seconds');
    assert.ok(notAfter > Date.now() / 1_000 && notAfter < Date.now() / 1_000 + 2 * 86_400, String(notAfter));
    assert.equal(await value('sallyport_policy_info{bundle="policy",revision="r-42"}'), 1);
    assert.equal(await value(`sallyport_journal_sink_up{sink="file:${join(system.folder, 'records.ndjson')}"}`), 1);
    for (const kind of ['identity', 'policy', 'journal'])
      assert.equal(await value(`sallyport_source_problem{kind="${kind}"}`), 0);
  });

  await context.test('requests by verdict and fault, and how long they took', async () => {
    const peer = await connectHttp1(context, system);
    for (let i = 0; i < 3; i += 1) await get(peer, `/allowed/${i}`);
    for (let i = 0; i < 2; i += 1) await get(peer, `/refused/${i}`);
    const malformed = await connectHttp1(context, system);
    malformed.send('GET / HTTP/1.1\r\nBad Header\r\n\r\n');
    await malformed.rest();
    await sidecar.recordsFrom(0, 6);
    const requests = 'sallyport_requests_total{direction="inbound",style="http",verdict=';
    assert.equal(await value(`${requests}"allow",fault="none"}`), 3);
    assert.equal(await value(`${requests}"deny",fault="policy_denied"}`), 2);
    assert.equal(
      await value(
        'sallyport_requests_total{direction="inbound",style="none",verdict="deny",fault="request_malformed"}',
      ),
      1,
    );
    assert.equal(await value('sallyport_forward_duration_seconds_count{style="http"}'), 3);
    assert.equal(await value('sallyport_request_duration_seconds_count{style="http"}'), 5);
    const decided =
      (await value('sallyport_decision_duration_seconds_count')) + (await value('sallyport_decisions_cached_total'));
    assert.equal(decided, 5, 'each was decided by an evaluation or by one that is remembered');
    assert.ok((await value('sallyport_forward_duration_seconds_sum{style="http"}')) > 0);
  });

  await context.test('connections refused before a request', async () => {
    const refused = 'sallyport_connections_refused_total{direction="inbound",fault="peer_certificate_missing"}';
    const peer = await connectRaw({ port: sidecar.port, tls: clientTls(system.authority, undefined, 'http/1.1') });
    await peer.rest();
    await sidecar.until('its count', async () => (await value(refused)) === 1);
  });

  await context.test('what is open now, and room held in the journal', async () => {
    const [connections, requests] = [await value('sallyport_open_connections'), await value('sallyport_open_requests')];
    const promised = await value('sallyport_journal_promised_records');
    const socket = await openWebSocket(context, system);
    const stream = await openGrpcStream(context, system);
    await rises('sallyport_open_connections', connections, 2);
    await rises('sallyport_open_requests', requests, 2);
    await rises('sallyport_journal_promised_records', promised, 2);
    socket.close();
    stream.session?.destroy();
    await rises('sallyport_open_connections', connections, 0);
    await rises('sallyport_open_requests', requests, 0);
    await sidecar.until(
      'the journal to be written',
      async () => (await value('sallyport_journal_queued_records')) === 0,
    );
    assert.equal(await value('sallyport_journal_lost_total'), 0);
  });

  await context.test('label sets are closed', async () => {
    const peer = await connectHttp1(context, system);
    await get(peer, '/first');
    const before = await seriesOf(system);
    const from = sidecar.records().length;
    for (let i = 0; i < 40; i += 1) {
      const id = `spiffe://example.org/peer-${i}`;
      const each = i % 10 === 0 ? await connectHttp1(context, system, system.authority.issue({ id })) : peer;
      each.send(
        `PUT /path-${i}?q=${i} HTTP/1.1\r\nHost: host-${i}.test\r\nUser-Agent: agent-${i}\r\nContent-Length: 0\r\n\r\n`,
      );
      await each.response('PUT');
    }
    await sidecar.recordsFrom(from, 40);
    assert.deepEqual(await seriesOf(system), before);
  });
});

test('the admin listener answers reads of literal hosts only', { timeout: 60_000 }, async (context) => {
  const agent = await startEchoUpstream();
  context.after(agent.close);
  const system = await startSystem(context, { upstream: `http://127.0.0.1:${agent.port}`, policy: POLICY });
  for (const [title, status, head, method] of [
    ['localhost', 200, 'Host: localhost:9901\r\n', 'GET'],
    ['a literal address', 200, 'Host: [::1]\r\n', 'GET'],
    ['HEAD', 200, 'Host: 127.0.0.1\r\n', 'HEAD'],
    ['a name that may have been rebound', 421, 'Host: evil.example\r\n', 'GET'],
    ['a page of another site', 421, 'Host: localhost\r\nSec-Fetch-Site: cross-site\r\n', 'GET'],
    ['a change', 405, 'Host: localhost\r\nContent-Length: 0\r\n', 'POST'],
  ] as const) {
    await context.test(`${title}: ${status}`, async () => {
      for (const path of ['/healthz', '/readyz', '/metrics'])
        assert.equal((await adminGet(system, path, head, method)).status, status, path);
    });
  }
  assert.equal((await adminGet(system, '/other')).status, 404);
  assert.equal((await adminGet(system, '/metrics')).body.includes('PRIVATE KEY'), false);
  assert.deepEqual(system.sidecar.records(), [], 'none of this is a decision');
});
