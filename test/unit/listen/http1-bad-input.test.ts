import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';

import { valueOf } from '../../support/raw-http1-peer.ts';
import { answerOf, Bench, endingOf, fault, until } from './harness.ts';

type Case = {
  readonly name: string;
  readonly bytes: string;
  readonly status: number;
  readonly code: string;
  readonly limits?: { readonly headerBytes?: number; readonly targetBytes?: number };
};

const HOST = 'Host: agent.test\r\n';

/** What llhttp refuses: each gets one record, the answer of the handler and a closed connection. */
const UNREADABLE: readonly Case[] = [
  { name: 'RFC 9112 3: no request line', bytes: '\u0001\u0002\r\n\r\n', status: 400, code: 'request_malformed' },
  {
    name: 'RFC 9112 3: an unknown method',
    bytes: `BREW / HTTP/1.1\r\n${HOST}\r\n`,
    status: 400,
    code: 'request_malformed',
  },
  { name: 'RFC 9112 2.3: HTTP/1.2', bytes: `GET / HTTP/1.2\r\n${HOST}\r\n`, status: 400, code: 'request_malformed' },
  { name: 'RFC 9112 2.2: bare LF', bytes: `GET / HTTP/1.1\n${HOST}\n`, status: 400, code: 'request_malformed' },
  {
    name: 'RFC 9112 5.1: space before the colon',
    bytes: `GET / HTTP/1.1\r\nHost : a\r\n\r\n`,
    status: 400,
    code: 'request_malformed',
  },
  {
    name: 'RFC 9112 5.2: obs-fold',
    bytes: `GET / HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`,
    status: 400,
    code: 'request_malformed',
  },
  {
    name: 'RFC 9110 5.5: NUL in a value',
    bytes: `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`,
    status: 400,
    code: 'request_malformed',
  },
  {
    name: 'RFC 9110 5.1: a name that is no token',
    bytes: `GET / HTTP/1.1\r\n${HOST}X(a): b\r\n\r\n`,
    status: 400,
    code: 'request_malformed',
  },
  {
    name: 'RFC 9112 6.3: two lengths',
    bytes: `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx`,
    status: 400,
    code: 'request_malformed',
  },
  {
    name: 'RFC 9112 6.1: length and chunks',
    bytes: `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 400,
    code: 'request_malformed',
  },
  {
    name: 'an HTTP/2 preface on HTTP/1.1',
    bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    status: 400,
    code: 'request_malformed',
  },
  {
    name: 'RFC 6585 5: a head past its limit',
    bytes: `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(9_000)}\r\n\r\n`,
    status: 431,
    code: 'headers_too_large',
    limits: { headerBytes: 2_048, targetBytes: 1_024 },
  },
  { name: 'a head that ends in the middle', bytes: 'GET / HTTP/1.1\r\nHos', status: 400, code: 'request_malformed' },
];

for (const { name, bytes, status, code, limits } of UNREADABLE) {
  test(`${name}: ${status} and one record`, async () => {
    await using bench = await Bench.start(limits === undefined ? {} : { limits });
    const peer = await bench.raw();
    peer.send(bytes);
    if (code === 'request_malformed' && !bytes.includes('\n\r\n') && !bytes.includes('\n\n')) peer.socket.end();
    const response = await peer.response();
    assert.equal(response.status, status);
    assert.equal(response.body, `refused ${status}`);
    assert.equal(valueOf(response, 'connection'), 'close');
    assert.ok(valueOf(response, 'date'));
    await peer.ended;
    assert.deepEqual(bench.handler.faults, [`unreadable ${code}`]);
    assert.equal(bench.handler.count('exchange'), 0);
    assert.ok(await bench.works());
  });
}

test('bytes after an unreadable request are not looked at', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw();
  peer.send(`GET / HTTP/9.9\r\n\r\n`);
  assert.equal((await peer.response()).status, 400);
  for (let i = 0; i < 20; i++) peer.send(`GET /${i} HTTP/1.1\r\n${HOST}\r\n`);
  await peer.ended;
  assert.deepEqual(bench.handler.faults, ['unreadable request_malformed']);
  assert.equal(bench.handler.count('exchange'), 0);
});

test('an unreadable request behind one under way is answered after it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(`GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/9.9\r\n\r\n`);
  const { exchange } = await bench.handler.next('exchange');
  await bench.handler.next('unreadable');
  exchange.respondWhole(200, [], Buffer.from('first'), undefined);
  assert.equal((await peer.response()).body, 'first');
  assert.equal((await peer.response()).status, 400);
  assert.equal(await peer.ended, 'end');
  assert.deepEqual(bench.handler.faults, ['unreadable request_malformed']);
});

for (const { name, body } of [
  { name: 'a chunk size that is none', body: 'zz\r\nabc\r\n' },
  { name: 'a chunk longer than its size', body: '2\r\nabc\r\n' },
  { name: 'a bare LF after a chunk', body: '2\r\nab\n' },
  { name: 'a trailer that is no field', body: '0\r\nbad trailer\r\n\r\n' },
  { name: 'chunk extensions without end', body: `2;${'x'.repeat(20_000)}\r\nab\r\n` },
]) {
  test(`RFC 9112 7.1: ${name}: collecting fails, the refusal is written, no second record`, async () => {
    await using bench = await Bench.start();
    bench.handler.onExchange = (exchange) =>
      exchange.collectBody(1_000, undefined, (collected) => {
        assert.ok('code' in collected);
        exchange.refuse(answerOf(collected), () => undefined);
      });
    const peer = await bench.raw();
    peer.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${body}`);
    const response = await peer.response();
    assert.equal(response.status, 400);
    assert.equal(valueOf(response, 'connection'), 'close');
    assert.equal(await peer.ended, 'end');
    assert.deepEqual(bench.handler.faults, []);
    assert.ok(await bench.works());
  });

  test(`RFC 9112 7.1: ${name}: forwarding ends by the peer's fault`, async () => {
    await using bench = await Bench.start();
    bench.handler.onExchange = () => undefined;
    const peer = await bench.raw();
    peer.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`);
    const { exchange } = await bench.handler.next('exchange');
    const ending = endingOf(exchange);
    peer.send(body);
    assert.equal(await ending, 'peer request_malformed');
    await peer.ended;
    assert.deepEqual(bench.handler.faults, []);
  });
}

test('a body that breaks before anyone wants it is told to whoever comes first', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const collecting = await bench.raw();
  const bad = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`;
  collecting.send(bad);
  const first = await bench.handler.next('exchange');
  const collected = await new Promise((resolve) => first.exchange.collectBody(10, undefined, resolve));
  assert.equal((collected as { code: string }).code, 'request_malformed');
  const forwarding = await bench.raw();
  forwarding.send(bad);
  const second = await bench.handler.next('exchange');
  assert.equal(await endingOf(second.exchange), 'peer request_malformed');
});

test('a body over `bodyBytes` ends the exchange', async () => {
  await using bench = await Bench.start({ limits: { bodyBytes: 10 } });
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n`);
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  peer.send('8\r\n12345678\r\n');
  assert.equal(await ending, 'us body_too_large');
});

function fields(count: number): string {
  return Array.from({ length: count }, (_, i) => `X-${i}: 1\r\n`).join('');
}

test('more fields than allowed are never dropped in silence', async () => {
  await using bench = await Bench.start({ limits: { headerCount: 20 } });
  const oneOver = await bench.raw();
  oneOver.send(`GET / HTTP/1.1\r\n${HOST}${fields(20)}\r\n`);
  const { exchange } = await bench.handler.next('exchange');
  assert.equal(exchange.head.headers.length / 2, 21, 'for the handler to refuse');
  for (const count of [21, 40, 500]) {
    const over = await bench.raw();
    over.send(`GET / HTTP/1.1\r\n${HOST}${fields(count)}\r\n`);
    assert.equal((await over.response()).status, 431);
    assert.equal((await bench.handler.next('unreadable')).fault.code, 'headers_too_large');
  }
});

test('more trailer fields than allowed are the end of the body', async () => {
  await using bench = await Bench.start({ limits: { headerCount: 20 } });
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n${'X: 1\r\n'.repeat(50)}\r\n`);
  const { exchange } = await bench.handler.next('exchange');
  const collected = await new Promise((resolve) => exchange.collectBody(10, undefined, resolve));
  assert.equal((collected as { code: string }).code, 'headers_too_large');
});

test('1,400 names that look like array indexes do not hold up the process', async () => {
  await using bench = await Bench.start({ limits: { headerCount: 2_000, headerBytes: 200_000 } });
  const peer = await bench.raw();
  peer.send(`GET / HTTP/1.1\r\n${HOST}${Array.from({ length: 1_400 }, (_, i) => `${i * 65_536}: 1\r\n`).join('')}\r\n`);
  const { exchange } = await bench.handler.next('exchange');
  assert.equal(exchange.head.headers.length / 2, 1_401);
  assert.equal((await peer.response()).status, 200);
});

test('RFC 9112 3.2: a missing Host is left to the handler', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw();
  peer.send('GET / HTTP/1.1\r\n\r\n');
  assert.equal((await peer.response()).status, 200);
  const { exchange } = await bench.handler.next('exchange');
  assert.deepEqual(exchange.head.headers, []);
});

test('RFC 9110 9.3.6: CONNECT is handed over, answered and closed, never silent', async () => {
  await using bench = await Bench.start();
  const outcomes: unknown[] = [];
  bench.handler.onExchange = (exchange) =>
    exchange.refuse(answerOf(fault('method_refused', '')), (outcome) => outcomes.push(outcome));
  const peer = await bench.raw();
  peer.send(`CONNECT db:5432 HTTP/1.1\r\n${HOST}\r\nearly bytes`);
  const response = await peer.response();
  assert.equal(response.status, 405);
  assert.equal(await peer.ended, 'end');
  const { exchange } = await bench.handler.next('exchange');
  assert.equal('method' in exchange.head && exchange.head.method, 'CONNECT');
  assert.equal(exchange.upgrade(), undefined);
  assert.deepEqual(outcomes, [{ kind: 'refused', status: 405, grpcStatus: undefined }]);
});

test('a connection that is reset says nothing and disturbs nobody', async () => {
  await using bench = await Bench.start();
  const socket = connect(bench.port, '127.0.0.1');
  const peer = await bench.raw({ socket });
  peer.send('GET / HT');
  await until(() => bench.listener.connectionCount === 1);
  socket.resetAndDestroy();
  await until(() => bench.listener.connectionCount === 0);
  assert.ok(await bench.works());
  assert.deepEqual(bench.problems, []);
});

test('a handler that throws costs the connection, not the process', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => {
    throw new Error('a bug');
  };
  const peer = await bench.raw();
  peer.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  assert.equal(await peer.rest(), '');
  assert.equal(bench.problems.length, 1);
  assert.ok(await bench.works());
});
