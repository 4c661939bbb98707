import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';

import { ok } from '../../../src/core/kernel/result.ts';
import type { Fault } from '../../../src/core/model/faults.ts';
import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';
import type { Dial } from '../../../src/io/forward/dial.ts';
import { Http1Pool, type Http1Lease } from '../../../src/io/forward/http1-pool.ts';
import { Http2Pool, type Lease } from '../../../src/io/forward/http2-pool.ts';
import { startEchoUpstream } from '../../support/echo-upstream.ts';
import { FakeDownstream } from '../../support/fake-downstream.ts';
import { destinationAt, OutboundWorld } from '../../support/outbound-world.ts';
import { TlsDestination } from '../../support/tls-destination.ts';
import { until } from '../../support/until.ts';

const HOUR = 3_600_000;

/** Answers at once; `/slow` begins, and ends with `go`. */
function slowUntil(server: TlsDestination, go: Promise<void>): void {
  const answer = server.handler;
  server.handler = (request, response) => {
    if (request.url !== '/slow') answer(request, response);
    else {
      response.write('begun');
      void go.then(() => response.end(' and ended'));
    }
  };
}

function notAfter(ms: number): Date {
  return new Date(Date.now() + ms);
}

/** Whose certificate ends in an hour; the other's in a day. */
const SOON = { server: { server: HOUR, own: 24 * HOUR }, own: { server: 24 * HOUR, own: HOUR } } as const;

for (const protocol of ['http1', 'http2', 'auto'] as const) {
  for (const whose of ['server', 'own'] as const) {
    test(`${protocol}: no request is begun in the second half of what the ${whose} certificate leaves a connection`, async () => {
      await using world = new OutboundWorld();
      world.rotate(world.authority.issue({ notAfter: notAfter(SOON[whose].own) }));
      const first = world.server({ notAfter: notAfter(SOON[whose].server) });
      await using server = await TlsDestination.start(first, { ca: world.authority.bundlePem });
      const go = Promise.withResolvers<void>();
      slowUntil(server, go.promise);
      const destination = destinationAt(server.port, { protocol });
      await world.call(destination, new FakeDownstream());
      world.aheadMs = 0.4 * HOUR;
      await world.call(destination, new FakeDownstream());
      assert.equal(server.accepted, 1, 'one connection does for the first half');
      const early = new FakeDownstream();
      const earlyOutcome = world.call(destination, early, { target: '/slow' });
      await early.until((each) => each.received.length > 0);

      // Renewed in time; nobody tells the forwarder, as nobody does of a server's renewal.
      world.rotate(world.authority.issue({ notAfter: notAfter(24 * HOUR) }));
      server.present(world.server(), { ca: world.authority.bundlePem });
      world.aheadMs = 0.6 * HOUR;
      const late = new FakeDownstream();
      const lateOutcome = world.call(destination, late, { method: 'POST', target: '/slow' });
      await late.until((each) => each.received.length > 0);
      assert.equal(server.accepted, 2, 'what comes in the second half gets another');
      go.resolve();
      assert.equal((await earlyOutcome).kind, 'forwarded');
      await until('the first connection to be closed', () => server.sockets.size === 1);
      world.aheadMs = 1.1 * HOUR;
      assert.equal((await lateOutcome).kind, 'forwarded');
      await world.call(destination, new FakeDownstream());
      assert.equal(server.accepted, 2);
    });
  }
}

for (const protocol of ['http1', 'http2', 'auto'] as const) {
  test(`${protocol}: a connection that lies idle past half of its time is not used again`, async () => {
    await using world = new OutboundWorld();
    const first = world.server({ notAfter: new Date(Date.now() + HOUR) });
    await using server = await TlsDestination.start(first, { ca: world.authority.bundlePem });
    const destination = destinationAt(server.port, { protocol });
    await world.call(destination, new FakeDownstream());
    world.aheadMs = 0.6 * HOUR;
    assert.equal((await world.call(destination, new FakeDownstream())).kind, 'forwarded');
    assert.equal(server.accepted, 2);
  });
}

/** Connections that are never fresh: each takes the one request that it was made for. */
async function stale(context: TestContext): Promise<{ readonly dial: Dial; readonly dialled: () => number }> {
  const upstream = await startEchoUpstream();
  context.after(upstream.close);
  let count = 0;
  const dial: Dial = (done) => {
    count += 1;
    const socket = connect(upstream.port, '127.0.0.1');
    context.after(() => socket.destroy());
    socket.once('connect', () => done(ok({ socket, server: undefined, isFresh: () => false })));
    return () => socket.destroy();
  };
  return { dial, dialled: () => count };
}

test('HTTP/1.1: a connection that is not fresh any more when it is made serves one request all the same', async (context) => {
  const { dial, dialled } = await stale(context);
  const pool = new Http1Pool(dial, '127.0.0.1', DEFAULT_LIMITS, 8);
  context.after(() => pool.destroy());
  const lease = (): Promise<Http1Lease | Fault> =>
    new Promise((resolve) => pool.open({ onConnection: resolve, onNoConnection: resolve }));
  for (const count of [1, 2, 3]) {
    const got = await lease();
    assert.ok('release' in got);
    got.release();
    assert.equal(dialled(), count);
  }
});

test('HTTP/2: a connection that is not fresh any more when it is made serves one request all the same', async (context) => {
  const { dial, dialled } = await stale(context);
  const pool = new Http2Pool(dial, DEFAULT_LIMITS);
  context.after(() => pool.destroy());
  const lease = (): Promise<Lease | Fault> =>
    new Promise((resolve) => pool.open({ onSession: resolve, onNoSession: resolve }));
  for (const count of [1, 2, 3]) {
    const got = await lease();
    assert.ok('release' in got);
    got.release();
    assert.equal(dialled(), count);
  }
});
