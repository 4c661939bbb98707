import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';

import { fault } from '../../../src/core/model/faults.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import type { TcpExchange } from '../../../src/io/listen/downstream.ts';
import { Bench, closed, identified, until } from './harness.ts';

const TCP = { protocol: 'tcp' as const };

function ending(exchange: TcpExchange): Promise<string> {
  return new Promise((resolve) => (exchange.onClosed = (reason, by) => resolve(`${by} ${reason.code}`)));
}

test('bytes flow both ways after admission, unread, whatever protocol the peer offers', async () => {
  await using bench = await Bench.start(TCP);
  const socket = bench.tls({ ALPNProtocols: ['h2', 'http/1.1'] });
  await once(socket, 'secureConnect');
  assert.equal(socket.alpnProtocol, false);
  socket.write('SSH-2.0-test\r\n');
  assert.equal(String(await once(socket, 'data')), 'SSH-2.0-test\r\n');
  const { exchange } = await bench.handler.next('raw');
  assert.deepEqual([exchange.bytesIn, exchange.bytesOut], [14, 14]);
  assert.equal(exchange.peer.kind, 'identified');
  assert.ok(exchange.receivedAtMs > 0 && exchange.receivedMonotonicMs > 0);
  assert.equal(bench.handler.count('exchange'), 0);
});

test('bytes that came with the handshake are not lost', async () => {
  await using bench = await Bench.start(TCP);
  const socket = bench.tls();
  socket.write('early');
  assert.equal(String(await once(socket, 'data')), 'early');
});

test('one direction may end before the other', async () => {
  await using bench = await Bench.start(TCP);
  bench.handler.onRaw = ({ socket }) => {
    socket.on('end', () => setImmediate(() => socket.end('answer after the end')));
    socket.resume();
  };
  const socket = bench.tls({ allowHalfOpen: true });
  await once(socket, 'secureConnect');
  socket.end('question');
  assert.equal(String(await once(socket, 'data')), 'answer after the end');
  await until(() => bench.listener.connectionCount === 0);
});

test('a rejected peer gets nothing', async () => {
  await using bench = await Bench.start(TCP);
  bench.handler.judge = () => ({ kind: 'rejected', fault: fault('peer_blocked', ''), claimedId: undefined });
  const socket = bench.tls();
  socket.write('x');
  await closed(socket);
  await bench.handler.next('refused');
  assert.deepEqual(bench.handler.faults, ['refused peer_blocked']);
  assert.equal(bench.handler.count('raw'), 0);
});

test('a refusal closes without a byte and is an outcome', async () => {
  await using bench = await Bench.start(TCP);
  const outcomes: Outcome[] = [];
  bench.handler.onRaw = (exchange) => exchange.refuse((outcome) => outcomes.push(outcome));
  const socket = bench.tls();
  let received = 0;
  socket.on('data', (chunk: Buffer) => (received += chunk.length));
  await closed(socket);
  await until(() => outcomes.length === 1);
  assert.deepEqual(outcomes, [{ kind: 'refused', status: 0 }]);
  assert.equal(received, 0);
});

test('a refusal of a peer that has gone is an aborted outcome', async () => {
  await using bench = await Bench.start(TCP);
  bench.handler.onRaw = ({ socket }) => socket.resume();
  const socket = bench.tls();
  const { exchange } = await bench.handler.next('raw');
  socket.destroy();
  await until(() => exchange.socket.destroyed || exchange.socket.readableEnded);
  exchange.socket.destroy();
  await until(() => bench.listener.connectionCount === 0);
  const outcome = await new Promise<Outcome>((resolve) => exchange.refuse(resolve));
  assert.equal(outcome.kind, 'aborted');
});

test('cut: the forwarder hears it once and the peer is gone', async () => {
  await using bench = await Bench.start(TCP);
  const socket = bench.tls();
  const { exchange } = await bench.handler.next('raw');
  const ended = ending(exchange);
  exchange.cut(fault('policy_withdrawn', ''));
  exchange.cut(fault('draining', ''));
  assert.equal(await ended, 'us policy_withdrawn');
  await closed(socket);
  assert.equal(await ending(exchange), 'us policy_withdrawn', 'set late, told late');
});

test('abort: closes without calling back', async () => {
  await using bench = await Bench.start(TCP);
  const socket = bench.tls();
  const { exchange } = await bench.handler.next('raw');
  exchange.onClosed = () => assert.fail('the forwarder knows');
  exchange.abort(fault('upstream_unreachable', ''));
  await closed(socket);
});

test('a peer that ends in order is not told as closed: the socket says it', async () => {
  await using bench = await Bench.start(TCP);
  const socket = bench.tls();
  const { exchange } = await bench.handler.next('raw');
  exchange.onClosed = () => assert.fail('an end in order');
  const end = once(exchange.socket, 'end');
  socket.end('last');
  await end;
  await until(() => bench.listener.connectionCount === 0);
});

test('a peer that resets is told as closed', async () => {
  await using bench = await Bench.start(TCP);
  bench.handler.onRaw = ({ socket }) => socket.on('data', (chunk: Buffer) => socket.write(chunk));
  const under = connect(bench.port, '127.0.0.1');
  const socket = bench.tls({ socket: under });
  const { exchange } = await bench.handler.next('raw');
  const ended = ending(exchange);
  socket.write('ping');
  await once(socket, 'data');
  under.resetAndDestroy();
  assert.equal(await ended, 'peer peer_aborted');
  await until(() => bench.listener.connectionCount === 0);
  assert.deepEqual(bench.problems, []);
});

test('a connection on which no byte moves ends by stream_idle_timeout', async () => {
  await using bench = await Bench.start({ ...TCP, limits: { streamIdleTimeoutMs: 40 } });
  bench.tls();
  const { exchange } = await bench.handler.next('raw');
  assert.equal(await ending(exchange), 'us stream_idle_timeout');
});

test('a peer that does not read is cut', async () => {
  await using bench = await Bench.start({ ...TCP, limits: { streamIdleTimeoutMs: 60 } });
  const socket = bench.tls();
  socket.pause();
  const { exchange } = await bench.handler.next('raw');
  const ended = ending(exchange);
  exchange.socket.write(Buffer.alloc(32 * 1_048_576));
  assert.equal(await ended, 'us peer_not_reading');
});

test('no head and no request deadline holds for bytes', async () => {
  await using bench = await Bench.start({
    ...TCP,
    limits: { headTimeoutMs: 20, requestTimeoutMs: 20, idleTimeoutMs: 20 },
  });
  const socket = bench.tls();
  await bench.handler.next('raw');
  for (let i = 0; i < 20; i++) await bench.clock.swept();
  socket.write('still here');
  assert.equal(String(await once(socket, 'data')), 'still here');
});

test('withdrawn trust and the deadline of a drain end the bytes', async () => {
  await using bench = await Bench.start(TCP);
  bench.tls();
  const first = await bench.handler.next('raw');
  bench.handler.judgeAgain = () => ({ kind: 'rejected', fault: fault('peer_blocked', ''), claimedId: undefined });
  await bench.listener.recheck();
  assert.equal(await ending(first.exchange), 'us peer_blocked');
  bench.handler.judgeAgain = () => identified();
  bench.tls();
  const second = await bench.handler.next('raw');
  await bench.listener.stop(20);
  assert.equal(await ending(second.exchange), 'us draining');
  assert.deepEqual(bench.handler.faults, []);
});
