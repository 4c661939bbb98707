import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Outcome } from '../../../src/core/model/outcome.ts';
import { startEchoUpstream } from '../../support/echo-upstream.ts';
import { FakeDownstream, FakeRawDownstream, socketPair } from '../../support/fake-downstream.ts';
import { forwarderTo, once, outcomeOf, permitFor } from '../../support/forwarding.ts';
import { scriptedUpstream } from '../../support/scripted-upstream.ts';

/** Longer than any test may take: a stop that waits for it fails by timeout. */
const LONG_MS = 60_000;

for (const protocol of ['http1', 'h2c', 'auto'] as const) {
  test(`${protocol}: ready while the agent accepts connections, and not a byte is sent to find out`, async () => {
    const upstream = await startEchoUpstream();
    const forwarder = forwarderTo(protocol, upstream.port);
    forwarder.start();
    assert.equal(upstream.accepted(), 0);
    assert.equal(await forwarder.ready(), true);
    assert.equal(upstream.received.length, 0);
    await upstream.close();
    assert.equal(await forwarder.ready(), false);
    await forwarder.stop(0);
  });

  test(`${protocol}: stop refuses what comes, and closes idle connections without waiting`, async () => {
    const upstream = await startEchoUpstream();
    const forwarder = forwarderTo(protocol, upstream.port);
    assert.equal((await outcomeOf(forwarder, new FakeDownstream())).kind, 'forwarded');
    await forwarder.stop(LONG_MS);
    const late = new FakeDownstream();
    assert.deepEqual(await outcomeOf(forwarder, late), { kind: 'refused', status: 503, grpcStatus: undefined });
    assert.equal(upstream.received.length, 1);
    await upstream.close();
  });
}

test('stop waits for what is under way', async () => {
  const arrived = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const upstream = await scriptedUpstream(async (connection) => {
    await connection.request();
    arrived.resolve();
    await go.promise;
    connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const forwarder = forwarderTo('http1', upstream.port);
  const outcome = outcomeOf(forwarder, new FakeDownstream());
  await arrived.promise;
  const stopped = forwarder.stop(LONG_MS);
  go.resolve();
  assert.equal((await outcome).kind, 'forwarded');
  await stopped;
  await upstream.close();
});

test('stop ends at its deadline what does not end by itself, and the record says why', async () => {
  const arrived = Promise.withResolvers<void>();
  const upstream = await scriptedUpstream(async (connection) => {
    await connection.request();
    arrived.resolve();
  });
  const forwarder = forwarderTo('http1', upstream.port);
  const outcome = outcomeOf(forwarder, new FakeDownstream());
  await arrived.promise;
  await forwarder.stop(20);
  const result = await outcome;
  assert.equal(result.kind === 'upstream-failed' && result.fault.code, 'draining');
  assert.equal(result.kind === 'upstream-failed' && result.status, 503);
  await upstream.close();
});

test('stop cuts tunnels at its deadline: aborted by us', async () => {
  const upstream = await startEchoUpstream({ tcp: true });
  const forwarder = forwarderTo('tcp', upstream.port);
  const pair = await socketPair();
  const downstream = new FakeRawDownstream(pair.ours);
  const outcome = once<Outcome>((done) => forwarder.forwardRaw(permitFor(undefined), downstream, done));
  pair.peer.write('x');
  await new Promise((resolve) => pair.peer.once('data', resolve));
  await forwarder.stop(20);
  const result = await outcome;
  assert.equal(result.kind === 'aborted' && result.by, 'us');
  assert.equal(result.kind === 'aborted' && result.fault.code, 'draining');
  assert.equal(downstream.aborted?.code, 'draining');
  const late = await socketPair();
  const refused = await once<Outcome>((done) =>
    forwarder.forwardRaw(permitFor(undefined), new FakeRawDownstream(late.ours), done),
  );
  assert.deepEqual(refused, { kind: 'refused', status: 0 });
  pair.close();
  late.close();
  await upstream.close();
});
