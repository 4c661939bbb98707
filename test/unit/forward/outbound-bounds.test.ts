import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Outcome } from '../../../src/core/model/outcome.ts';
import type { Resolve } from '../../../src/io/forward/dialer.ts';
import { driveTimers } from '../../support/driven-timers.ts';
import { bodyOf, FakeDownstream } from '../../support/fake-downstream.ts';
import { destinationAt, faultIn, OutboundWorld } from '../../support/outbound-world.ts';
import { ScriptedTls } from '../../support/scripted-tls.ts';
import { TlsDestination } from '../../support/tls-destination.ts';
import { until } from '../../support/until.ts';

/** Gives these addresses for every name, and counts how often it was asked. */
function resolving(...addresses: readonly string[]): Resolve & { asked: number } {
  const resolve = Object.assign(
    ((_host, done) => {
      resolve.asked += 1;
      setImmediate(done, { ok: true, value: addresses });
    }) as Resolve,
    { asked: 0 },
  );
  return resolve;
}

const ONCE = { attempts: 1 };

test('five failures in a row open the circuit of that destination and no other; a trial that succeeds closes it', async () => {
  await using world = new OutboundWorld({ resilience: ONCE });
  await using server = await TlsDestination.start(world.server());
  const answer = server.handler;
  server.handler = (_request, response) => {
    response.statusCode = 503;
    response.end();
  };
  const to = destinationAt(server.port);
  for (let i = 0; i < 5; i += 1) assert.equal((await world.call(to, new FakeDownstream())).kind, 'forwarded');
  const downstream = new FakeDownstream();
  const refused = await world.call(to, downstream);
  assert.deepEqual(faultIn(refused), {
    code: 'destination_circuit_open',
    detail: 'researcher.internal failed several times in a row; the next trial is in 30 s',
  });
  assert.equal(downstream.events[0]?.kind === 'refuse' && downstream.events[0].answer.status, 503);
  assert.equal(server.requests.length, 5, 'nothing goes out');
  assert.equal(world.forwarder.figures().openCircuits, 1);
  const other = await world.call({ ...to, name: 'another' }, new FakeDownstream());
  assert.equal(other.kind, 'forwarded');
  server.handler = answer;
  world.aheadMs = 30_000;
  assert.equal((await world.call(to, new FakeDownstream())).kind, 'forwarded');
  assert.equal(world.forwarder.figures().openCircuits, 0);
});

test('while one call tries a destination, others are refused; a trial that was given up is followed by another', async () => {
  await using world = new OutboundWorld({
    resilience: { ...ONCE, circuit: { failures: 1, openMs: 1_000, longestMs: 9_000 } },
  });
  await using server = await TlsDestination.start(world.server());
  const to = destinationAt(server.port);
  server.handler = (_request, response) => {
    response.statusCode = 502;
    response.end();
  };
  await world.call(to, new FakeDownstream());
  server.handler = () => {};
  world.aheadMs = 1_000;
  const tried = new FakeDownstream();
  const trial = world.call(to, tried);
  await until('the trial to arrive', () => server.requests.length === 2);
  assert.match(faultIn(await world.call(to, new FakeDownstream()))?.detail ?? '', /one call tries it now/);
  tried.onClosed?.({ kind: 'fault', code: 'peer_aborted', detail: '' }, 'peer');
  assert.equal((await trial).kind, 'aborted');
  server.handler = (_request, response) => response.end('ok');
  assert.equal((await world.call(to, new FakeDownstream())).kind, 'forwarded');
});

test('with another certificate of ours a destination is tried at once', async () => {
  await using world = new OutboundWorld({
    resilience: { ...ONCE, circuit: { failures: 1, openMs: 60_000, longestMs: 60_000 } },
  });
  const revoked = world.server();
  world.revoke(revoked);
  await using server = await TlsDestination.start(revoked);
  const to = destinationAt(server.port);
  assert.equal(faultIn(await world.call(to, new FakeDownstream()))?.code, 'destination_unverified');
  assert.equal(faultIn(await world.call(to, new FakeDownstream()))?.code, 'destination_circuit_open');
  server.present(world.server());
  world.rotate();
  world.forwarder.reload();
  assert.equal((await world.call(to, new FakeDownstream())).kind, 'forwarded');
});

test('without an identity of ours no circuit opens: that is not the destination’s doing', async () => {
  await using world = new OutboundWorld({
    resilience: { ...ONCE, circuit: { failures: 1, openMs: 60_000, longestMs: 60_000 } },
  });
  await using server = await TlsDestination.start(world.server());
  const { identity } = world;
  world.identity = undefined;
  const to = destinationAt(server.port);
  await world.call(to, new FakeDownstream());
  world.identity = identity;
  assert.equal((await world.call(to, new FakeDownstream())).kind, 'forwarded');
});

test('as many calls as may be under way, and one more is refused', async () => {
  await using world = new OutboundWorld({ resilience: { ...ONCE, requests: 3 } });
  await using server = await TlsDestination.start(world.server());
  server.handler = () => {};
  const to = destinationAt(server.port);
  const waiting = Array.from({ length: 3 }, () => new FakeDownstream());
  const outcomes = waiting.map((downstream) => world.call(to, downstream));
  const refused = await world.call(to, new FakeDownstream());
  assert.equal(faultIn(refused)?.code, 'destination_overloaded');
  await until('three requests to arrive', () => server.requests.length === 3);
  for (const downstream of waiting) downstream.onClosed?.({ kind: 'fault', code: 'peer_aborted', detail: '' }, 'peer');
  await Promise.all(outcomes);
  server.handler = (_request, response) => response.end('ok');
  assert.equal((await world.call(to, new FakeDownstream())).kind, 'forwarded');
  assert.equal(world.forwarder.figures().underWay, 0);
});

test('calls beyond the connections wait in line, those beyond the line are refused', async () => {
  await using world = new OutboundWorld({ resilience: { ...ONCE, connections: 1, pending: 2 } });
  await using server = await TlsDestination.start(world.server());
  const go = Promise.withResolvers<void>();
  server.handler = (_request, response) => void go.promise.then(() => response.end('ok'));
  const to = destinationAt(server.port);
  const first = world.call(to, new FakeDownstream());
  await until('the first request to arrive', () => server.requests.length === 1);
  const line = [world.call(to, new FakeDownstream()), world.call(to, new FakeDownstream())];
  const refused = await world.call(to, new FakeDownstream());
  assert.match(faultIn(refused)?.detail ?? '', /^2 calls wait for a connection/);
  go.resolve();
  for (const outcome of await Promise.all([first, ...line])) assert.equal(outcome.kind, 'forwarded');
  assert.equal(server.accepted, 1);
});

test('a name is resolved for each new connection, and its addresses are tried one after the other', async () => {
  const resolve = resolving('127.0.0.2', '127.0.0.1');
  await using world = new OutboundWorld({ resolve, resilience: ONCE });
  await using server = await TlsDestination.start(world.server());
  const to = destinationAt(server.port, { host: 'researcher.internal' });
  for (let i = 0; i < 3; i += 1) {
    assert.equal((await world.call(to, new FakeDownstream())).kind, 'forwarded');
    for (const socket of server.sockets) socket.destroy();
    await until('the connection to be gone', () => world.forwarder.figures().connections === 0);
  }
  assert.equal(resolve.asked, 3);
  assert.deepEqual(
    server.names,
    Array.from({ length: 3 }, () => 'researcher.internal'),
    'RFC 6066 3: the name is sent',
  );
});

test('an address whose server is another one is passed over, and nothing is sent to it', async () => {
  await using world = new OutboundWorld({ resolve: resolving('127.0.0.2', '127.0.0.1'), resilience: ONCE });
  await using right = await TlsDestination.start(world.server());
  await using wrong = await TlsDestination.start(world.authority.issue({ id: 'spiffe://example.org/other' }), {
    host: '127.0.0.2',
    port: right.port,
  });
  const to = destinationAt(right.port, { host: 'researcher.internal' });
  assert.equal((await world.call(to, new FakeDownstream())).kind, 'forwarded');
  assert.deepEqual([wrong.accepted, wrong.requests.length, right.requests.length], [1, 0, 1]);
});

test('RFC 6066 3: an address is no server name', async () => {
  await using world = new OutboundWorld();
  await using server = await TlsDestination.start(world.server());
  await world.call(destinationAt(server.port), new FakeDownstream());
  assert.deepEqual(server.names, [undefined]);
});

test('localhost and IPv6 addresses are destinations like any other', async () => {
  await using world = new OutboundWorld();
  await using four = await TlsDestination.start(world.server());
  assert.equal(
    (await world.call(destinationAt(four.port, { host: 'localhost' }), new FakeDownstream())).kind,
    'forwarded',
  );
  await using six = await TlsDestination.start(world.server(), { host: '::1' });
  for (const protocol of ['http1', 'http2'] as const) {
    const to = destinationAt(six.port, { host: '::1', protocol });
    assert.equal((await world.call(to, new FakeDownstream())).kind, 'forwarded');
  }
});

/** The version that each call of a style was spoken in. */
async function spoken(world: OutboundWorld, server: TlsDestination, calls: number): Promise<readonly string[]> {
  const to = destinationAt(server.port, { protocol: 'auto' });
  const all = Array.from({ length: calls }, () => world.call(to, new FakeDownstream()));
  const outcomes: readonly Outcome[] = await Promise.all(all);
  for (const outcome of outcomes) assert.equal(outcome.kind, 'forwarded', JSON.stringify(outcome));
  return server.requests.map((line) => line.split(' ')[2] ?? '');
}

test('auto: what the destination chooses by ALPN is used and remembered', async () => {
  await using world = new OutboundWorld();
  await using modern = await TlsDestination.start(world.server());
  assert.deepEqual(new Set(await spoken(world, modern, 10)), new Set(['HTTP/2.0']));
  assert.equal(modern.accepted, 1, 'ten calls at once ask once, and use the connection that they asked on');
  await using old = await TlsDestination.start(world.server(), { alpn: ['http/1.1'] });
  assert.deepEqual(new Set(await spoken(world, old, 3)), new Set(['HTTP/1.1']));
  await spoken(world, old, 3);
  assert.ok(old.accepted <= 4);
});

test('auto: a server without ALPN speaks HTTP/1.1', async () => {
  await using world = new OutboundWorld();
  const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  await using server = await new ScriptedTls(world.server(), undefined, (socket) =>
    socket.on('data', () => socket.write(OK)),
  ).start();
  const to = destinationAt(server.port, { protocol: 'auto' });
  assert.equal((await world.call(to, new FakeDownstream())).kind, 'forwarded');
});

test('auto: a destination that speaks another version than before is asked again', async () => {
  await using world = new OutboundWorld();
  const alpn = ['h2'];
  await using server = await TlsDestination.start(world.server(), { alpn });
  await spoken(world, server, 1);
  alpn.splice(0, 1, 'http/1.1');
  for (const socket of server.sockets) socket.destroy();
  await until('the connection to be gone', () => world.forwarder.figures().connections === 0);
  const all = await spoken(world, server, 8);
  assert.deepEqual(
    all,
    ['HTTP/2.0', ...Array.from({ length: 8 }, () => 'HTTP/1.1')],
    'all calls that waited, not the first alone',
  );
});

test('a connection that came too late for its request does not stay open for ever', async (t) => {
  await using world = new OutboundWorld({ resilience: ONCE });
  await using server = await TlsDestination.start(world.server());
  const pass = driveTimers(t);
  const downstream = new FakeDownstream();
  const outcome = world.call(destinationAt(server.port), downstream);
  downstream.onClosed?.({ kind: 'fault', code: 'peer_aborted', detail: '' }, 'peer');
  assert.equal((await outcome).kind, 'aborted');
  while (world.forwarder.figures().connections === 0) await new Promise((resolve) => setImmediate(resolve));
  pass(3_999);
  assert.equal(world.forwarder.figures().connections, 1);
  pass(1);
  while (world.forwarder.figures().connections > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(server.requests, []);
});

test('a server that closes each connection after its answer loses no call, whatever its method', async () => {
  await using world = new OutboundWorld({ resilience: ONCE });
  await using server = await TlsDestination.start(world.server());
  server.handler = (request, response) => {
    response.setHeader('connection', 'close');
    request.resume();
    request.on('end', () => response.end('ok'));
  };
  const to = destinationAt(server.port);
  const caller = async (): Promise<void> => {
    for (let i = 0; i < 15; i += 1) {
      const downstream = new FakeDownstream({ body: bodyOf('x') });
      const outcome = await world.call(to, downstream, { method: 'POST' });
      assert.equal(outcome.kind, 'forwarded', JSON.stringify(outcome));
    }
  };
  await Promise.all([caller(), caller(), caller()]);
  assert.equal(server.requests.length, 45);
});

for (const protocol of ['http1', 'http2'] as const) {
  test(`${protocol}: stop waits for calls under way, refuses new ones, and ends what does not end`, async () => {
    const world = new OutboundWorld();
    await using server = await TlsDestination.start(world.server());
    const go = Promise.withResolvers<void>();
    server.handler = (request, response) => {
      if (request.url === '/slow') void go.promise.then(() => response.end('ok'));
    };
    const to = destinationAt(server.port, { protocol });
    const slow = world.call(to, new FakeDownstream(), { target: '/slow' });
    const never = world.call(to, new FakeDownstream(), { target: '/never' });
    await until('both to arrive', () => server.requests.length === 2);
    const stopped = world.forwarder.stop(300);
    const late = await world.call(to, new FakeDownstream());
    assert.deepEqual(late, { kind: 'refused', status: 503, grpcStatus: undefined });
    go.resolve();
    assert.equal((await slow).kind, 'forwarded');
    await stopped;
    assert.equal((await never).kind, 'upstream-failed');
    await until('all connections to be closed', () => world.forwarder.figures().connections === 0);
  });
}
