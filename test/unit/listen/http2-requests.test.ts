import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { test } from 'node:test';

import type { HttpExchange } from '../../../src/io/listen/downstream.ts';
import { connectFrames, FLAG, frame, getFrame, postFrame, requestBlock, TYPE } from '../../support/http2-frame-peer.ts';
import { answerOf, Bench, endingOf, fault, readAll, until } from './harness.ts';
import { answer, ask, connectH2 } from './http2-client.ts';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;
const TEXT = ['content-type', 'text/plain'];

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function repeat(each: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => each));
}

test('a request is handed over with its fields as received, pseudo-header fields first', async () => {
  await using bench = await Bench.start();
  const session = await connectH2(bench);
  const got = await answer(ask(session, { ':path': '/a?b', 'x-one': '1' }));
  const { exchange } = await bench.handler.next('exchange');
  assert.deepEqual(exchange.head, {
    kind: 'http2',
    endStream: true,
    headers: [':path', '/a?b', ':method', 'GET', ':authority', 'agent.test:443', ':scheme', 'https', 'x-one', '1'],
  });
  assert.equal(exchange.body.kind, 'none');
  assert.equal(got.headers[':status'], 200);
  assert.ok(got.headers.date, 'RFC 9110 6.6.1: a Date is sent');
  assert.equal(got.body, 'ok');
  assert.equal(got.rstCode, NGHTTP2_NO_ERROR);
});

test('fields that come twice are handed over twice, crumbs of cookies too', async () => {
  await using bench = await Bench.start();
  const peer = await bench.frames();
  const fields = [
    ['cookie', 'a=1'],
    ['cookie', 'b=2'],
    ['x', '1'],
    ['x', '2'],
  ] as const;
  peer.send(frame(TYPE.headers, FLAG.endStream | FLAG.endHeaders, 1, requestBlock('/', fields)));
  const { exchange } = await bench.handler.next('exchange');
  assert.deepEqual(exchange.head.headers.slice(8), fields.flat());
});

test('RFC 9113 8.1: the last DATA frame of an answer carries END_STREAM', async () => {
  await using bench = await Bench.start();
  const peer = await bench.frames();
  peer.send(getFrame(1));
  const data = await peer.next(TYPE.data);
  assert.equal(data.payload.toString(), 'ok');
  assert.equal(data.flags & FLAG.endStream, FLAG.endStream);
  await peer.roundTrip();
  assert.equal(peer.frames.filter(({ type }) => type === TYPE.data || type === TYPE.headers).length, 2);
});

test('a streamed answer whose length is known ends with its last chunk, without an empty frame', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => {
    exchange.respondHead(200, [...TEXT, 'content-length', '4']);
    exchange.respondData(bytes('ab'));
  };
  const peer = await bench.frames();
  peer.send(getFrame(1));
  const first = await peer.next(TYPE.data);
  const { exchange } = await bench.handler.next('exchange');
  await peer.roundTrip();
  exchange.respondEnd(undefined, bytes('cd'));
  const last = await peer.next(TYPE.data);
  assert.deepEqual([String(first.payload), String(last.payload)], ['ab', 'cd']);
  assert.deepEqual([first.flags, last.flags], [0, FLAG.endStream]);
});

test('gRPC: trailers end the answer, duplicates kept; a trailers-only answer is one frame', async () => {
  await using bench = await Bench.start();
  const session = await connectH2(bench);
  bench.handler.onExchange = (exchange) => {
    exchange.respondHead(200, ['content-type', 'application/grpc']);
    exchange.respondData(bytes('one'));
    exchange.respondEnd(['grpc-status', '0', 'x', '1', 'x', '2'], bytes('two'));
  };
  const streamed = await answer(ask(session, { ':method': 'POST', 'content-type': 'application/grpc' }));
  assert.equal(streamed.body, 'onetwo');
  assert.equal(streamed.trailers?.['grpc-status'], '0');
  assert.equal(streamed.trailers?.['x'], '1, 2');

  bench.handler.onExchange = (exchange) => exchange.respondWhole(200, TEXT, bytes('body'), ['grpc-status', '5']);
  const whole = await answer(ask(session));
  assert.deepEqual([whole.body, whole.trailers?.['grpc-status']], ['body', '5']);

  bench.handler.onExchange = (exchange) => exchange.respondWhole(200, ['grpc-status', '7'], undefined, undefined);
  const peer = await bench.frames();
  peer.send(getFrame(1));
  assert.equal((await peer.next(TYPE.headers)).flags, FLAG.endStream | FLAG.endHeaders);
});

test('an answer that could have had trailers and has none still ends', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => {
    exchange.respondHead(200, TEXT);
    exchange.respondData(bytes('x'));
    exchange.respondEnd(undefined, undefined);
  };
  const session = await connectH2(bench);
  const stream = ask(session);
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  const got = await answer(stream);
  assert.deepEqual([got.body, got.rstCode], ['x', NGHTTP2_NO_ERROR]);
  assert.equal(await ending, 'sent');
});

test('RFC 9110 6.4.1: HEAD, 204 and 304 end with their head', async () => {
  await using bench = await Bench.start();
  const peer = await bench.frames();
  for (const [streamId, method, status] of [
    [1, 'HEAD', 200],
    [3, 'GET', 204],
    [5, 'GET', 304],
  ] as const) {
    let ending: Promise<string> | undefined;
    bench.handler.onExchange = (exchange) => {
      ending = endingOf(exchange);
      exchange.respondHead(status, TEXT);
      exchange.respondData(bytes('dropped'));
      exchange.respondEnd(['x-t', '1'], bytes('too'));
    };
    peer.send(frame(TYPE.headers, FLAG.endStream | FLAG.endHeaders, streamId, requestBlock('/', [], method)));
    const { exchange } = await bench.handler.next('exchange');
    const head = await peer.next(TYPE.headers);
    assert.equal(head.flags & FLAG.endStream, FLAG.endStream, `${method} ${status}`);
    assert.equal(await ending, 'sent');
    assert.equal(exchange.bytesOut, 0);
  }
  await peer.roundTrip();
  assert.equal(peer.frames.filter(({ type }) => type === TYPE.data).length, 0);
});

test('informational answers and 100 (Continue) go before the answer', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => {
    exchange.informational(103, ['link', '</a>', 'link', '</b>']);
    exchange.sendContinue();
    exchange.sendContinue();
    exchange.respondWhole(200, [], undefined, undefined);
  };
  const session = await connectH2(bench);
  const waiting = ask(session, { ':method': 'POST', expect: '100-continue' });
  const got = await answer(waiting);
  assert.deepEqual(
    got.informational.map((each) => each[':status']),
    [103, 100],
  );
  assert.equal(got.informational[0]?.['link'], '</a>, </b>');
  const plain = await answer(ask(session));
  assert.equal(plain.informational.length, 1, '100 only where it is waited for');
});

test('a body is streamed, counted, and its trailers can be read after it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const session = await connectH2(bench);
  const stream = session.request({ ':path': '/', ':method': 'POST' }, { endStream: false, waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '6' }));
  const done = answer(stream);
  stream.end('abcdef');
  const { exchange } = await bench.handler.next('exchange');
  assert.ok(exchange.body.kind === 'stream');
  assert.equal(await readAll(exchange.body.stream), 'abcdef');
  assert.equal(exchange.bytesIn, 6);
  assert.deepEqual(exchange.requestTrailers(), ['x-sum', '6']);
  exchange.respondWhole(200, [], bytes('thanks'), undefined);
  assert.equal((await done).body, 'thanks');
});

test('collecting a body: whole, then in part', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const session = await connectH2(bench);
  const whole = ask(session, { ':method': 'POST' }, false);
  whole.end('abc');
  const first = await bench.handler.next('exchange');
  const collected = await new Promise((resolve) => first.exchange.collectBody(10, undefined, resolve));
  assert.deepEqual(collected, { bytes: bytes('abc'), complete: true });
  assert.deepEqual(first.exchange.body, { kind: 'bytes', bytes: bytes('abc') });

  const part = ask(session, { ':method': 'POST' }, false);
  part.write('abcdef');
  const second = await bench.handler.next('exchange');
  const enough = await new Promise((resolve) => second.exchange.collectBody(10, () => 4, resolve));
  assert.deepEqual(enough, { bytes: bytes('abcdef'), complete: false });
  assert.ok(second.exchange.body.kind === 'stream');
  const rest = readAll(second.exchange.body.stream);
  part.end('gh');
  assert.equal(await rest, 'abcdefgh');
  assert.equal(second.exchange.bytesIn, 8);
});

test('both directions at once, the answer outliving the request and the other way round', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => {
    exchange.respondHead(200, ['content-type', 'application/grpc']);
    if (exchange.body.kind === 'stream') {
      exchange.body.stream.on('data', (chunk: Buffer) => exchange.respondData(chunk));
      exchange.body.stream.on('end', () => exchange.respondEnd(['grpc-status', '0'], undefined));
    }
  };
  const session = await connectH2(bench);
  const stream = ask(session, { ':method': 'POST' }, false);
  const done = answer(stream);
  for (const part of ['a', 'b', 'c']) {
    stream.write(part);
    await once(stream, 'data');
  }
  stream.end();
  const got = await done;
  assert.deepEqual([got.body, got.trailers?.['grpc-status']], ['abc', '0']);
});

for (const { name, trailers } of [
  { name: 'without trailers', trailers: undefined },
  { name: 'with trailers', trailers: ['grpc-status', '0'] },
]) {
  test(`an answer before the end of the request, ${name}, is sent when it is out, and the rest thrown away`, async () => {
    await using bench = await Bench.start();
    bench.handler.onExchange = () => undefined;
    const peer = await bench.frames();
    peer.send(postFrame(1), frame(TYPE.data, 0, 1, bytes('part')));
    const { exchange } = await bench.handler.next('exchange');
    const ending = endingOf(exchange);
    if (exchange.body.kind === 'stream') exchange.body.stream.on('data', () => undefined).resume();
    await until(() => exchange.bytesIn === 4);
    exchange.respondHead(200, trailers === undefined ? ['content-length', '5'] : []);
    exchange.respondEnd(trailers, bytes('early'));
    assert.equal((await peer.next(TYPE.data)).payload.toString(), 'early');
    assert.equal(await ending, 'sent');
    peer.send(repeat(frame(TYPE.data, 0, 1, Buffer.alloc(16_000)), 3));
    await until(() => exchange.bytesIn === 48_004);
    await peer.roundTrip();
    assert.equal(peer.frames.filter(({ type }) => type === TYPE.rstStream).length, 0, 'time to see the answer');
    peer.send(frame(TYPE.data, FLAG.endStream, 1));
    await peer.roundTrip();
    peer.send(getFrame(3));
    const next = await bench.handler.next('exchange');
    next.exchange.respondWhole(200, [], bytes('next'), undefined);
    assert.equal(String((await peer.next(TYPE.data, ({ streamId }) => streamId === 3)).payload), 'next');
  });
}

test('RFC 9113 8.1: a peer that goes on sending after its answer is asked to stop with NO_ERROR', async () => {
  await using bench = await Bench.start();
  const peer = await bench.frames();
  peer.send(postFrame(1));
  assert.equal(String((await peer.next(TYPE.data)).payload), 'ok');
  const reset = await peer.next(TYPE.rstStream);
  assert.equal(reset.payload.readUInt32BE(0), NGHTTP2_NO_ERROR);
});

test('a refusal: answered on its stream, the connection lives on; with `close` it takes no more', async () => {
  await using bench = await Bench.start();
  const session = await connectH2(bench);
  const outcomes: unknown[] = [];
  const refuseWith = (code: 'policy_denied' | 'framing_ambiguous') => (exchange: HttpExchange) =>
    exchange.refuse(answerOf(fault(code, '')), (outcome) => outcomes.push(outcome));
  bench.handler.onExchange = refuseWith('policy_denied');
  const denied = await answer(ask(session));
  assert.deepEqual([denied.headers[':status'], denied.body], [403, 'refused 403']);
  assert.equal(session.closed, false);
  bench.handler.onExchange = refuseWith('framing_ambiguous');
  const closing = await answer(ask(session));
  assert.equal(closing.headers[':status'], 400);
  await until(() => session.closed);
  await until(() => outcomes.length === 2);
  assert.deepEqual(outcomes, [
    { kind: 'refused', status: 403, grpcStatus: undefined },
    { kind: 'refused', status: 400, grpcStatus: undefined },
  ]);
});

test('a refusal with an unread body is over when its answer is out', async () => {
  await using bench = await Bench.start();
  const outcomes: unknown[] = [];
  bench.handler.onExchange = (exchange) =>
    exchange.collectBody(3, undefined, () =>
      exchange.refuse(answerOf(fault('policy_denied', '')), (outcome) => outcomes.push(outcome)),
    );
  const peer = await bench.frames();
  peer.send(postFrame(1), frame(TYPE.data, 0, 1, bytes('abcdef')));
  assert.equal(String((await peer.next(TYPE.data)).payload), 'refused 403');
  await until(() => outcomes.length === 1);
  assert.deepEqual(outcomes, [{ kind: 'refused', status: 403, grpcStatus: undefined }]);
});

test('a refusal with status 0 resets the stream', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) =>
    exchange.refuse({ ...answerOf(fault('flood', '')), status: 0 }, () => undefined);
  const got = await answer(ask(await connectH2(bench)));
  assert.equal(got.headers[':status'], undefined);
  assert.equal(got.rstCode, NGHTTP2_CANCEL);
});

test('a stream that the peer resets: told once, others on the connection go on', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const session = await connectH2(bench);
  const first = ask(session, { ':path': '/1' });
  const second = ask(session, { ':path': '/2' });
  const one = await bench.handler.next('exchange');
  const two = await bench.handler.next('exchange');
  const ending = endingOf(one.exchange);
  first.close(NGHTTP2_CANCEL);
  assert.equal(await ending, 'peer peer_aborted');
  two.exchange.respondWhole(200, [], bytes('alive'), undefined);
  assert.equal((await answer(second)).body, 'alive');
});

test('a connection that goes away ends all that is open on it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const session = await connectH2(bench);
  ask(session);
  ask(session);
  const endings = [
    endingOf((await bench.handler.next('exchange')).exchange),
    endingOf((await bench.handler.next('exchange')).exchange),
  ];
  session.destroy();
  assert.deepEqual(await Promise.all(endings), ['peer peer_aborted', 'peer peer_aborted']);
  assert.deepEqual(bench.handler.faults, []);
});

test('abort resets the stream with INTERNAL_ERROR, cut tells the forwarder that we did it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const session = await connectH2(bench);
  const aborting = answer(ask(session));
  const first = await bench.handler.next('exchange');
  first.exchange.onClosed = () => assert.fail('the forwarder knows');
  first.exchange.respondHead(200, TEXT);
  first.exchange.respondData(bytes('half'));
  first.exchange.abort(fault('upstream_aborted', ''));
  assert.equal((await aborting).rstCode, NGHTTP2_INTERNAL_ERROR);

  const cutting = answer(ask(session));
  const second = await bench.handler.next('exchange');
  const ending = endingOf(second.exchange);
  second.exchange.cut(fault('policy_withdrawn', ''));
  assert.equal(await ending, 'us policy_withdrawn');
  assert.equal((await cutting).rstCode, NGHTTP2_CANCEL);
  assert.equal(session.closed, false);
});

for (const [title, end] of [
  ['aborted, because the agent died', (exchange: HttpExchange) => exchange.abort(fault('upstream_aborted', ''))],
  ['cut by us', (exchange: HttpExchange) => exchange.cut(fault('policy_withdrawn', ''))],
] as const) {
  test(`RFC 9113 8.1: an answer that is ${title} never looks complete: RST_STREAM and no END_STREAM`, async () => {
    await using bench = await Bench.start();
    bench.handler.onExchange = () => undefined;
    const peer = await bench.frames();
    peer.send(getFrame(1));
    const { exchange } = await bench.handler.next('exchange');
    exchange.respondHead(200, TEXT);
    exchange.respondData(bytes('half'));
    const data = await peer.next(TYPE.data);
    assert.equal(data.payload.toString(), 'half');
    assert.equal(data.flags & FLAG.endStream, 0);
    end(exchange);
    const reset = await peer.next(TYPE.rstStream);
    assert.equal(reset.payload.readUInt32BE(0), NGHTTP2_INTERNAL_ERROR);
    const ended = peer.frames.filter(({ type, flags }) => type === TYPE.data && (flags & FLAG.endStream) !== 0);
    assert.deepEqual(ended, []);
  });
}

test('a peer that does not read: the forwarder is told to stop, and to go on', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const session = await connectH2(bench);
  const stream = ask(session);
  const { exchange } = await bench.handler.next('exchange');
  exchange.respondHead(200, TEXT);
  const chunk = Buffer.alloc(32_768, 'x');
  let sent = 0;
  do sent += chunk.length;
  while (exchange.respondData(chunk));
  const drained = new Promise<void>((resolve) => (exchange.onDrain = resolve));
  const done = answer(stream);
  await drained;
  exchange.respondEnd(undefined, undefined);
  assert.equal((await done).body.length, sent);
});

test('an answer that cannot be written ends the exchange as the fault of the agent', async () => {
  await using bench = await Bench.start();
  const session = await connectH2(bench);
  const bad: readonly ((exchange: HttpExchange) => void)[] = [
    (exchange) => exchange.respondWhole(200, ['connection', 'close'], undefined, undefined),
    (exchange) => exchange.respondHead(700, []),
    (exchange) => exchange.respondHead(200, ['x y', '1']),
    (exchange) => exchange.informational(103, ['connection', 'x']),
    (exchange) => exchange.respondWhole(200, [], bytes('x'), [':status', '200']),
  ];
  for (const write of bad) {
    bench.handler.onExchange = () => undefined;
    const done = answer(ask(session));
    const { exchange } = await bench.handler.next('exchange');
    const ending = endingOf(exchange);
    write(exchange);
    assert.equal(await ending, 'us upstream_protocol_error');
    assert.equal((await done).rstCode, NGHTTP2_INTERNAL_ERROR);
  }
});

test('an exchange that has ended takes everything and does nothing', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const session = await connectH2(bench);
  const stream = ask(session);
  const { exchange } = await bench.handler.next('exchange');
  stream.close(NGHTTP2_CANCEL);
  assert.equal(await endingOf(exchange), 'peer peer_aborted');
  exchange.sendContinue();
  exchange.informational(103, []);
  exchange.respondHead(200, []);
  exchange.respondWhole(200, [], undefined, undefined);
  assert.equal(exchange.respondData(bytes('x')), true);
  exchange.respondEnd(['a', 'b'], bytes('x'));
  exchange.abort(fault('upstream_aborted', ''));
  exchange.cut(fault('draining', ''));
  assert.equal(exchange.upgrade(), undefined);
  assert.equal(await endingOf(exchange), 'peer peer_aborted');
});

test('settings say what the limits are', async () => {
  await using bench = await Bench.start({
    limits: { concurrentStreams: 7, headerBytes: 5_000, streamWindowBytes: 70_000, connectionWindowBytes: 200_000 },
  });
  const peer = await connectFrames({ port: bench.port, tls: bench.clientTls() });
  bench.keep(peer);
  const { payload } = await peer.next(TYPE.settings, ({ flags }) => (flags & FLAG.ack) === 0);
  const sent = new Map<number, number>();
  for (let at = 0; at < payload.length; at += 6) sent.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  assert.deepEqual([sent.get(3), sent.get(4), sent.get(6)], [7, 70_000, 5_000]);
  const window = await peer.next(TYPE.windowUpdate, ({ streamId }) => streamId === 0);
  assert.equal(window.payload.readUInt32BE(0), 200_000 - 65_535);
});
