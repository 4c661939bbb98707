import assert from 'node:assert/strict';
import { once as event } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import * as grpc from '@grpc/grpc-js';

import type { Destination } from '../../../src/core/model/destination.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import { FakeDownstream } from '../../support/fake-downstream.ts';
import { once } from '../../support/forwarding.ts';
import { destinationAt, faultIn, OutboundWorld, permitTo } from '../../support/outbound-world.ts';
import { createAuthority } from '../../support/pki.ts';
import { StreamDownstream } from '../../support/stream-downstream.ts';
import { TlsDestination } from '../../support/tls-destination.ts';
import { until } from '../../support/until.ts';

const HOUR = 3_600_000;

/** Begins an answer and never ends it; `/silent` gets no head either. */
const hang: TlsDestination['handler'] = (request, response) => {
  if (request.url !== '/silent') response.write('begun');
};

function assertCut(outcome: Outcome, detail: RegExp): void {
  const found = faultIn(outcome);
  assert.equal(outcome.kind, 'upstream-failed');
  assert.equal(found?.code, 'destination_unverified');
  assert.match(found?.detail ?? '', detail);
}

for (const protocol of ['http1', 'http2', 'auto'] as const satisfies readonly Destination['protocol'][]) {
  test(`promise 6: ${protocol}: a recheck cuts the connections of a revoked server at once, and no others`, async () => {
    await using world = new OutboundWorld();
    const bad = world.server();
    await using revoked = await TlsDestination.start(bad, { ca: world.authority.bundlePem, handler: hang });
    await using good = await TlsDestination.start(world.server(), { ca: world.authority.bundlePem, handler: hang });
    const toBad = destinationAt(revoked.port, { protocol });
    const streaming = new FakeDownstream();
    const silent = new FakeDownstream();
    const kept = new FakeDownstream();
    const ended = [world.call(toBad, streaming), world.call(toBad, silent, { target: '/silent', method: 'POST' })];
    let keptEnded = false;
    const keptOutcome = world.call(destinationAt(good.port, { protocol, name: 'good' }), kept);
    void keptOutcome.then(() => (keptEnded = true));
    await streaming.until((each) => each.received.length > 0);
    await kept.until((each) => each.received.length > 0);
    await until('both calls to have arrived', () => revoked.requests.length === 2);
    world.forwarder.recheck();
    assert.equal(world.forwarder.figures().connections, protocol === 'http1' ? 3 : 2, 'what is trusted stays');
    world.revoke(bad);
    world.forwarder.recheck();
    assert.equal(world.forwarder.figures().connections, 1);
    for (const outcome of await Promise.all(ended)) assertCut(outcome, /^peer_certificate_revoked: /);
    assert.deepEqual(streaming.kinds.slice(-1), ['abort'], 'nobody takes it for a complete answer');
    assert.equal(silent.answer, undefined);
    assert.equal(silent.events[0]?.kind === 'refuse' && silent.events[0].answer.status, 502);
    await until('the server to lose its connections', () => revoked.sockets.size === 0);
    assert.equal(keptEnded, false);
    const again = await world.call(toBad, new FakeDownstream());
    assertCut(again, /^peer_certificate_revoked: /);
    assert.equal(revoked.requests.length, 2, 'a revoked server gets nothing more');
  });

  test(`promise 6: ${protocol}: a server is judged again when its verdict ends, without being told to`, async () => {
    await using world = new OutboundWorld();
    const short = world.server({ notAfter: new Date(Date.now() + HOUR) });
    await using server = await TlsDestination.start(short, { ca: world.authority.bundlePem, handler: hang });
    const downstream = new FakeDownstream();
    const outcome = world.call(destinationAt(server.port, { protocol }), downstream);
    await downstream.until((each) => each.received.length > 0);
    world.aheadMs = HOUR - 60_000;
    world.forwarder.recheck();
    assert.equal(world.forwarder.figures().connections, 1);
    world.aheadMs = HOUR;
    assertCut(await outcome, /^peer_certificate_expired: /);
  });
}

test('a root that is withdrawn cuts the servers under it', async () => {
  await using world = new OutboundWorld();
  await using server = await TlsDestination.start(world.server(), { handler: hang });
  const downstream = new FakeDownstream();
  const outcome = world.call(destinationAt(server.port), downstream);
  await downstream.until((each) => each.received.length > 0);
  world.trust(createAuthority().bundle);
  world.forwarder.recheck();
  assertCut(await outcome, /^peer_/);
});

/** A caller that speaks gRPC through the forwarder. */
async function grpcThrough(world: OutboundWorld, destination: Destination) {
  const outcomes: Promise<Outcome>[] = [];
  const front = createServer();
  front.on('sessionError', () => {});
  front.on('stream', (stream: ServerHttp2Stream, headers) => {
    const request = {
      style: 'grpc',
      method: 'POST',
      target: headers[':path'] ?? '/',
      headers: ['content-type', 'application/grpc', 'te', 'trailers'],
    } as const;
    const permit = permitTo(destination, request);
    outcomes.push(once((done) => world.forwarder.forward(permit, new StreamDownstream(stream), done)));
  });
  front.listen(0, '127.0.0.1');
  await event(front, 'listening');
  const { port } = front.address() as AddressInfo;
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  return {
    client,
    outcomes,
    [Symbol.asyncDispose]: async () => {
      client.close();
      front.close();
      await event(front, 'close');
    },
  };
}

const asIs = (bytes: Buffer): Buffer => bytes;

const method = (path: string, stream: boolean) => ({
  path,
  requestStream: stream,
  responseStream: stream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});

/** A gRPC service over mutual TLS: `Chat` says back what it hears; `Down` is unavailable `times` times. */
async function grpcServer(world: OutboundWorld, identity = world.server()) {
  const server = new grpc.Server();
  let calls = 0;
  let refusals = 0;
  server.addService(
    { chat: method('/t.T/Chat', true), down: method('/t.T/Down', false) },
    {
      chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        calls += 1;
        call.on('error', () => {});
        call.on('data', (each: Buffer) => call.write(each));
        call.on('end', () => call.end());
      },
      down: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        calls += 1;
        refusals -= 1;
        if (refusals >= 0) done({ code: grpc.status.UNAVAILABLE, details: 'not yet' });
        else done(null, call.request);
      },
    },
  );
  const pair = { private_key: Buffer.from(identity.keyPem), cert_chain: Buffer.from(identity.chainPem) };
  const secure = grpc.ServerCredentials.createSsl(Buffer.from(world.authority.bundlePem), [pair], true);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', secure, (error, bound) => (error === null ? resolve(bound) : reject(error))),
  );
  return {
    port,
    calls: () => calls,
    refuse: (times: number) => (refusals = times),
    [Symbol.asyncDispose]: () => Promise.resolve(server.forceShutdown()),
  };
}

test('gRPC: a stream over mutual TLS talks until its server is revoked; then the caller gets a status, not an end', async () => {
  await using world = new OutboundWorld();
  const identity = world.server();
  await using server = await grpcServer(world, identity);
  await using through = await grpcThrough(world, destinationAt(server.port, { protocol: 'auto' }));
  const call = through.client.makeBidiStreamRequest('/t.T/Chat', asIs, asIs);
  const failed = event(call, 'error') as Promise<[grpc.ServiceError]>;
  call.write(Buffer.from('one'));
  assert.deepEqual((await event(call, 'data'))[0], Buffer.from('one'));
  world.rotate();
  world.forwarder.reload();
  call.write(Buffer.from('two'));
  assert.deepEqual((await event(call, 'data'))[0], Buffer.from('two'), 'a stream outlives our rotation');
  world.revoke(identity);
  world.forwarder.recheck();
  const [error] = await failed;
  assert.equal(error.code, grpc.status.UNAVAILABLE);
  const [outcome] = await Promise.all(through.outcomes);
  assert.ok(outcome !== undefined);
  assertCut(outcome, /^peer_certificate_revoked: /);
});

function unary(client: grpc.Client, message: string): Promise<Buffer | grpc.ServiceError> {
  return new Promise((resolve) =>
    client.makeUnaryRequest('/t.T/Down', asIs, asIs, Buffer.from(message), (error, answer) =>
      resolve(error ?? answer ?? Buffer.alloc(0)),
    ),
  );
}

test('gRPC: UNAVAILABLE is an answer of the application, which may have acted: it is passed on, and the call is not sent again', async () => {
  await using world = new OutboundWorld();
  await using server = await grpcServer(world);
  await using through = await grpcThrough(world, destinationAt(server.port, { protocol: 'http2' }));
  server.refuse(1);
  const refused = await unary(through.client, 'once');
  assert.ok(refused instanceof Error && refused.code === grpc.status.UNAVAILABLE);
  assert.equal(refused.details, 'not yet', 'the answer is passed on as it came');
  assert.equal(server.calls(), 1);
  assert.deepEqual(await unary(through.client, 'again'), Buffer.from('again'));
  const [first, second] = await Promise.all(through.outcomes);
  assert.equal(first?.kind === 'forwarded' && first.grpcStatus, 14);
  assert.equal(second?.kind === 'forwarded' && second.grpcStatus, 0);
});
