import assert from 'node:assert/strict';
import { once as event } from 'node:events';
import { createServer, type AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';

import type { PermittedRequest } from '../../../src/core/gate/permit.ts';
import { bodyOf, FakeDownstream } from '../../support/fake-downstream.ts';
import {
  CODE,
  FLAG,
  frame,
  FramePeer,
  headerBlock,
  PREFACE,
  settings,
  TYPE,
  uint32,
} from '../../support/http2-frame-peer.ts';
import { destinationAt, faultIn, OutboundWorld } from '../../support/outbound-world.ts';
import { ScriptedTls } from '../../support/scripted-tls.ts';
import { TlsDestination } from '../../support/tls-destination.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** HTTP/1.1: loses the connections of the first `losses` requests before a byte of an answer. */
function losing(losses: number): (socket: TLSSocket, index: number) => void {
  return (socket, index) => socket.on('data', () => (index < losses ? socket.destroy() : socket.write(OK)));
}

test('RFC 9110 9.2.2: a GET whose connection was lost is sent again, a POST is not', async () => {
  await using world = new OutboundWorld();
  await using server = await new ScriptedTls(world.server(), 'http/1.1', losing(2)).start();
  const get = await world.call(destinationAt(server.port), new FakeDownstream());
  assert.equal(get.kind, 'forwarded');
  assert.equal(server.accepted, 3);
  await using other = await new ScriptedTls(world.server(), 'http/1.1', losing(1)).start();
  const post = await world.call(destinationAt(other.port), new FakeDownstream(), { method: 'POST' });
  assert.equal(faultIn(post)?.code, 'upstream_aborted');
  assert.equal(other.accepted, 1);
});

const NOT_AGAIN: readonly [string, Partial<PermittedRequest>, boolean][] = [
  ['a GET with a body', { method: 'GET' }, true],
  ['a DELETE', { method: 'DELETE' }, false],
  ['a PUT with a body', { method: 'PUT' }, true],
];
for (const [name, request, hasBody] of NOT_AGAIN) {
  test(`${name} that may have been processed is not sent again`, async () => {
    await using world = new OutboundWorld();
    await using server = await new ScriptedTls(world.server(), 'http/1.1', losing(9)).start();
    const downstream = new FakeDownstream(hasBody ? { body: bodyOf('x') } : {});
    const outcome = await world.call(destinationAt(server.port), downstream, request);
    assert.equal(outcome.kind, 'upstream-failed');
    assert.equal(server.accepted, 1);
  });
}

test('after a byte of the answer nothing is sent again', async () => {
  await using world = new OutboundWorld();
  await using server = await new ScriptedTls(world.server(), 'http/1.1', (socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok')),
  ).start();
  const outcome = await world.call(destinationAt(server.port), new FakeDownstream());
  assert.equal(faultIn(outcome)?.code, 'upstream_aborted');
  assert.equal(server.accepted, 1);
});

test('an answer of 503 is passed on, not asked for again', async () => {
  await using world = new OutboundWorld();
  await using server = await TlsDestination.start(world.server());
  server.handler = (_request, response) => {
    response.statusCode = 503;
    response.end();
  };
  const downstream = new FakeDownstream();
  assert.equal((await world.call(destinationAt(server.port), downstream)).kind, 'forwarded');
  assert.equal(downstream.answer?.status, 503);
  assert.equal(server.requests.length, 1);
});

for (const protocol of ['http1', 'http2', 'auto'] as const) {
  test(`${protocol}: while nothing was sent, any call is tried three times, with its whole body`, async () => {
    await using world = new OutboundWorld();
    await using server = await TlsDestination.start(world.server());
    let refusals = 2;
    // Stands between: resets the first connections, carries the others.
    const between = createServer((socket) => {
      socket.on('error', () => {});
      refusals -= 1;
      if (refusals >= 0) {
        socket.resetAndDestroy();
        return;
      }
      const onward = new Socket().connect(server.port, '127.0.0.1');
      onward.on('error', () => {});
      socket.pipe(onward).pipe(socket);
      socket.once('close', () => onward.destroy());
    }).listen(0, '127.0.0.1');
    await event(between, 'listening');
    const { port } = between.address() as AddressInfo;
    let received = '';
    server.handler = (request, response) => {
      request.on('data', (chunk: Buffer) => (received += chunk.toString()));
      request.on('end', () => response.end('ok'));
    };
    const downstream = new FakeDownstream({ body: bodyOf('a ', 'long ', 'story') });
    const outcome = await world.call(destinationAt(port, { protocol }), downstream, { method: 'POST' });
    assert.equal(outcome.kind, 'forwarded', JSON.stringify(faultIn(outcome)));
    assert.equal(received, 'a long story');
    assert.equal(refusals, -1);
    refusals = 9;
    await world.forwarder.stop(0);
    between.close();
  });
}

/** An HTTP/2 server below the level of any library: SETTINGS are sent, the rest is the script's. */
function frames(script: (peer: FramePeer, index: number) => Promise<void>) {
  return (socket: TLSSocket, index: number): void => {
    void (async () => {
      let seen = Buffer.alloc(0);
      while (seen.length < PREFACE.length) seen = Buffer.concat([seen, ((await event(socket, 'data')) as [Buffer])[0]]);
      socket.pause();
      if (seen.length > PREFACE.length) socket.unshift(seen.subarray(PREFACE.length));
      const peer = new FramePeer(socket);
      socket.resume();
      peer.send(frame(TYPE.settings, 0, 0, settings([])));
      await script(peer, index);
    })().catch(() => socket.destroy());
  };
}

const answerTo = (id: number): Buffer =>
  frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, id, headerBlock([[':status', '200']]));

test('RFC 9113 8.7: a refused POST is sent again with what was sent of its body, at once', async () => {
  await using world = new OutboundWorld();
  let streams = 0;
  await using server = await new ScriptedTls(
    world.server(),
    'h2',
    frames(async (peer) => {
      for (;;) {
        const { streamId } = await peer.next(TYPE.headers);
        streams += 1;
        if (streams <= 2) peer.send(frame(TYPE.rstStream, 0, streamId, uint32(CODE.refusedStream)));
        else peer.send(answerTo(streamId));
      }
    }),
  ).start();
  const downstream = new FakeDownstream({ body: bodyOf('x') });
  const to = destinationAt(server.port, { protocol: 'http2' });
  assert.equal((await world.call(to, downstream, { method: 'POST' })).kind, 'forwarded');
  assert.equal(streams, 3);
  streams = -100;
  const inVain = await world.call(to, new FakeDownstream());
  assert.equal(faultIn(inVain)?.code, 'upstream_aborted');
  assert.equal(streams, -96, 'once at once, then as often as any');
});

test('RFC 9113 6.8: a server that drains moves many calls at once, none fails', async () => {
  await using world = new OutboundWorld();
  const CALLS = 40;
  await using server = await new ScriptedTls(
    world.server(),
    'h2',
    frames(async (peer, index) => {
      for (let i = 0; i < CALLS; i += 1) {
        const { streamId } = await peer.next(TYPE.headers);
        if (index > 0) peer.send(answerTo(streamId));
      }
      if (index === 0) peer.send(frame(TYPE.goaway, 0, 0, Buffer.concat([uint32(0), uint32(CODE.noError)])));
    }),
  ).start();
  const to = destinationAt(server.port, { protocol: 'http2' });
  const calls = Array.from({ length: CALLS }, () => world.call(to, new FakeDownstream(), { method: 'POST' }));
  for (const outcome of await Promise.all(calls)) assert.equal(outcome.kind, 'forwarded', JSON.stringify(outcome));
});

test('a destination in trouble gets a fifth more calls at most, or three', async () => {
  await using world = new OutboundWorld({ resilience: { circuit: { failures: 1_000, openMs: 1, longestMs: 1 } } });
  let requests = 0;
  await using server = await TlsDestination.start(world.server());
  server.handler = (request) => {
    requests += 1;
    if (requests >= 30) for (const socket of server.sockets) socket.destroy();
    request.on('error', () => {});
  };
  const calls = Array.from({ length: 30 }, () => world.call(destinationAt(server.port), new FakeDownstream()));
  const outcomes = await Promise.all(calls);
  assert.ok(outcomes.every(({ kind }) => kind === 'upstream-failed'));
  // Six calls may repeat, each twice.
  assert.ok(requests > 30 && requests <= 42, `${requests} requests`);
});

test('a call that has ended gives its part of the budget back', async () => {
  await using world = new OutboundWorld();
  let requests = 0;
  const everyOther = (socket: TLSSocket): void =>
    void socket.on('data', () => {
      requests += 1;
      if (requests % 2 === 1) socket.destroy();
      else socket.end(OK);
    });
  await using server = await new ScriptedTls(world.server(), 'http/1.1', everyOther).start();
  for (let i = 0; i < 5; i += 1) {
    const outcome = await world.call(destinationAt(server.port), new FakeDownstream());
    assert.equal(outcome.kind, 'forwarded', JSON.stringify(outcome));
    while (world.forwarder.figures().connections > 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(requests, 10);
});

test('the deadline of a call goes on through its attempts', async () => {
  await using world = new OutboundWorld({
    limits: { upstreamTimeoutMs: 200, handshakeTimeoutMs: 60_000 },
    resilience: {
      attempts: 1_000,
      budget: { part: 1, least: 1_000 },
      circuit: { failures: 1_000, openMs: 1, longestMs: 1 },
    },
  });
  await using server = await new ScriptedTls(world.server(), 'http/1.1', losing(1_000)).start();
  const outcome = await world.call(destinationAt(server.port), new FakeDownstream());
  assert.equal(faultIn(outcome)?.code, 'upstream_timeout');
  assert.equal(world.forwarder.figures().underWay, 0);
});

test('a caller that goes away in the pause before an attempt leaves nothing behind', async () => {
  await using world = new OutboundWorld({ resilience: { backOffMs: { first: 60_000, longest: 60_000 } } });
  await using server = await new ScriptedTls(world.server(), 'http/1.1', losing(1_000)).start();
  const downstream = new FakeDownstream();
  const outcome = world.call(destinationAt(server.port), downstream);
  while (world.forwarder.figures().connections > 0 || server.accepted === 0)
    await new Promise((resolve) => setImmediate(resolve));
  downstream.onClosed?.({ kind: 'fault', code: 'peer_aborted', detail: '' }, 'peer');
  assert.equal((await outcome).kind, 'aborted');
  assert.equal(server.accepted, 1);
  assert.deepEqual(world.forwarder.figures(), { connections: 0, underWay: 0, openCircuits: 0 });
});
