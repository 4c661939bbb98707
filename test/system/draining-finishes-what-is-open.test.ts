import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { startHttpAgent } from '../support/http-agent.ts';
import { connectFrames, FLAG, getFrame, TYPE } from '../support/http2-frame-peer.ts';
import { connectRaw, valueOf } from '../support/raw-http1-peer.ts';
import { connectHttp1, get, openEverything } from '../support/system-clients.ts';
import { ALLOW_ALL, startSystem, type System } from '../support/system.ts';

/** A client has finished its handshake before the sidecar has seen its certificate: what is open is what the sidecar says. */
async function untilMetric({ sidecar }: System, series: string, value: number): Promise<void> {
  await sidecar.until(`${series} ${value}`, async () => (await sidecar.metric(series)) === value);
}

/** True once nobody listens on the port any more. */
async function isRefused(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
  const refused = await promise;
  socket.destroy();
  return refused;
}

/** An agent that answers `/slow` when it is told to, and anything else at once. */
async function begin(context: TestContext): Promise<{ readonly system: System; readonly slow: ServerResponse[] }> {
  const slow: ServerResponse[] = [];
  const agent = await startHttpAgent(context, (request, response) => {
    if (request.url === '/slow') slow.push(response);
    else response.end('at once');
  });
  const system = await startSystem(context, { upstream: `http://127.0.0.1:${agent.port}`, policy: ALLOW_ALL });
  return { system, slow };
}

test(
  'SIGTERM: what is open finishes, what is idle is closed, nothing new comes in, exit 0',
  { timeout: 60_000 },
  async (context) => {
    const { system, slow } = await begin(context);
    const { sidecar } = system;
    const idle = await connectHttp1(context, system);
    await get(idle, '/');
    const busy = await connectHttp1(context, system);
    busy.send('GET /slow HTTP/1.1\r\nHost: agent.test\r\n\r\n');
    const frames = await connectFrames({ port: sidecar.port, tls: system.tls(undefined, 'h2') });
    context.after(() => frames.close());
    frames.send(getFrame(1, '/slow'));
    const idleFrames = await connectFrames({ port: sidecar.port, tls: system.tls(undefined, 'h2') });
    context.after(() => idleFrames.close());
    await idleFrames.roundTrip();
    await sidecar.until('both slow requests', () => slow.length === 2);

    sidecar.signal('SIGTERM');
    assert.equal(await idle.rest(), '', 'an idle HTTP/1.1 connection is closed');
    assert.equal(await idle.ended, 'end');
    assert.equal((await idleFrames.next(TYPE.goaway)).payload.readUInt32BE(4), 0, 'GOAWAY with NO_ERROR');
    await idleFrames.ended;
    const goaway = await frames.next(TYPE.goaway);
    assert.equal(goaway.payload.readUInt32BE(4), 0);
    assert.ok(await isRefused(sidecar.port), 'no further connection is accepted');
    const ready = await sidecar.admin('/readyz');
    assert.equal(ready.status, 503);
    assert.match(ready.text, /draining/);
    assert.equal((await sidecar.admin('/healthz')).status, 200, 'it is alive all the same');
    assert.ok(sidecar.isRunning);

    for (const response of slow) response.end('finished');
    const answer = await busy.response();
    assert.deepEqual([answer.status, answer.body, valueOf(answer, 'connection')], [200, 'finished', 'close']);
    const data = await frames.next(TYPE.data);
    assert.equal(data.payload.toString(), 'finished');
    if ((data.flags & FLAG.endStream) === 0)
      await frames.next(TYPE.data, ({ flags }) => (flags & FLAG.endStream) !== 0);
    assert.equal(await sidecar.exited(), 0);
    assert.deepEqual(
      sidecar.records().map(({ sallyport: { verdict, outcome } }) => [verdict, outcome.kind, outcome.status]),
      [1, 2, 3].map(() => ['allow', 'forwarded', 200]),
    );
    assert.equal(sidecar.log.at(-1)?.['records_lost'], 0);
  },
);

test(
  'what does not finish is cut at the end of the grace period, each with its record, exit 0',
  { timeout: 60_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `auto://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      config: { shutdown: { grace: '300ms' } },
    });
    const { sidecar } = system;
    const open = await openEverything(context, system);
    await untilMetric(system, 'sallyport_open_requests', open.length);
    sidecar.signal('SIGTERM');
    await Promise.all(open.map(({ ended }) => ended));
    assert.equal(await sidecar.exited(), 0);
    assert.deepEqual(
      sidecar.records().map(({ sallyport: { verdict, outcome } }) => [verdict, outcome.kind, outcome.fault]),
      open.map(() => ['allow', 'aborted', 'draining']),
    );
  },
);

test(
  'a TCP connection is cut at the end of the grace period, with its record, exit 0',
  { timeout: 60_000 },
  async (context) => {
    const upstream = await startEchoUpstream({ tcp: true });
    context.after(upstream.close);
    const system = await startSystem(context, {
      upstream: `tcp://127.0.0.1:${upstream.port}`,
      policy: ALLOW_ALL,
      config: { shutdown: { grace: '300ms' } },
    });
    const peer = await connectHttp1(context, system);
    peer.send('hello');
    assert.equal(await peer.exactly(5), 'hello');
    assert.equal(await system.sidecar.stop(), 0);
    await peer.ended;
    const [record, ...more] = system.sidecar.records();
    const { kind, fault, bytes_in: bytesIn, bytes_out: bytesOut } = record?.sallyport.outcome ?? {};
    assert.deepEqual([kind, fault, bytesIn, bytesOut], ['aborted', 'draining', 5, 5]);
    assert.deepEqual(more, []);
  },
);

test(
  'with nothing open it ends at once, whichever of the two signals it gets',
  { timeout: 60_000 },
  async (context) => {
    const { system } = await begin(context);
    const peer = await connectHttp1(context, system);
    await untilMetric(system, 'sallyport_open_connections', 1);
    system.sidecar.signal('SIGINT');
    assert.equal(await peer.rest(), '');
    assert.equal(await system.sidecar.exited(), 0);
    assert.deepEqual(system.sidecar.records(), [], 'a connection on which nothing was asked is no decision');
  },
);

test('a handshake under way is given up, with its record, exit 0', { timeout: 60_000 }, async (context) => {
  const { system } = await begin(context);
  const silent = await connectRaw({ port: system.sidecar.port });
  context.after(() => silent.close());
  // Connections are accepted in order: when this one is served, the silent one is in its handshake.
  assert.equal((await get(await connectHttp1(context, system), '/')).status, 200);
  assert.equal(await system.sidecar.stop(), 0);
  await silent.ended;
  assert.deepEqual(
    system.sidecar.records().map(({ sallyport: { fault, outcome } }) => [fault, outcome.kind]),
    [
      [undefined, 'forwarded'],
      ['draining', 'refused'],
    ],
  );
});

test(
  'SIGUSR2: everybody is served on, and asked to go elsewhere; SIGTERM ends it then',
  { timeout: 60_000 },
  async (context) => {
    const { system } = await begin(context);
    const { sidecar } = system;
    const kept = await connectHttp1(context, system);
    await get(kept, '/');
    const frames = await connectFrames({ port: sidecar.port, tls: system.tls(undefined, 'h2') });
    context.after(() => frames.close());
    await frames.roundTrip();

    sidecar.signal('SIGUSR2');
    await frames.next(TYPE.goaway);
    assert.equal(valueOf(await get(kept, '/'), 'connection'), 'close');
    const another = await connectHttp1(context, system);
    assert.equal((await get(another, '/')).status, 200);

    sidecar.signal('SIGTERM');
    assert.equal(await sidecar.exited(), 0);
  },
);
