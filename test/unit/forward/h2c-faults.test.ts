import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { PermittedRequest } from '../../../src/core/gate/permit.ts';
import { fault, FAULTS, type FaultCode } from '../../../src/core/model/faults.ts';
import { bodyOf, bodyToFeed, FakeDownstream } from '../../support/fake-downstream.ts';
import { forwarderTo, outcomeOf } from '../../support/forwarding.ts';
import {
  CODE,
  FLAG,
  frame,
  type Frame,
  type FramePeer,
  headerBlock,
  TYPE,
  uint32,
} from '../../support/http2-frame-peer.ts';
import { frameUpstream, scriptedUpstream } from '../../support/scripted-upstream.ts';

const GRPC: Partial<PermittedRequest> = {
  style: 'grpc',
  method: 'POST',
  target: '/echo.Echo/Call',
  headers: ['content-type', 'application/grpc', 'te', 'trailers'],
  body: { kind: 'stream' },
};

const head = (id: number, more: [string, string][] = [], flags: number = FLAG.endHeaders): Buffer =>
  frame(TYPE.headers, flags, id, headerBlock([[':status', '200'], ...more]));
const data = (id: number, text: string, flags: number = FLAG.none): Buffer =>
  frame(TYPE.data, flags, id, Buffer.from(text));
const reset = (id: number, code: number): Buffer => frame(TYPE.rstStream, 0, id, uint32(code));
const goaway = (last: number, code: number): Buffer =>
  frame(TYPE.goaway, 0, 0, Buffer.concat([uint32(last), uint32(code)]));

/** How often the request was ended by END_STREAM; node:http2's `close` would do so before it resets. */
function endsOfRequest(peer: FramePeer): number {
  return peer.frames.filter(({ type, flags }) => type === TYPE.data && (flags & FLAG.endStream) !== 0).length;
}

/** A complete answer to the next request. */
async function answers(peer: FramePeer): Promise<void> {
  const { streamId } = await peer.next(TYPE.headers);
  peer.send(head(streamId), data(streamId, 'ok', FLAG.endStream));
}

type Row = {
  readonly name: string;
  /** What the agent does with the request's stream. */
  readonly act: (peer: FramePeer, id: number) => void;
  readonly code: FaultCode;
  /** What an HTTP peer sees; a gRPC peer sees an end with a status instead of an abort. */
  readonly seen: readonly string[];
  /** The next request works on the same connection. */
  readonly keeps?: boolean;
};

const cutShort = (name: string, act: Row['act'], code: FaultCode, keeps = false): Row => ({
  name,
  act: (peer, id) => {
    peer.send(head(id), data(id, 'abc'));
    setTimeout(() => act(peer, id), 20);
  },
  code,
  seen: ['head', 'data', 'abort'],
  keeps,
});

const ROWS: readonly Row[] = [
  {
    name: 'resets the stream before its answer (INTERNAL_ERROR)',
    act: (peer, id) => peer.send(reset(id, CODE.internalError)),
    code: 'upstream_aborted',
    seen: ['refuse'],
    keeps: true,
  },
  {
    name: 'resets the stream before its answer (CANCEL)',
    act: (peer, id) => peer.send(reset(id, CODE.cancel)),
    code: 'upstream_aborted',
    seen: ['refuse'],
    keeps: true,
  },
  {
    name: 'resets the stream before its answer (PROTOCOL_ERROR)',
    act: (peer, id) => peer.send(reset(id, CODE.protocolError)),
    code: 'upstream_protocol_error',
    seen: ['refuse'],
    keeps: true,
  },
  {
    name: 'closes the connection before its answer',
    act: (peer) => peer.socket.end(),
    code: 'upstream_aborted',
    seen: ['refuse'],
  },
  {
    name: 'says goodbye with an error after it took the request',
    act: (peer, id) => peer.send(goaway(id, CODE.internalError)),
    code: 'upstream_aborted',
    seen: ['refuse'],
  },
  {
    name: 'ends a body short of its content-length (RFC 9113 8.1.1)',
    act: (peer, id) => peer.send(head(id, [['content-length', '10']]), data(id, 'abc', FLAG.endStream)),
    code: 'upstream_protocol_error',
    seen: ['refuse'],
    keeps: true,
  },
  {
    name: 'sends a field of one connection (RFC 9113 8.2.2)',
    act: (peer, id) => peer.send(head(id, [['connection', 'close']]), data(id, 'abc', FLAG.endStream)),
    code: 'upstream_protocol_error',
    seen: ['refuse'],
    keeps: true,
  },
  {
    name: 'sends an upper-case name (RFC 9113 8.2.1)',
    act: (peer, id) => peer.send(head(id, [['X-A', '1']]), data(id, 'abc', FLAG.endStream)),
    code: 'upstream_protocol_error',
    seen: ['refuse'],
    keeps: true,
  },
  {
    name: 'sends DATA before HEADERS',
    act: (peer, id) => peer.send(data(id, 'abc', FLAG.endStream)),
    code: 'upstream_protocol_error',
    seen: ['refuse'],
  },
  {
    name: 'sends a frame of no known size',
    act: (peer) => peer.send(frame(TYPE.ping, 0, 0, Buffer.alloc(3))),
    code: 'upstream_protocol_error',
    seen: ['refuse'],
  },
  // node:http2 reports each of these four as an ordinary end of the body.
  cutShort(
    'resets with NO_ERROR in the middle of its answer',
    (peer, id) => peer.send(reset(id, CODE.noError)),
    'upstream_aborted',
    true,
  ),
  cutShort(
    'resets with CANCEL in the middle of its answer',
    (peer, id) => peer.send(reset(id, CODE.cancel)),
    'upstream_aborted',
    true,
  ),
  cutShort('closes the connection in the middle of its answer', (peer) => peer.socket.end(), 'upstream_aborted'),
  cutShort(
    'says goodbye and closes in the middle of its answer',
    (peer, id) => {
      peer.send(goaway(id, CODE.noError));
      peer.socket.end();
    },
    'upstream_aborted',
  ),
  cutShort(
    'resets with INTERNAL_ERROR in the middle of its answer',
    (peer, id) => peer.send(reset(id, CODE.internalError)),
    'upstream_aborted',
    true,
  ),
  cutShort(
    'resets the connection in the middle of its answer',
    (peer) => peer.socket.resetAndDestroy(),
    'upstream_aborted',
  ),
];

for (const row of ROWS) {
  test(`an agent that ${row.name}: the peer sees ${row.seen.join(', ')}, and the next request works`, async () => {
    const upstream = await frameUpstream(async (peer, index) => {
      if (index === 0) row.act(peer, (await peer.next(TYPE.headers)).streamId);
      await answers(peer);
    });
    const forwarder = forwarderTo('h2c', upstream.port);
    const downstream = new FakeDownstream({ protocol: 'http2' });
    const outcome = await outcomeOf(forwarder, downstream);
    assert.deepEqual(downstream.kinds, row.seen);
    assert.equal(outcome.kind, 'upstream-failed');
    if (outcome.kind === 'upstream-failed') {
      assert.equal(outcome.fault.code, row.code, outcome.fault.detail);
      assert.equal(outcome.status, row.seen[0] === 'refuse' ? FAULTS[row.code].http : 200);
    }
    const next = new FakeDownstream({ protocol: 'http2' });
    assert.equal((await outcomeOf(forwarder, next)).kind, 'forwarded');
    assert.equal(next.received.toString(), 'ok');
    assert.equal(upstream.accepted(), row.keeps === true ? 1 : 2);
    await forwarder.stop(0);
    await upstream.close();
  });
}

test('a gRPC peer that has part of its answer gets the messages that came, then a status of ours', async () => {
  const upstream = await frameUpstream(async (peer) => {
    const { streamId } = await peer.next(TYPE.data);
    peer.send(head(streamId, [['content-type', 'application/grpc']]), data(streamId, '12345'));
    await seen.promise;
    peer.send(data(streamId, '67890'), reset(streamId, CODE.noError));
  });
  const seen = Promise.withResolvers<void>();
  const forwarder = forwarderTo('h2c', upstream.port);
  const downstream = new FakeDownstream({ protocol: 'http2', body: bodyOf('x') });
  const outcome = outcomeOf(forwarder, downstream, GRPC);
  await downstream.until(({ bytesOut }) => bytesOut === 5);
  seen.resolve();
  const result = await outcome;
  const last = downstream.events.at(-1);
  assert.equal(last?.kind === 'end' && last.trailers?.[0], 'grpc-status');
  assert.equal(last?.kind === 'end' && last.trailers?.[1], '14');
  assert.equal(downstream.received.toString(), '1234567890');
  assert.equal(result.kind === 'upstream-failed' && result.fault.code, 'upstream_aborted');
  assert.equal(result.kind === 'upstream-failed' && result.grpcStatus, 14);
  assert.equal(result.kind === 'upstream-failed' && result.status, 200);
  await forwarder.stop(0);
  await upstream.close();
});

test('gRPC "Deadline": it passes without an answer: grpc-status 4 from us, CANCEL to the agent', async () => {
  let cancelled: Frame | undefined;
  const upstream = await frameUpstream(async (peer) => {
    cancelled = await peer.next(TYPE.rstStream);
    told.resolve();
  });
  const told = Promise.withResolvers<void>();
  const forwarder = forwarderTo('h2c', upstream.port);
  const downstream = new FakeDownstream({ protocol: 'http2', body: { kind: 'stream', stream: bodyToFeed() } });
  const outcome = await outcomeOf(forwarder, downstream, { ...GRPC, grpcTimeoutMs: 30 });
  const [event] = downstream.events;
  assert.equal(event?.kind === 'refuse' && event.answer.grpcStatus, 4);
  assert.equal(outcome.kind === 'upstream-failed' && outcome.fault.code, 'upstream_timeout');
  assert.equal(outcome.kind === 'upstream-failed' && outcome.grpcStatus, 4);
  await told.promise;
  assert.equal(cancelled?.payload.readUInt32BE(0), CODE.cancel);
  await forwarder.stop(0);
  await upstream.close();
});

test('gRPC "Deadline": it passes in the middle of a stream: the status is 4 and the messages before it are delivered', async () => {
  const upstream = await frameUpstream(async (peer) => {
    const { streamId } = await peer.next(TYPE.headers);
    peer.send(head(streamId), data(streamId, '12345'));
  });
  const forwarder = forwarderTo('h2c', upstream.port);
  const downstream = new FakeDownstream({ protocol: 'http2', body: { kind: 'stream', stream: bodyToFeed() } });
  const outcome = await outcomeOf(forwarder, downstream, { ...GRPC, grpcTimeoutMs: 60 });
  assert.deepEqual(downstream.kinds, ['head', 'data', 'end']);
  assert.equal(downstream.received.toString(), '12345');
  assert.equal(outcome.kind === 'upstream-failed' && outcome.grpcStatus, 4);
  await forwarder.stop(0);
  await upstream.close();
});

test('an ordinary request over HTTP/2 that is never answered: 504, and its stream is reset', async () => {
  const upstream = await frameUpstream(async (peer) => {
    await peer.next(TYPE.rstStream);
    told.resolve();
  });
  const told = Promise.withResolvers<void>();
  const forwarder = forwarderTo('h2c', upstream.port, { upstreamTimeoutMs: 30 });
  const outcome = await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }));
  assert.equal(outcome.kind === 'upstream-failed' && outcome.status, 504);
  await told.promise;
  await forwarder.stop(0);
  await upstream.close();
});

test('RFC 9113 7: a peer that cancels: the agent gets CANCEL, the outcome is aborted by the peer', async () => {
  let code: number | undefined;
  const upstream = await frameUpstream(async (peer) => {
    await peer.next(TYPE.data);
    arrived.resolve();
    code = (await peer.next(TYPE.rstStream)).payload.readUInt32BE(0);
    told.resolve(endsOfRequest(peer));
  });
  const arrived = Promise.withResolvers<void>();
  const told = Promise.withResolvers<number>();
  const forwarder = forwarderTo('h2c', upstream.port);
  const stream = bodyToFeed();
  const downstream = new FakeDownstream({ protocol: 'http2', body: { kind: 'stream', stream } });
  const outcome = outcomeOf(forwarder, downstream, GRPC);
  stream.push(Buffer.from('x'));
  await arrived.promise;
  const reason = fault('peer_aborted', 'RST_STREAM 8');
  downstream.onClosed?.(reason, 'peer');
  assert.deepEqual(await outcome, { kind: 'aborted', by: 'peer', fault: reason, status: 0, bytesIn: 1, bytesOut: 0 });
  assert.equal(await told.promise, 0, 'what was uploaded must not look complete');
  assert.equal(code, CODE.cancel);
  assert.equal(stream.listenerCount('data'), 0);
  await forwarder.stop(0);
  await upstream.close();
});

test('an upload that was reset but says that it ended is not ended towards the agent', async () => {
  const upstream = await frameUpstream(async (peer) => {
    await peer.next(TYPE.data);
    arrived.resolve();
    await peer.next(TYPE.rstStream);
    ends.resolve(endsOfRequest(peer));
  });
  const arrived = Promise.withResolvers<void>();
  const ends = Promise.withResolvers<number>();
  const forwarder = forwarderTo('h2c', upstream.port);
  const stream = Object.assign(bodyToFeed(), { aborted: false });
  const downstream = new FakeDownstream({ protocol: 'http2', body: { kind: 'stream', stream } });
  const outcome = outcomeOf(forwarder, downstream, { method: 'POST', body: { kind: 'stream' } });
  stream.push(Buffer.from('part'));
  await arrived.promise;
  stream.aborted = true;
  stream.push(null);
  assert.equal((await outcome).kind, 'aborted');
  assert.equal(await ends.promise, 0);
  await forwarder.stop(0);
  await upstream.close();
});

test('a head that is larger than allowed, which node:http2 does not bound', async () => {
  const upstream = await frameUpstream(async (peer) => {
    const { streamId } = await peer.next(TYPE.headers);
    peer.send(head(streamId, [['x-a', 'a'.repeat(9_000)]]), data(streamId, 'ok', FLAG.endStream));
  });
  const forwarder = forwarderTo('h2c', upstream.port, { headerBytes: 8_192 });
  const downstream = new FakeDownstream({ protocol: 'http2' });
  const outcome = await outcomeOf(forwarder, downstream);
  assert.equal(outcome.kind === 'upstream-failed' && outcome.fault.code, 'upstream_protocol_error');
  assert.deepEqual(downstream.kinds, ['refuse']);
  await forwarder.stop(0);
  await upstream.close();
});

test('an agent that is not there: 502, for gRPC 14', async () => {
  const upstream = await scriptedUpstream(() => {});
  await upstream.close();
  const forwarder = forwarderTo('h2c', upstream.port);
  const http = await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }));
  assert.equal(http.kind === 'upstream-failed' && http.fault.code, 'upstream_unreachable');
  assert.equal(http.kind === 'upstream-failed' && http.status, 502);
  const grpc = await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2', body: bodyOf('x') }), GRPC);
  assert.equal(grpc.kind === 'upstream-failed' && grpc.grpcStatus, 14);
  await forwarder.stop(0);
});

test('RFC 9113 3.3: an agent that speaks HTTP/1.1 is found out before a request is written to it', async () => {
  let raw = '';
  const upstream = await scriptedUpstream((connection) => {
    connection.socket.removeAllListeners('data');
    connection.socket.on('data', (bytes: Buffer) => (raw += bytes.toString('latin1')));
    connection.send('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  const forwarder = forwarderTo('h2c', upstream.port);
  const outcome = await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }), { target: '/secret' });
  assert.equal(outcome.kind === 'upstream-failed' && outcome.fault.code, 'upstream_protocol_error');
  assert.equal(raw.includes('secret'), false);
  await forwarder.stop(0);
  await upstream.close();
});

test('an agent that accepts and says nothing: 504 when the time to connect is over', async () => {
  const upstream = await scriptedUpstream((connection) => void connection.socket.removeAllListeners('data').resume());
  const forwarder = forwarderTo('h2c', upstream.port, { upstreamConnectTimeoutMs: 40 });
  const outcome = await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }));
  assert.equal(outcome.kind === 'upstream-failed' && outcome.fault.code, 'upstream_timeout');
  await forwarder.stop(0);
  await upstream.close();
});
