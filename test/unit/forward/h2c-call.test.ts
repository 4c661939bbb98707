import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { PermittedRequest } from '../../../src/core/gate/permit.ts';
import { type EchoUpstream, startEchoUpstream } from '../../support/echo-upstream.ts';
import { bodyOf, bodyToFeed, FakeDownstream, type FakeDownstreamOptions } from '../../support/fake-downstream.ts';
import { forwarderTo, outcomeOf } from '../../support/forwarding.ts';
import { FLAG, frame, type Frame, type FramePeer, headerBlock, TYPE } from '../../support/http2-frame-peer.ts';
import { frameUpstream } from '../../support/scripted-upstream.ts';

const GRPC: Partial<PermittedRequest> = {
  style: 'grpc',
  method: 'POST',
  target: '/echo.Echo/Call',
  headers: ['content-type', 'application/grpc', 'te', 'trailers'],
  body: { kind: 'stream' },
};

/** One gRPC message: flag, length, bytes. */
function message(text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text, 'latin1')]);
}

const interim = (id: number, status: string): Buffer =>
  frame(
    TYPE.headers,
    FLAG.endHeaders,
    id,
    headerBlock([
      [':status', status],
      ['link', '</a>'],
    ]),
  );

async function withEcho(use: (upstream: EchoUpstream) => Promise<void>): Promise<void> {
  const upstream = await startEchoUpstream();
  try {
    await use(upstream);
  } finally {
    await upstream.close();
  }
}

/** One call to an upstream that answers with the frames that `script` sends. */
async function callFrames(
  script: (peer: FramePeer) => Promise<void>,
  request: Partial<PermittedRequest>,
  options: FakeDownstreamOptions,
  during: (downstream: FakeDownstream) => Promise<void> = async () => {},
) {
  const upstream = await frameUpstream(script);
  const forwarder = forwarderTo('h2c', upstream.port);
  const downstream = new FakeDownstream({ protocol: 'http2', ...options });
  const outcome = outcomeOf(forwarder, downstream, request);
  await during(downstream);
  const result = { downstream, outcome: await outcome };
  await forwarder.stop(0);
  await upstream.close();
  return result;
}

const answerHead = (id: number, flags: number = FLAG.endHeaders, more: [string, string][] = []): Buffer =>
  frame(TYPE.headers, flags, id, headerBlock([[':status', '200'], ['content-type', 'application/grpc'], ...more]));

const trailers = (id: number, fields: [string, string][] = [['grpc-status', '0']]): Buffer =>
  frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, id, headerBlock(fields));

const data = (id: number, bytes: Buffer, flags: number = FLAG.none): Buffer => frame(TYPE.data, flags, id, bytes);

test('RFC 9113 8.3.1: pseudo-header fields first, then the fields of the permit in order, with duplicates and byte for byte', () =>
  withEcho(async (upstream) => {
    const forwarder = forwarderTo('h2c', upstream.port);
    const headers = ['x-b', '1', 'if-none-match', '"a"', 'x-b', '2', 'x-latin', 'caf\u00e9', 'if-none-match', '"b"'];
    const downstream = new FakeDownstream({ protocol: 'http2' });
    const outcome = await outcomeOf(forwarder, downstream, { target: '/a%2Fb?c', headers, authority: 'a.example:1' });
    assert.equal(outcome.kind, 'forwarded');
    const received = await upstream.next();
    const pseudo = [':method', 'GET', ':scheme', 'http', ':authority', 'a.example:1', ':path', '/a%2Fb?c'];
    assert.deepEqual(received.headers, [...pseudo, ...headers]);
    await forwarder.stop(0);
  }));

test('a peer that speaks HTTP/1.1 is answered by an agent that speaks HTTP/2', () =>
  withEcho(async (upstream) => {
    const forwarder = forwarderTo('h2c', upstream.port);
    const downstream = new FakeDownstream({ protocol: 'http1', body: bodyOf('abc', 'def') });
    const outcome = await outcomeOf(forwarder, downstream, {
      method: 'POST',
      target: '/echo',
      headers: ['content-length', '6'],
      body: { kind: 'length', bytes: 6 },
    });
    assert.deepEqual(outcome, { kind: 'forwarded', status: 200, bytesIn: 6, bytesOut: 6 });
    assert.equal(downstream.received.toString(), 'abcdef');
    await forwarder.stop(0);
  }));

test('a body that was held for the policy is sent from memory', () =>
  withEcho(async (upstream) => {
    const forwarder = forwarderTo('h2c', upstream.port);
    const body = { kind: 'bytes', bytes: Buffer.from('held') } as const;
    await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2', body }), { method: 'POST' });
    assert.equal((await upstream.next()).body.toString(), 'held');
    await forwarder.stop(0);
  }));

test('RFC 9110 6.5: trailers of the request are dropped over HTTP/2 too', () =>
  withEcho(async (upstream) => {
    const forwarder = forwarderTo('h2c', upstream.port);
    await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2', body: bodyOf('a') }), { method: 'POST' });
    assert.deepEqual((await upstream.next()).trailers, []);
    await forwarder.stop(0);
  }));

test('auto: gRPC over h2c, the rest over HTTP/1.1 whatever the peer speaks, on one port', () =>
  withEcho(async (upstream) => {
    const forwarder = forwarderTo('auto', upstream.port);
    await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http1' }));
    await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }));
    await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2', body: bodyOf(message('a')) }), GRPC);
    assert.deepEqual(
      upstream.received.map(({ protocol }) => protocol),
      ['http/1.1', 'http/1.1', 'h2c'],
    );
    await forwarder.stop(0);
  }));

test('gRPC unary: the message and END_STREAM leave in one DATA frame, and the answer is one write', async () => {
  let received: Frame | undefined;
  const { downstream, outcome } = await callFrames(
    async (peer) => {
      const { streamId } = await peer.next(TYPE.headers);
      received = await peer.next(TYPE.data);
      peer.send(answerHead(streamId), data(streamId, message('pong')), trailers(streamId));
    },
    GRPC,
    { body: bodyOf(message('ping')) },
  );
  assert.deepEqual(received?.payload, message('ping'));
  assert.equal(received?.flags, FLAG.endStream);
  assert.deepEqual(downstream.events, [
    {
      kind: 'whole',
      status: 200,
      headers: ['content-type', 'application/grpc'],
      body: message('pong').toString('latin1'),
      trailers: ['grpc-status', '0'],
    },
  ]);
  assert.deepEqual(outcome, { kind: 'forwarded', status: 200, grpcStatus: 0, bytesIn: 9, bytesOut: 9 });
});

test('gRPC server streaming: each message is passed on when it comes', async () => {
  const seen = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { downstream, outcome } = await callFrames(
    async (peer) => {
      const { streamId } = await peer.next(TYPE.data);
      peer.send(answerHead(streamId), data(streamId, message('1')));
      await seen[0]?.promise;
      peer.send(data(streamId, message('2')));
      await seen[1]?.promise;
      peer.send(trailers(streamId, [['grpc-status', '5']]));
    },
    GRPC,
    { body: bodyOf(message('list')) },
    async (fake) => {
      await fake.until(({ bytesOut }) => bytesOut === 6);
      seen[0]?.resolve();
      await fake.until(({ bytesOut }) => bytesOut === 12);
      seen[1]?.resolve();
    },
  );
  assert.deepEqual(downstream.kinds, ['head', 'data', 'data', 'end']);
  assert.equal(outcome.kind === 'forwarded' && outcome.grpcStatus, 5);
});

test('gRPC client streaming: each message is sent when it comes, and half-close ends the request only', async () => {
  const stream = bodyToFeed();
  const got: Frame[] = [];
  const seen = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { outcome } = await callFrames(
    async (peer) => {
      got.push(await peer.next(TYPE.data));
      seen[0]?.resolve();
      got.push(await peer.next(TYPE.data));
      seen[1]?.resolve();
      const last = await peer.next(TYPE.data);
      got.push(last);
      peer.send(answerHead(last.streamId), data(last.streamId, message('sum')), trailers(last.streamId));
    },
    GRPC,
    { body: { kind: 'stream', stream } },
    async () => {
      stream.push(message('1'));
      await seen[0]?.promise;
      stream.push(message('22'));
      await seen[1]?.promise;
      stream.push(null);
    },
  );
  assert.deepEqual(
    got.map(({ payload, flags }) => [payload.length, flags]),
    [
      [6, FLAG.none],
      [7, FLAG.none],
      [0, FLAG.endStream],
    ],
  );
  assert.deepEqual(outcome, { kind: 'forwarded', status: 200, grpcStatus: 0, bytesIn: 13, bytesOut: 8 });
});

test('gRPC bidirectional streaming: the two directions do not wait for each other', () =>
  withEcho(async (upstream) => {
    const forwarder = forwarderTo('h2c', upstream.port);
    const stream = bodyToFeed();
    const downstream = new FakeDownstream({ protocol: 'http2', body: { kind: 'stream', stream } });
    const outcome = outcomeOf(forwarder, downstream, GRPC);
    let expected = 0;
    for (const text of ['a', 'bb', 'ccc']) {
      stream.push(message(text));
      expected += 5 + text.length;
      await downstream.until(({ bytesOut }) => bytesOut === expected);
    }
    stream.push(null);
    assert.deepEqual(await outcome, {
      kind: 'forwarded',
      status: 200,
      grpcStatus: 0,
      bytesIn: expected,
      bytesOut: expected,
    });
    await forwarder.stop(0);
  }));

test('gRPC "Responses": a trailers-only answer stays one', async () => {
  const { downstream, outcome } = await callFrames(
    async (peer) => {
      const { streamId } = await peer.next(TYPE.headers);
      const only: [string, string][] = [
        ['grpc-status', '12'],
        ['grpc-message', 'no such method'],
      ];
      peer.send(answerHead(streamId, FLAG.endHeaders | FLAG.endStream, only));
    },
    GRPC,
    { body: bodyOf(message('x')) },
  );
  const [event] = downstream.events;
  assert.deepEqual(event, {
    kind: 'whole',
    status: 200,
    headers: ['content-type', 'application/grpc', 'grpc-status', '12', 'grpc-message', 'no such method'],
    body: undefined,
    trailers: undefined,
  });
  assert.equal(outcome.kind === 'forwarded' && outcome.grpcStatus, 12);
});

test('RFC 9113 8.1: an answer that is complete before the request ends the stream, and the rest is not read', async () => {
  const stream = bodyToFeed();
  let reset: Frame | undefined;
  let ended = false;
  const wasReset = Promise.withResolvers<void>();
  const { outcome } = await callFrames(
    async (peer) => {
      const { streamId } = await peer.next(TYPE.data);
      peer.send(answerHead(streamId, FLAG.endHeaders | FLAG.endStream, [['grpc-status', '8']]));
      reset = await peer.next(TYPE.rstStream);
      ended = peer.frames.some(({ type, flags }) => type === TYPE.data && (flags & FLAG.endStream) !== 0);
      wasReset.resolve();
    },
    GRPC,
    { body: { kind: 'stream', stream } },
    async (fake) => {
      stream.push(message('1'));
      await fake.until(({ kinds }) => kinds.length > 0);
      await wasReset.promise;
    },
  );
  assert.equal(reset?.payload.readUInt32BE(0), 8);
  assert.equal(ended, false);
  assert.equal(stream.destroyed, false);
  assert.equal(stream.isPaused(), true);
  assert.equal(outcome.kind === 'forwarded' && outcome.grpcStatus, 8);
});

test('a complete exchange is not reset afterwards', () =>
  withEcho(async (upstream) => {
    const watched = await frameUpstream(async (peer) => {
      for (;;) {
        const { streamId } = await peer.next(TYPE.data);
        peer.send(answerHead(streamId), trailers(streamId));
        frames.push(...peer.frames.map(({ type }) => type));
      }
    });
    const frames: number[] = [];
    const forwarder = forwarderTo('h2c', watched.port);
    for (let i = 0; i < 3; i++)
      await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2', body: bodyOf(message('1')) }), GRPC);
    assert.equal(frames.includes(TYPE.rstStream), false);
    assert.equal(watched.accepted(), 1);
    await forwarder.stop(0);
    await watched.close();
    assert.equal(upstream.accepted(), 0);
  }));

test('RFC 9110 15.2: interim answers of an HTTP/2 agent are passed on, but for 100', async () => {
  const { downstream } = await callFrames(
    async (peer) => {
      const { streamId } = await peer.next(TYPE.headers);
      peer.send(interim(streamId, '100'), interim(streamId, '103'));
      peer.send(answerHead(streamId), data(streamId, Buffer.from('ok'), FLAG.endStream));
    },
    {},
    {},
  );
  assert.deepEqual(downstream.events[0], { kind: 'informational', status: 103, headers: ['link', '</a>'] });
  assert.deepEqual(downstream.kinds, ['informational', 'whole']);
});

test('an agent that writes faster than the peer reads is held back by flow control (RFC 9113 5.2)', () =>
  withEcho(async (upstream) => {
    const forwarder = forwarderTo('h2c', upstream.port);
    const bytes = Buffer.alloc(2_000_000, 'x');
    const downstream = new FakeDownstream({
      protocol: 'http2',
      capacity: 65_536,
      body: { kind: 'bytes', bytes },
    });
    const outcome = outcomeOf(forwarder, downstream, { method: 'POST', target: '/echo' });
    await downstream.until(() => downstream.onDrain !== undefined);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(downstream.bytesOut <= 65_536 + 131_072, `${downstream.bytesOut} bytes passed a peer that does not read`);
    while (downstream.bytesOut < bytes.length) {
      downstream.drain();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await outcome).kind, 'forwarded');
    assert.equal(downstream.received.equals(bytes), true);
    await forwarder.stop(0);
  }));

test('a peer that writes faster than the agent reads is held back', async () => {
  const stream = bodyToFeed();
  const total = 64;
  const { outcome } = await callFrames(
    async (peer) => {
      const { streamId } = await peer.next(TYPE.headers);
      // The windows are not opened until the peer's side was seen to wait.
      while (stream.readableLength === 0 || stream.readableLength === total * 65_536)
        await new Promise((resolve) => setImmediate(resolve));
      peer.send(answerHead(streamId, FLAG.endHeaders | FLAG.endStream));
    },
    { method: 'POST', body: { kind: 'stream' } },
    { body: { kind: 'stream', stream } },
    async () => {
      for (let i = 0; i < total; i++) stream.push(Buffer.alloc(65_536));
      stream.push(null);
    },
  );
  assert.ok(stream.readableLength > 32 * 65_536);
  assert.equal(outcome.kind, 'forwarded');
});
