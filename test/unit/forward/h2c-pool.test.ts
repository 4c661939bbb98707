import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { PermittedRequest } from '../../../src/core/gate/permit.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import { bodyOf, bodyToFeed, FakeDownstream, type FakeDownstreamOptions } from '../../support/fake-downstream.ts';
import { forwarderTo, outcomeOf } from '../../support/forwarding.ts';
import {
  CODE,
  FLAG,
  frame,
  type FramePeer,
  headerBlock,
  settings,
  TYPE,
  uint32,
} from '../../support/http2-frame-peer.ts';
import { frameUpstream } from '../../support/scripted-upstream.ts';

const MAX_CONCURRENT_STREAMS = 3;

const answer = (id: number): Buffer =>
  frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, id, headerBlock([[':status', '200']]));
const refuse = (id: number): Buffer => frame(TYPE.rstStream, 0, id, uint32(CODE.refusedStream));
const goaway = (last: number, code: number = CODE.noError): Buffer =>
  frame(TYPE.goaway, 0, 0, Buffer.concat([uint32(last), uint32(code)]));

async function answerAll(peer: FramePeer): Promise<void> {
  for (;;) peer.send(answer((await peer.next(TYPE.headers)).streamId));
}

test('RFC 9113 5.1.2: one connection until the agent takes no more streams on it, then another', async () => {
  const held: { peer: FramePeer; id: number }[] = [];
  const upstream = await frameUpstream(
    async (peer) => {
      for (;;) {
        const { streamId } = await peer.next(TYPE.headers);
        held.push({ peer, id: streamId });
        if (held.length === 5) all.resolve();
      }
    },
    [[MAX_CONCURRENT_STREAMS, 2]],
  );
  const all = Promise.withResolvers<void>();
  const forwarder = forwarderTo('h2c', upstream.port);
  const outcomes = Array.from({ length: 5 }, () => outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' })));
  await all.promise;
  assert.equal(upstream.accepted(), 3);
  for (const { peer } of held)
    assert.ok(held.filter((each) => each.peer === peer).length <= 2, 'no connection carries more than it may');
  for (const { peer, id } of held) peer.send(answer(id));
  for (const outcome of await Promise.all(outcomes)) assert.equal(outcome.kind, 'forwarded');
  await forwarder.stop(0);
  await upstream.close();
});

test('requests wait for the first SETTINGS, then share the connection', async () => {
  const upstream = await frameUpstream(answerAll);
  const forwarder = forwarderTo('h2c', upstream.port);
  const outcomes = Array.from({ length: 20 }, () => outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' })));
  for (const outcome of await Promise.all(outcomes)) assert.equal(outcome.kind, 'forwarded');
  assert.equal(upstream.accepted(), 1);
  await forwarder.stop(0);
  await upstream.close();
});

test('RFC 9113 6.5.2: a limit that the agent raises later lets waiting requests through', async () => {
  let streams = 0;
  const upstream = await frameUpstream(
    async (peer) => {
      peer.send(frame(TYPE.settings, 0, 0, settings([[MAX_CONCURRENT_STREAMS, 100]])));
      for (;;) {
        const { streamId } = await peer.next(TYPE.headers);
        streams += 1;
        peer.send(answer(streamId));
      }
    },
    [[MAX_CONCURRENT_STREAMS, 0]],
  );
  const forwarder = forwarderTo('h2c', upstream.port);
  assert.equal((await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }))).kind, 'forwarded');
  assert.equal(streams, 1);
  await forwarder.stop(0);
  await upstream.close();
});

test('a request that waits in line can be given up', async () => {
  const upstream = await frameUpstream(async () => {}, [[MAX_CONCURRENT_STREAMS, 0]]);
  const forwarder = forwarderTo('h2c', upstream.port, { upstreamTimeoutMs: 60 });
  const outcome = await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }));
  assert.equal(outcome.kind === 'upstream-failed' && outcome.fault.code, 'upstream_timeout');
  await forwarder.stop(0);
  await upstream.close();
});

test('RFC 9113 6.8: after a graceful GOAWAY the call under way ends, and the next one gets a new connection', async () => {
  const upstream = await frameUpstream(async (peer, index) => {
    const { streamId } = await peer.next(TYPE.headers);
    if (index > 0) {
      peer.send(answer(streamId));
      return;
    }
    peer.send(goaway(streamId));
    await second.promise;
    peer.send(answer(streamId));
  });
  const second = Promise.withResolvers<void>();
  const forwarder = forwarderTo('h2c', upstream.port);
  const first = outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }));
  while (upstream.accepted() < 2) {
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }))).kind, 'forwarded');
  }
  second.resolve();
  assert.equal((await first).kind, 'forwarded');
  await forwarder.stop(0);
  await upstream.close();
});

type Retry = {
  readonly name: string;
  /** What the agent does with the first attempt. */
  readonly decline: (peer: FramePeer, id: number) => void;
  readonly request?: Partial<PermittedRequest>;
  readonly downstream?: () => FakeDownstreamOptions;
  readonly retried: boolean;
};

const stream = { kind: 'stream' } as const;
const processed = (peer: FramePeer, id: number): void => peer.send(goaway(id, CODE.internalError));
const unprocessed = (peer: FramePeer, id: number): void => peer.send(goaway(id - 1, CODE.internalError));

/** RFC 9113 section 8.7: what was provably not processed may be sent again, whatever its method. */
const RETRIES: readonly Retry[] = [
  { name: 'REFUSED_STREAM', decline: (peer, id) => peer.send(refuse(id)), retried: true },
  { name: 'GOAWAY with a lower last stream', decline: (peer, id) => peer.send(goaway(id - 1)), retried: true },
  { name: 'GOAWAY with a lower last stream and an error', decline: unprocessed, retried: true },
  { name: 'GOAWAY with this stream as the last, and an error', decline: processed, retried: false },
  { name: 'INTERNAL_ERROR', decline: (peer, id) => peer.send(frame(TYPE.rstStream, 0, id, uint32(2))), retried: false },
  { name: 'a connection that closes', decline: (peer) => peer.socket.end(), retried: false },
  {
    name: 'REFUSED_STREAM for a POST with a body held in memory',
    decline: (peer, id) => peer.send(refuse(id)),
    request: { method: 'POST' },
    downstream: () => ({ body: { kind: 'bytes', bytes: Buffer.from('body') } }),
    retried: true,
  },
  {
    name: 'REFUSED_STREAM for a POST whose streamed body is still at hand',
    decline: (peer, id) => peer.send(refuse(id)),
    request: { method: 'POST', body: stream },
    downstream: () => ({ body: bodyOf('bo', 'dy') }),
    retried: true,
  },
  {
    name: 'REFUSED_STREAM after an answer began',
    decline: (peer, id) =>
      peer.send(frame(TYPE.headers, FLAG.endHeaders, id, headerBlock([[':status', '200']])), refuse(id)),
    retried: false,
  },
];

for (const { name, decline, request = {}, downstream = (): FakeDownstreamOptions => ({}), retried } of RETRIES) {
  test(`RFC 9113 8.7: ${name} is ${retried ? 'tried once more' : 'not retried'}`, async () => {
    let attempts = 0;
    let body = '';
    const upstream = await frameUpstream(async (peer) => {
      for (;;) {
        const { streamId, flags } = await peer.next(TYPE.headers);
        attempts += 1;
        for (let end = (flags & FLAG.endStream) !== 0; !end;) {
          const piece = await peer.next(TYPE.data, (each) => each.streamId === streamId);
          if (attempts === 2) body += piece.payload.toString();
          end = (piece.flags & FLAG.endStream) !== 0;
        }
        if (attempts === 1) decline(peer, streamId);
        else peer.send(answer(streamId));
      }
    });
    const forwarder = forwarderTo('h2c', upstream.port);
    const options = downstream();
    const outcome = await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2', ...options }), request);
    assert.equal(outcome.kind, retried ? 'forwarded' : 'upstream-failed');
    assert.equal(attempts, retried ? 2 : 1);
    if (options.body !== undefined) assert.equal(body, 'body');
    await forwarder.stop(0);
    await upstream.close();
  });
}

test('RFC 9113 8.7: a second refusal is final', async () => {
  let attempts = 0;
  const upstream = await frameUpstream(async (peer) => {
    for (;;) {
      const { streamId } = await peer.next(TYPE.headers);
      attempts += 1;
      peer.send(refuse(streamId));
    }
  });
  const forwarder = forwarderTo('h2c', upstream.port);
  const outcome: Outcome = await outcomeOf(forwarder, new FakeDownstream({ protocol: 'http2' }));
  assert.equal(outcome.kind === 'upstream-failed' && outcome.fault.code, 'upstream_aborted');
  assert.equal(attempts, 2);
  await forwarder.stop(0);
  await upstream.close();
});

test('a body of which more was sent than is kept cannot be sent again', async () => {
  let attempts = 0;
  const upstream = await frameUpstream(async (peer) => {
    for (;;) {
      const { streamId } = await peer.next(TYPE.headers);
      attempts += 1;
      let bytes = 0;
      while (bytes < 2_000) bytes += (await peer.next(TYPE.data)).payload.length;
      peer.send(refuse(streamId));
    }
  });
  const forwarder = forwarderTo('h2c', upstream.port, { bufferBytes: 1_000 });
  const body = bodyToFeed();
  const downstream = new FakeDownstream({ protocol: 'http2', body: { kind: 'stream', stream: body } });
  const outcome = outcomeOf(forwarder, downstream, { method: 'POST', body: stream });
  body.push(Buffer.alloc(2_000));
  assert.equal((await outcome).kind, 'upstream-failed');
  assert.equal(attempts, 1);
  await forwarder.stop(0);
  await upstream.close();
});

test('the rest of a body is sent after a retry, in order and once', async () => {
  const parts: string[] = [];
  const upstream = await frameUpstream(async (peer, index) => {
    const { streamId } = await peer.next(TYPE.headers);
    if (index === 0) {
      await peer.next(TYPE.data);
      peer.send(goaway(0));
      retried.resolve();
      return;
    }
    for (;;) {
      const { payload, flags } = await peer.next(TYPE.data);
      parts.push(payload.toString());
      if ((flags & FLAG.endStream) !== 0) break;
    }
    peer.send(answer(streamId));
  });
  const retried = Promise.withResolvers<void>();
  const forwarder = forwarderTo('h2c', upstream.port);
  const body = bodyToFeed();
  const downstream = new FakeDownstream({ protocol: 'http2', body: { kind: 'stream', stream: body } });
  const outcome = outcomeOf(forwarder, downstream, { method: 'POST', body: stream });
  body.push(Buffer.from('one '));
  await retried.promise;
  body.push(Buffer.from('two '));
  body.push(Buffer.from('three'));
  body.push(null);
  assert.equal((await outcome).kind, 'forwarded');
  assert.equal(parts.join(''), 'one two three');
  await forwarder.stop(0);
  await upstream.close();
});
