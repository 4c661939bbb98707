import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';

import { valueOf } from '../../support/raw-http1-peer.ts';
import { CODE, codeOf, getFrame, TYPE } from '../../support/http2-frame-peer.ts';
import { Bench, closed, endingOf, until } from './harness.ts';

const GET = 'GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n';
const LONG_MS = 60_000;

test('an idle listener stops at once, twice if asked twice, and refuses connections', async () => {
  await using bench = await Bench.start();
  await Promise.all([bench.listener.stop(LONG_MS), bench.listener.stop(LONG_MS)]);
  const socket = connectTcp(bench.port, '127.0.0.1');
  const code = await new Promise((resolve) => socket.on('error', (error) => resolve('code' in error && error.code)));
  assert.equal(code, 'ECONNREFUSED');
});

test('a listener that never started stops', async () => {
  await new Bench().listener.stop(LONG_MS);
});

test('start fails when the address is taken or the key is none', async () => {
  await using bench = await Bench.start();
  const taken = new Bench();
  const listener = (settings: typeof bench.settings): Promise<unknown> =>
    import('../../../src/io/listen/listener.ts').then(({ createListener }) =>
      createListener(settings, {
        handler: taken.handler,
        clock: taken.clock,
        random: (length) => new Uint8Array(length),
        problem: () => undefined,
      }).start(),
    );
  await assert.rejects(listener({ ...bench.settings, port: bench.port }), { code: 'EADDRINUSE' });
  await assert.rejects(listener({ ...bench.settings, tls: { ...bench.settings.tls, privateKey: 'none' } }));
});

test('HTTP/1.1: idle connections close at once, a request under way is finished and closed with it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const idle = await bench.raw();
  const busy = await bench.raw();
  busy.send(GET);
  const { exchange } = await bench.handler.next('exchange');
  await until(() => bench.listener.connectionCount === 2);
  const stopped = bench.listener.stop(LONG_MS);
  assert.equal(await idle.rest(), '');
  exchange.respondWhole(200, [], Buffer.from('finished'), undefined);
  const response = await busy.response();
  assert.equal(response.body, 'finished');
  assert.equal(valueOf(response, 'connection'), 'close');
  await busy.ended;
  await stopped;
  assert.equal(bench.listener.connectionCount, 0);
});

test('HTTP/1.1: an answer that had begun before the drain is finished, then the connection closes', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => {
    exchange.respondHead(200, []);
    exchange.respondData(Buffer.from('half '));
  };
  const peer = await bench.raw();
  peer.send(GET);
  await peer.until('half ');
  const { exchange } = await bench.handler.next('exchange');
  const stopped = bench.listener.stop(LONG_MS);
  exchange.respondEnd(undefined, Buffer.from('done'));
  assert.match(await peer.rest(), /done\r\n0\r\n\r\n$/);
  await stopped;
});

test('RFC 9113 6.8: GOAWAY names the last request taken; those are finished, later ones not begun', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(getFrame(1), getFrame(3));
  const first = await bench.handler.next('exchange');
  const second = await bench.handler.next('exchange');
  const stopped = bench.listener.stop(LONG_MS);
  const goaway = await peer.next(TYPE.goaway);
  assert.deepEqual([goaway.payload.readUInt32BE(0), codeOf(goaway)], [3, CODE.noError]);
  peer.send(getFrame(5));
  for (const { exchange } of [second, first]) exchange.respondWhole(200, [], Buffer.from('finished'), undefined);
  assert.equal(String((await peer.next(TYPE.data)).payload), 'finished');
  assert.equal(String((await peer.next(TYPE.data)).payload), 'finished');
  await stopped;
  assert.equal(bench.handler.count('exchange'), 2);
  assert.deepEqual(bench.handler.faults, []);
});

test('HTTP/2: an idle connection gets its GOAWAY and closes', async () => {
  await using bench = await Bench.start();
  const peer = await bench.frames();
  peer.send(getFrame(1));
  await peer.next(TYPE.data);
  await Promise.all([bench.listener.stop(LONG_MS), peer.next(TYPE.goaway), peer.ended]);
  assert.deepEqual(bench.handler.faults, []);
});

test('a peer that keeps its half open is not waited for', async () => {
  await using bench = await Bench.start({ limits: { headTimeoutMs: 40 } });
  const socket = bench.tls({ ALPNProtocols: ['http/1.1'], allowHalfOpen: true });
  await until(() => bench.listener.connectionCount === 1);
  socket.write(GET);
  await bench.handler.next('exchange');
  await bench.clock.swept();
  const stopped = bench.listener.stop(LONG_MS);
  await bench.clock.swept();
  bench.clock.aheadMs += 3_000;
  await stopped;
});

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
  test(`${protocol}: what is not finished by the deadline is cut with \`draining\``, async () => {
    await using bench = await Bench.start();
    bench.handler.onExchange = () => undefined;
    const peer = protocol === 'HTTP/1.1' ? await bench.raw() : await bench.frames();
    peer.send(protocol === 'HTTP/1.1' ? Buffer.from(GET) : getFrame(1));
    const { exchange } = await bench.handler.next('exchange');
    const ending = endingOf(exchange);
    await bench.listener.stop(20);
    assert.equal(await ending, 'us draining');
    await peer.ended;
    assert.deepEqual(bench.handler.faults, []);
  });
}

test('a peer that neither reads nor closes does not hold up the stop', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => exchange.respondWhole(200, [], Buffer.alloc(8_000_000), undefined);
  const h1 = await bench.raw();
  h1.send(GET);
  const h2 = await bench.frames();
  h2.send(getFrame(1));
  await bench.handler.next('exchange');
  await bench.handler.next('exchange');
  h1.socket.pause();
  h2.socket.pause();
  await bench.listener.stop(20);
  assert.equal(bench.listener.connectionCount, 0);
});

test('a handshake under way is given up, and told as draining', async () => {
  await using bench = await Bench.start({ limits: { handshakeTimeoutMs: 100_000 } });
  const socket = connectTcp(bench.port, '127.0.0.1');
  socket.on('error', () => undefined);
  const done = closed(socket);
  const other = await bench.raw();
  await until(() => bench.listener.connectionCount === 1);
  await bench.listener.stop(20);
  await done;
  await other.ended;
  const told = bench.handler.faults.filter((each) => each === 'refused draining');
  assert.equal(told.length, 1);
});

test('promise 3: a handshake that is given up is told before the listener has stopped', async () => {
  await using bench = await Bench.start();
  const sockets = Array.from({ length: 8 }, () => connectTcp(bench.port, '127.0.0.1'));
  for (const socket of sockets) socket.on('error', () => undefined);
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  // Connections are accepted in order: when this one has been admitted, the others are in their handshake.
  const last = await bench.raw();
  await bench.handler.next('admit');
  last.close();
  await until(() => bench.listener.connectionCount === 0);
  await bench.listener.stop(LONG_MS);
  assert.deepEqual(
    bench.handler.faults,
    sockets.map(() => 'refused draining'),
  );
  for (const socket of sockets) socket.destroy();
});

test('HTTP/1.1: one who is to go elsewhere gets his next answer, and the end of the connection with it', async () => {
  await using bench = await Bench.start();
  const idle = await bench.raw();
  idle.send(GET);
  assert.equal(valueOf(await idle.response(), 'connection'), 'keep-alive');
  bench.listener.retire();
  await bench.clock.swept();
  idle.send(GET);
  const last = await idle.response();
  assert.deepEqual([last.status, valueOf(last, 'connection')], [200, 'close']);
  await idle.ended;
  const late = await bench.raw();
  await until(() => bench.listener.connectionCount === 1);
  await bench.clock.swept();
  late.send(GET);
  assert.equal(valueOf(await late.response(), 'connection'), 'close');
  assert.deepEqual(bench.handler.faults, []);
});

test('RFC 9113 6.8: one who is to go elsewhere gets a GOAWAY, the answer to what is open, and a connection anew', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(getFrame(1));
  const { exchange } = await bench.handler.next('exchange');
  bench.listener.retire();
  const goaway = await peer.next(TYPE.goaway);
  assert.deepEqual([goaway.payload.readUInt32BE(0), codeOf(goaway)], [1, CODE.noError]);
  const late = await bench.frames();
  late.send(getFrame(1));
  const second = await bench.handler.next('exchange');
  await late.next(TYPE.goaway);
  for (const each of [exchange, second.exchange]) each.respondWhole(200, [], Buffer.from('finished'), undefined);
  assert.equal(String((await peer.next(TYPE.data)).payload), 'finished');
  assert.equal(String((await late.next(TYPE.data)).payload), 'finished');
  await Promise.all([peer.ended, late.ended]);
  assert.deepEqual(bench.handler.faults, []);
});

test('a listener that never started is retired', () => {
  new Bench().listener.retire();
});
