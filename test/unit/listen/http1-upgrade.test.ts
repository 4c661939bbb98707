import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { valueOf } from '../../support/raw-http1-peer.ts';
import { answerOf, Bench, endingOf, fault, until } from './harness.ts';

const HANDSHAKE =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

test('RFC 6455 4.2: a handshake gives the untouched socket, and bytes flow both ways', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(HANDSHAKE);
  const { exchange } = await bench.handler.next('exchange');
  assert.ok(exchange.head.kind === 'http1' && exchange.head.upgrade);
  assert.equal(exchange.head.target, '/chat');
  const given = exchange.upgrade();
  assert.ok(given);
  assert.equal(given.request.url, '/chat');
  assert.equal(given.head.length, 0);
  assert.equal(exchange.upgrade(), undefined, 'once only');
  exchange.respondWhole(500, [], undefined, undefined);
  given.socket.write(SWITCHED);
  assert.equal((await peer.head()).status, 101, 'the exchange itself writes nothing any more');
  peer.send('ping');
  assert.equal(String(await once(given.socket, 'data')), 'ping');
  given.socket.end('pong');
  assert.equal(await peer.rest(), 'pong');
  await until(() => bench.listener.connectionCount === 0);
  assert.deepEqual([exchange.bytesIn, exchange.bytesOut], [4, SWITCHED.length + 4]);
});

test('a refused handshake is answered like any request and closed', async () => {
  await using bench = await Bench.start();
  const outcomes: unknown[] = [];
  bench.handler.onExchange = (exchange) =>
    exchange.refuse(answerOf(fault('policy_denied', '')), (outcome) => outcomes.push(outcome));
  const peer = await bench.raw();
  peer.send(HANDSHAKE);
  const response = await peer.response();
  assert.equal(response.status, 403);
  assert.equal(response.body, 'refused 403');
  assert.equal(valueOf(response, 'connection'), 'close');
  assert.equal(await peer.ended, 'end');
  assert.deepEqual(outcomes, [{ kind: 'refused', status: 403, grpcStatus: undefined }]);
});

test('an agent that declines the handshake is answered with what it said', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => {
    exchange.respondHead(401, ['www-authenticate', 'Basic']);
    exchange.respondData(Buffer.from('who '));
    exchange.respondEnd(undefined, Buffer.from('are you'));
  };
  const peer = await bench.raw();
  peer.send(HANDSHAKE);
  const response = await peer.response();
  assert.equal(response.status, 401);
  assert.equal(response.body, 'who are you');
  assert.equal(await peer.ended, 'end');
});

test('CVE-2026-73548: bytes that come with the handshake are refused, and never a request', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw();
  peer.send(`${HANDSHAKE}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
  const response = await peer.response();
  assert.equal(response.status, 400);
  assert.equal(await peer.ended, 'end');
  assert.deepEqual(bench.handler.faults, ['unreadable upgrade_refused']);
  assert.equal(bench.handler.count('exchange'), 0);
});

test('CVE-2026-73548: bytes that come while the handshake is decided end it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(HANDSHAKE);
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  peer.send('early');
  assert.ok(await bench.works(), 'a whole connection later they have arrived');
  assert.equal(exchange.upgrade(), undefined);
  assert.equal(await ending, 'peer upgrade_refused');
});

test('a handshake behind a request under way is refused after it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\n${HANDSHAKE}`);
  const { exchange } = await bench.handler.next('exchange');
  await bench.handler.next('unreadable');
  exchange.respondWhole(200, [], Buffer.from('first'), undefined);
  assert.equal((await peer.response()).body, 'first');
  assert.equal((await peer.response()).status, 400);
  assert.deepEqual(bench.handler.faults, ['unreadable upgrade_refused']);
});

for (const { name, head } of [
  { name: 'h2c', head: 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n' },
  { name: 'two protocols', head: 'Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n' },
  { name: 'a handshake with a body', head: 'Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n' },
]) {
  test(`RFC 9110 7.8: ${name} is read as the request that it also is`, async () => {
    await using bench = await Bench.start();
    const peer = await bench.raw();
    const body = head.includes('Content-Length') ? 'hi' : '';
    peer.send(`GET /a HTTP/1.1\r\nHost: a\r\n${head}\r\n${body}`);
    const { exchange } = await bench.handler.next('exchange');
    assert.ok(exchange.head.kind === 'http1' && exchange.head.upgrade, 'the handler is told');
    assert.equal(exchange.upgrade(), undefined);
    const response = await peer.response();
    assert.equal(response.body, 'ok');
    // With a body it could not be told whether something came behind it, which would be lost.
    if (body !== '') assert.deepEqual([valueOf(response, 'connection'), await peer.ended], ['close', 'end']);
    else {
      peer.send('GET /b HTTP/1.1\r\nHost: a\r\n\r\n');
      assert.equal((await peer.response()).body, 'ok', 'the connection still speaks HTTP');
    }
  });
}

test('the peer of an upgraded connection goes away: the socket tells it, nobody else', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(HANDSHAKE);
  const { exchange } = await bench.handler.next('exchange');
  exchange.onClosed = () => assert.fail('the forwarder has the socket');
  const given = exchange.upgrade();
  assert.ok(given);
  const closed = once(given.socket, 'close');
  given.socket.resume();
  peer.close();
  await closed;
  assert.deepEqual(bench.handler.faults, []);
});

test('an upgraded connection can be cut', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(HANDSHAKE);
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  exchange.upgrade()?.socket.write(SWITCHED);
  await peer.head();
  exchange.cut(fault('policy_withdrawn', ''));
  assert.equal(await ending, 'us policy_withdrawn');
  await peer.ended;
});

test('a silent tunnel ends by `stream_idle_timeout`', async () => {
  await using bench = await Bench.start({ limits: { streamIdleTimeoutMs: 30 } });
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(HANDSHAKE);
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  exchange.upgrade()?.socket.write(SWITCHED);
  assert.equal(await ending, 'us stream_idle_timeout');
  await peer.ended;
});
