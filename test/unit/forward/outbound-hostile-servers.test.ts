import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { FakeDownstream } from '../../support/fake-downstream.ts';
import { destinationAt, faultIn, OutboundWorld } from '../../support/outbound-world.ts';
import { ScriptedTls } from '../../support/scripted-tls.ts';
import { TlsDestination } from '../../support/tls-destination.ts';
import { until } from '../../support/until.ts';

const GRPC = {
  style: 'grpc',
  method: 'POST',
  headers: ['content-type', 'application/grpc', 'te', 'trailers'],
} as const;

test('what our own bounds refuse is no failure of the destination: its circuit stays closed', async () => {
  await using world = new OutboundWorld({ resilience: { attempts: 1, pending: 1 } });
  await using server = await new ScriptedTls(world.server(), 'h2', () => {}).start();
  const to = destinationAt(server.port, { protocol: 'http2' });
  const first = world.call(to, new FakeDownstream());
  for (let i = 0; i < 6; i += 1) {
    assert.equal(faultIn(await world.call(to, new FakeDownstream()))?.code, 'destination_overloaded', `call ${i + 2}`);
  }
  assert.equal(world.forwarder.figures().openCircuits, 0);
  await world.forwarder.stop(0);
  await first;
});

test('gRPC over HTTP/2, "HTTP2 Transport Mapping": an UNAVAILABLE that is passed on keeps the status that it came with', async () => {
  await using world = new OutboundWorld({ resilience: { attempts: 1 } });
  await using server = await TlsDestination.start(world.server(), {
    handler: (_request, response) => {
      response.writeHead(503, { 'content-type': 'application/grpc', 'grpc-status': '14' });
      response.end();
    },
  });
  const downstream = new FakeDownstream({ protocol: 'http2' });
  const outcome = await world.call(destinationAt(server.port, { protocol: 'http2' }), downstream, GRPC);
  assert.deepEqual([outcome.kind, outcome.status, downstream.answer?.status], ['forwarded', 503, 503]);
});

test('a server that takes no stream and closes each connection is not connected to again and again', async () => {
  await using world = new OutboundWorld({ resilience: { attempts: 1 } });
  const { chainPem: cert, keyPem: key } = world.server();
  const server = createSecureServer({ cert, key, settings: { maxConcurrentStreams: 0 } });
  let sessions = 0;
  server.on('session', (session) => {
    sessions += 1;
    session.on('error', () => {});
    session.once('localSettings', () => session.close());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const to = destinationAt((server.address() as AddressInfo).port, { protocol: 'http2' });
  let outcome: unknown;
  const called = world.call(to, new FakeDownstream({ protocol: 'http2' }), GRPC).then((ended) => {
    outcome = ended;
    return ended;
  });
  await until('an end, or a storm of connections', () => outcome !== undefined || sessions > 20);
  const seen = sessions;
  await world.forwarder.stop(0);
  server.close();
  assert.equal(faultIn(await called)?.code, 'upstream_aborted');
  assert.ok(seen <= 2, `${seen} connections`);
});
