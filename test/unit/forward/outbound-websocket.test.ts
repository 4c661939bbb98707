import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { WebSocket } from 'ws';

import type { Destination } from '../../../src/core/model/destination.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import { FakeDownstream } from '../../support/fake-downstream.ts';
import { destinationAt, faultIn, OutboundWorld, permitTo, SERVER_ID } from '../../support/outbound-world.ts';
import { TlsDestination } from '../../support/tls-destination.ts';
import { until } from '../../support/until.ts';

/** A plain WebSocket server whose upgrades go through the forwarder: the agent's side of the sidecar. */
class Front implements AsyncDisposable {
  readonly outcomes: Promise<Outcome>[] = [];
  readonly #server: HttpServer;

  constructor(world: OutboundWorld, to: Destination) {
    this.#server = createServer().on('upgrade', (request, socket, head) => {
      const { 'sec-websocket-key': key = '', 'sec-websocket-version': version = '' } = request.headers;
      const headers = ['sec-websocket-version', version, 'sec-websocket-key', key];
      const downstream = new FakeDownstream({ upgrade: { socket, request, head } });
      downstream.abort = () => void socket.destroy();
      socket.on('error', () => {});
      const permit = permitTo(to, { style: 'websocket', target: request.url ?? '/', headers });
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      this.outcomes.push(promise);
      world.forwarder.forward(permit, downstream, resolve);
    });
  }

  async connect(): Promise<WebSocket> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const { port } = this.#server.address() as AddressInfo;
    return new WebSocket(`ws://127.0.0.1:${port}/chat?a=1`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

for (const protocol of ['http1', 'auto'] as const) {
  test(`${protocol}: a WebSocket goes over mutual TLS, and its outcome names the server`, async () => {
    await using world = new OutboundWorld();
    await using server = await TlsDestination.start(world.server(), { ca: world.authority.bundlePem });
    await using front = new Front(world, destinationAt(server.port, { protocol }));
    const socket = await front.connect();
    await once(socket, 'open');
    socket.send('hello');
    assert.equal(String((await once(socket, 'message'))[0]), 'hello');
    assert.deepEqual(server.requests, ['GET /chat?a=1 upgrade']);
    assert.equal([...server.sockets][0]?.alpnProtocol, 'http/1.1');
    world.rotate();
    world.forwarder.reload();
    socket.send('again');
    assert.equal(String((await once(socket, 'message'))[0]), 'again', 'it outlives our rotation');
    socket.close();
    const [outcome] = await Promise.all(front.outcomes);
    assert.equal(outcome?.kind, 'forwarded');
    assert.equal(outcome.status, 101);
    assert.ok(outcome.bytesIn > 0 && outcome.bytesOut > 0);
    assert.equal(outcome.server?.spiffeId, SERVER_ID);
    assert.equal(world.forwarder.figures().underWay, 0);
  });
}

test('promise 6: an open WebSocket is cut when its server is revoked', async () => {
  await using world = new OutboundWorld();
  const identity = world.server();
  await using server = await TlsDestination.start(identity, { ca: world.authority.bundlePem });
  await using front = new Front(world, destinationAt(server.port));
  const socket = await front.connect();
  socket.on('error', () => {});
  await once(socket, 'open');
  const closed = once(socket, 'close');
  world.revoke(identity);
  world.forwarder.recheck();
  const [outcome] = await Promise.all(front.outcomes);
  assert.ok(outcome !== undefined);
  assert.deepEqual([outcome.kind, faultIn(outcome)?.code], ['upstream-failed', 'destination_unverified']);
  assert.match(faultIn(outcome)?.detail ?? '', /^peer_certificate_revoked/);
  await closed;
  await until('the server to lose the connection', () => server.sockets.size === 0);
});

test('a server of another ID gets no upgrade, and the agent is told 502', async () => {
  await using world = new OutboundWorld();
  await using server = await TlsDestination.start(world.authority.issue({ id: 'spiffe://example.org/other' }));
  await using front = new Front(world, destinationAt(server.port));
  const socket = await front.connect();
  const [error] = (await once(socket, 'error')) as [Error];
  assert.match(error.message, /502/);
  const [outcome] = await Promise.all(front.outcomes);
  assert.equal(outcome?.kind === 'upstream-failed' && outcome.fault.code, 'destination_identity_mismatch');
  assert.equal(outcome?.kind === 'upstream-failed' && outcome.status, 502);
  assert.deepEqual(server.requests, []);
});

test('an HTTP/2 destination has nothing to upgrade', async () => {
  await using world = new OutboundWorld();
  const downstream = new FakeDownstream();
  const outcome = await world.call(destinationAt(1, { protocol: 'http2' }), downstream, { style: 'websocket' });
  assert.equal(outcome.kind === 'refused' && outcome.status, 502);
});

test('a name that never resolves is given up after the time for connecting', async () => {
  const limits = { upstreamConnectTimeoutMs: 50 };
  await using world = new OutboundWorld({ resolve: () => {}, limits, resilience: { attempts: 1 } });
  const to = destinationAt(1, { host: 'slow.internal' });
  await using front = new Front(world, to);
  const socket = await front.connect();
  assert.match(((await once(socket, 'error')) as [Error])[0].message, /502/);
  const [outcome] = await Promise.all(front.outcomes);
  assert.ok(outcome !== undefined);
  for (const each of [outcome, await world.call(to, new FakeDownstream())])
    assert.match(faultIn(each)?.detail ?? '', /^slow\.internal does not resolve within 50 ms/);
  assert.deepEqual(world.forwarder.figures(), { connections: 0, underWay: 0, openCircuits: 0 });
});

test('a tunnel that is stopped while its connection is made leaves nothing behind', async () => {
  const world = new OutboundWorld({ resolve: () => {} });
  await using front = new Front(world, destinationAt(1, { host: 'slow.internal' }));
  const socket = await front.connect();
  socket.on('error', () => {});
  await until('the call to be under way', () => world.forwarder.figures().underWay === 1);
  await world.forwarder.stop(0);
  const [outcome] = await Promise.all(front.outcomes);
  assert.deepEqual(outcome?.kind === 'aborted' && outcome.fault.code, 'draining');
  assert.deepEqual(world.forwarder.figures(), { connections: 0, underWay: 0, openCircuits: 0 });
});

test('the connection for a WebSocket is tried again as for any call', async () => {
  let asked = 0;
  await using world = new OutboundWorld({
    resolve: (_host, done) => {
      asked += 1;
      const down = { ok: false, error: { kind: 'fault', code: 'destination_unreachable', detail: 'not yet' } } as const;
      setImmediate(done, asked < 3 ? down : { ok: true, value: ['127.0.0.1'] });
    },
  });
  await using server = await TlsDestination.start(world.server(), { ca: world.authority.bundlePem });
  await using front = new Front(world, destinationAt(server.port, { host: 'late.internal' }));
  const socket = await front.connect();
  await once(socket, 'open');
  assert.equal(asked, 3);
  socket.terminate();
  await Promise.all(front.outcomes);
});
