import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FLAG, frame, getFrame, postFrame, requestBlock, TYPE, uint32 } from '../../support/http2-frame-peer.ts';
import { answerOf, Bench, endingOf, until } from './harness.ts';

const GET = 'GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: agent.test\r\nContent-Length: 10\r\n\r\n';

test('HTTP/1.1: a head that comes too slowly is answered 408, with one record', async () => {
  await using bench = await Bench.start({ limits: { headTimeoutMs: 40 } });
  const peer = await bench.raw();
  peer.send('GET / HTTP/1.1\r\nHo');
  const response = await peer.response();
  assert.equal(response.status, 408);
  await peer.ended;
  assert.deepEqual(bench.handler.faults, ['unreadable request_timeout']);
  assert.ok(await bench.works());
});

test('HTTP/1.1: a second head that comes too slowly, after one that came in time', async () => {
  await using bench = await Bench.start({ limits: { headTimeoutMs: 40 } });
  const peer = await bench.raw();
  peer.send(GET);
  assert.equal((await peer.response()).body, 'ok');
  peer.send('G');
  assert.equal((await peer.response()).status, 408);
  assert.deepEqual(bench.handler.faults, ['unreadable request_timeout']);
});

test('HTTP/1.1: a connection without a byte is closed without one, and told as idle', async () => {
  await using bench = await Bench.start({ limits: { headTimeoutMs: 30 } });
  const peer = await bench.raw();
  assert.equal(await peer.rest(), '');
  assert.deepEqual(bench.handler.faults, ['refused connection_idle_timeout']);
  const { peer: who } = await bench.handler.next('refused');
  assert.equal(who?.kind, 'identified');
});

test('HTTP/1.1: a connection that served and then idles is closed without a record', async () => {
  await using bench = await Bench.start({ limits: { idleTimeoutMs: 40 } });
  const peer = await bench.raw();
  peer.send(GET);
  assert.equal((await peer.response()).body, 'ok');
  assert.equal(await peer.rest(), '');
  assert.deepEqual(bench.handler.faults, []);
});

test('a request under way keeps its connection from idling', async () => {
  await using bench = await Bench.start({ limits: { idleTimeoutMs: 20 } });
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(GET);
  const { exchange } = await bench.handler.next('exchange');
  const other = await bench.raw();
  await other.ended;
  const third = await bench.raw();
  await third.ended;
  exchange.respondWhole(200, [], Buffer.from('late'), undefined);
  assert.equal((await peer.response()).body, 'late');
});

test('HTTP/1.1: a body that comes too slowly fails collecting, and the refusal is written', async () => {
  await using bench = await Bench.start({ limits: { requestTimeoutMs: 40 } });
  bench.handler.onExchange = (exchange) =>
    exchange.collectBody(100, undefined, (collected) => {
      assert.ok('code' in collected);
      exchange.refuse(answerOf(collected), () => undefined);
    });
  const peer = await bench.raw();
  peer.send(`${POST}abc`);
  assert.equal((await peer.response()).status, 408);
  assert.equal(await peer.ended, 'end');
  assert.deepEqual(bench.handler.faults, []);
});

test('HTTP/1.1: a body that comes too slowly ends forwarding by us', async () => {
  await using bench = await Bench.start({ limits: { requestTimeoutMs: 40 } });
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(`${POST}abc`);
  const { exchange } = await bench.handler.next('exchange');
  assert.equal(await endingOf(exchange), 'us request_timeout');
  await peer.ended;
});

test('a request that is complete has no request deadline', async () => {
  await using bench = await Bench.start({ limits: { requestTimeoutMs: 30, idleTimeoutMs: 60 } });
  bench.handler.onExchange = () => undefined;
  const h1 = await bench.raw();
  h1.send(GET);
  const h2 = await bench.frames();
  h2.send(getFrame(1));
  const exchanges = [await bench.handler.next('exchange'), await bench.handler.next('exchange')];
  const idle = await bench.raw();
  await idle.ended;
  for (const { exchange } of exchanges) exchange.respondWhole(200, [], Buffer.from('late'), undefined);
  assert.equal((await h1.response()).body, 'late');
  assert.equal(String((await h2.next(TYPE.data)).payload), 'late');
});

test('HTTP/2: a body that comes too slowly ends forwarding by us; gRPC may take its time', async () => {
  await using bench = await Bench.start({ limits: { requestTimeoutMs: 40 } });
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(postFrame(1, '/grpc', [['content-type', 'application/grpc+proto']]));
  const grpc = await bench.handler.next('exchange');
  const sent = endingOf(grpc.exchange);
  peer.send(postFrame(3, '/plain'));
  const plain = await bench.handler.next('exchange');
  assert.equal(await endingOf(plain.exchange), 'us request_timeout');
  await peer.next(TYPE.rstStream, ({ streamId }) => streamId === 3);
  grpc.exchange.respondWhole(200, [], Buffer.from('still here'), undefined);
  assert.equal(String((await peer.next(TYPE.data)).payload), 'still here');
  assert.equal(await sent, 'sent');
});

test('HTTP/2: a body that comes too slowly fails collecting, and the refusal is written', async () => {
  await using bench = await Bench.start({ limits: { requestTimeoutMs: 40 } });
  bench.handler.onExchange = (exchange) =>
    exchange.collectBody(100, undefined, (collected) => {
      assert.ok('code' in collected);
      exchange.refuse({ ...answerOf(collected), close: false }, () => undefined);
    });
  const peer = await bench.frames();
  peer.send(postFrame(1), frame(TYPE.data, 0, 1, Buffer.from('abc')));
  assert.equal(String((await peer.next(TYPE.data)).payload), 'refused 408');
});

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
  test(`${protocol}: a request on which no byte moves ends by stream_idle_timeout`, async () => {
    await using bench = await Bench.start({ limits: { streamIdleTimeoutMs: 40 } });
    bench.handler.onExchange = () => undefined;
    if (protocol === 'HTTP/1.1') (await bench.raw()).send(GET);
    else (await bench.frames()).send(getFrame(1));
    const { exchange } = await bench.handler.next('exchange');
    assert.equal(await endingOf(exchange), 'us stream_idle_timeout');
    assert.ok(await bench.works());
  });

  test(`${protocol}: a client that never reads its answer is cut`, async () => {
    await using bench = await Bench.start({ limits: { streamIdleTimeoutMs: 60 } });
    bench.handler.onExchange = () => undefined;
    const peer = protocol === 'HTTP/1.1' ? await bench.raw() : await bench.frames();
    peer.send(protocol === 'HTTP/1.1' ? Buffer.from(GET) : getFrame(1));
    const { exchange } = await bench.handler.next('exchange');
    peer.socket.pause();
    const ending = endingOf(exchange);
    exchange.respondWhole(200, [], Buffer.alloc(32 * 1_048_576), undefined);
    assert.equal(await ending, 'us peer_not_reading');
    assert.ok(await bench.works());
  });

  test(`${protocol}: bytes that move now and then keep a request alive`, async () => {
    await using bench = await Bench.start({ limits: { streamIdleTimeoutMs: 10_000, headTimeoutMs: 40 } });
    bench.handler.onExchange = () => undefined;
    if (protocol === 'HTTP/1.1') (await bench.raw()).send(GET);
    else (await bench.frames()).send(getFrame(1));
    const { exchange } = await bench.handler.next('exchange');
    const ending = endingOf(exchange);
    exchange.respondHead(200, []);
    for (let i = 0; i < 5; i++) {
      exchange.respondData(Buffer.from('.'));
      await bench.clock.swept();
      bench.clock.aheadMs += 6_000;
      await bench.clock.swept();
    }
    assert.equal(exchange.bytesOut, 5);
    bench.clock.aheadMs += 6_000;
    assert.equal(await ending, 'us stream_idle_timeout');
  });
}

test('HTTP/2: a header block that does not end is cut after the head timeout, with one record', async () => {
  await using bench = await Bench.start({ limits: { headTimeoutMs: 60 } });
  const peer = await bench.frames({ answersPings: false });
  await peer.roundTrip();
  peer.send(frame(TYPE.headers, FLAG.endStream, 1, requestBlock()));
  await peer.ended;
  await until(() => bench.listener.connectionCount === 0);
  assert.deepEqual(bench.handler.faults, ['unreadable request_timeout']);
  assert.ok(await bench.works());
});

test('HTTP/2: half a frame is cut after the head timeout, behind answered requests too', async () => {
  await using bench = await Bench.start({ limits: { headTimeoutMs: 60 } });
  const peer = await bench.frames({ answersPings: false });
  peer.send(getFrame(1));
  await peer.next(TYPE.data);
  peer.send(getFrame(3).subarray(0, 20));
  await peer.ended;
  await until(() => bench.listener.connectionCount === 0);
  assert.deepEqual(bench.handler.faults, ['unreadable request_timeout']);
});

test('HTTP/2: a peer that is quiet between requests is left alone', async () => {
  await using bench = await Bench.start({ limits: { headTimeoutMs: 30 } });
  const peer = await bench.frames();
  for (const streamId of [1, 3]) {
    peer.send(frame(TYPE.windowUpdate, 0, 0, uint32(1)));
    await peer.next(TYPE.ping, ({ flags }) => (flags & FLAG.ack) === 0);
    const slow = await bench.raw();
    await slow.ended;
    peer.send(getFrame(streamId));
    await peer.next(TYPE.data, (each) => each.streamId === streamId);
  }
  assert.deepEqual(bench.handler.faults, ['refused connection_idle_timeout', 'refused connection_idle_timeout']);
});

test('HTTP/2: a connection without a byte of HTTP/2 is closed and told as idle; half a preface as late', async () => {
  await using bench = await Bench.start({ limits: { headTimeoutMs: 40 } });
  const silent = await bench.frames({ settings: null });
  await silent.ended;
  await bench.handler.next('refused');
  const half = await bench.frames({ settings: null });
  half.send(Buffer.from('PRI * HTTP'));
  await half.ended;
  await bench.handler.next('unreadable');
  assert.deepEqual(bench.handler.faults, ['refused connection_idle_timeout', 'unreadable request_timeout']);
});

test('HTTP/2: a connection without requests idles out, with a record if it never had one', async () => {
  await using bench = await Bench.start({ limits: { idleTimeoutMs: 50 } });
  const never = await bench.frames();
  await never.ended;
  await bench.handler.next('refused');
  const served = await bench.frames();
  served.send(getFrame(1));
  await served.next(TYPE.goaway);
  await served.ended;
  assert.deepEqual(bench.handler.faults, ['refused connection_idle_timeout']);
});
