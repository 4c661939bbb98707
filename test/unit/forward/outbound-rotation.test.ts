import assert from 'node:assert/strict';
import { test } from 'node:test';

import { firstHeader } from '../../../src/core/kernel/headers.ts';
import type { Destination } from '../../../src/core/model/destination.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import { bodyOf, FakeDownstream } from '../../support/fake-downstream.ts';
import { destinationAt, faultIn, OutboundWorld } from '../../support/outbound-world.ts';
import { TlsDestination } from '../../support/tls-destination.ts';
import { until } from '../../support/until.ts';

const ROTATIONS = 25;
const ROTATE_EVERY_MS = 50;
const CALLERS = 6;

function clientOf(downstream: FakeDownstream): bigint {
  return BigInt(`0x${firstHeader(downstream.answer?.headers ?? [], 'x-client') ?? '0'}`);
}

for (const protocol of ['http1', 'http2', 'auto'] as const) {
  test(`${protocol}: under load, a new certificate every ${ROTATE_EVERY_MS} ms fails no request`, async () => {
    await using world = new OutboundWorld();
    await using server = await TlsDestination.start(world.server(), { ca: world.authority.bundlePem });
    const destination = destinationAt(server.port, { protocol });
    const rotations: bigint[] = [];
    const timer = setInterval(() => {
      rotations.push(world.rotate().serial);
      world.forwarder.reload();
    }, ROTATE_EVERY_MS);
    const failed: Outcome[] = [];
    const clients = new Set<bigint>();
    let calls = 0;
    const caller = async (): Promise<void> => {
      while (rotations.length < ROTATIONS && failed.length === 0) {
        const body = calls % 3 === 0 ? bodyOf('some', 'body') : undefined;
        const downstream = new FakeDownstream(body === undefined ? {} : { body });
        const outcome = await world.call(destination, downstream, { method: body === undefined ? 'GET' : 'POST' });
        calls += 1;
        if (outcome.kind !== 'forwarded' || outcome.status !== 200) failed.push(outcome);
        clients.add(clientOf(downstream));
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    clearInterval(timer);
    assert.deepEqual(failed.map(faultIn), []);
    assert.ok(calls > ROTATIONS, `${calls} calls`);
    assert.ok(clients.size >= ROTATIONS / 2, `${clients.size} certificates were seen at work`);
    await until('the old connections to be closed', () => world.forwarder.figures().connections <= CALLERS);
  });

  test(`${protocol}: the next request after a rotation shows the new certificate, one under way ends on the old connection`, async () => {
    await using world = new OutboundWorld();
    await using server = await TlsDestination.start(world.server(), { ca: world.authority.bundlePem });
    const go = Promise.withResolvers<void>();
    const answer = server.handler;
    server.handler = (request, response) => {
      if (request.url !== '/slow') answer(request, response);
      else {
        response.write('begun');
        void go.promise.then(() => response.end(' and ended'));
      }
    };
    const destination = destinationAt(server.port, { protocol });
    const before = world.rotate();
    const first = new FakeDownstream();
    await world.call(destination, first);
    assert.equal(clientOf(first), before.serial);
    const slow = new FakeDownstream();
    const slowOutcome = world.call(destination, slow, { target: '/slow' });
    await slow.until((each) => each.received.length > 0);
    const after = world.rotate();
    world.forwarder.reload();
    const next = new FakeDownstream();
    await world.call(destination, next);
    assert.equal(clientOf(next), after.serial);
    assert.equal(server.sockets.size, 2);
    go.resolve();
    assert.equal((await slowOutcome).kind, 'forwarded');
    assert.equal(slow.received.toString(), 'begun and ended');
    await until('the old connection to be closed', () => server.sockets.size === 1);
  });
}

test('http2: calls made in the turn of a rotation go out on the old connection: no GOAWAY overtakes them', async () => {
  await using world = new OutboundWorld();
  await using server = await TlsDestination.start(world.server(), { ca: world.authority.bundlePem });
  const destination = destinationAt(server.port, { protocol: 'http2' });
  const before = world.rotate();
  await world.call(destination, new FakeDownstream());
  const downstreams = Array.from({ length: 20 }, () => new FakeDownstream());
  const outcomes = downstreams.map((downstream) => world.call(destination, downstream));
  world.rotate();
  world.forwarder.reload();
  for (const outcome of await Promise.all(outcomes)) assert.equal(outcome.kind, 'forwarded');
  for (const downstream of downstreams) assert.equal(clientOf(downstream), before.serial);
});

test('a reload without a change keeps the connections', async () => {
  await using world = new OutboundWorld();
  await using server = await TlsDestination.start(world.server(), { ca: world.authority.bundlePem });
  for (let i = 0; i < 3; i += 1) {
    await world.call(destinationAt(server.port), new FakeDownstream());
    world.forwarder.reload();
  }
  assert.equal(server.accepted, 1);
});

for (const protocol of ['http1', 'http2', 'auto'] as const satisfies readonly Destination['protocol'][]) {
  test(`${protocol}: what waits for a connection when the certificate changes waits for a new one`, async () => {
    const resolving = Promise.withResolvers<void>();
    await using world = new OutboundWorld({
      resolve: (_host, done) => void resolving.promise.then(() => done({ ok: true, value: ['127.0.0.1'] })),
    });
    await using server = await TlsDestination.start(world.server(), { ca: world.authority.bundlePem });
    const downstream = new FakeDownstream();
    const outcome = world.call(destinationAt(server.port, { protocol, host: 'localhost' }), downstream);
    const after = world.rotate();
    world.forwarder.reload();
    resolving.resolve();
    assert.equal((await outcome).kind, 'forwarded');
    assert.equal(clientOf(downstream), after.serial);
    await until('the abandoned connection to be gone', () => server.sockets.size === 1);
  });

  test(`${protocol}: a connection does not outlive the certificate of ours that it was made with`, async () => {
    await using world = new OutboundWorld();
    await using server = await TlsDestination.start(world.server(), { ca: world.authority.bundlePem });
    server.handler = (_request, response) => response.write('never ends');
    world.rotate(world.authority.issue({ notAfter: new Date(Date.now() + 3_600_000) }));
    const downstream = new FakeDownstream();
    const outcome = world.call(destinationAt(server.port, { protocol }), downstream);
    await downstream.until((each) => each.received.length > 0);
    world.rotate();
    world.forwarder.reload();
    world.aheadMs = 3_700_000;
    const ended = await outcome;
    assert.deepEqual([ended.kind, faultIn(ended)?.code], ['upstream-failed', 'identity_unavailable']);
    assert.deepEqual(downstream.kinds.slice(-1), ['abort']);
    await until('the connection to be closed', () => server.sockets.size === 0);
  });
}
