import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { HttpExchange } from '../../../src/io/listen/downstream.ts';
import { valueOf } from '../../support/raw-http1-peer.ts';
import { answerOf, Bench, endingOf, fault, readAll, until } from './harness.ts';

const GET = 'GET /a?b HTTP/1.1\r\nHost: agent.test\r\nX-Mixed: Case\r\n\r\n';
const TEXT = ['content-type', 'text/plain'];

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

test('a request is handed over with its head exactly as received', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw();
  peer.send(GET);
  const response = await peer.response();
  const { exchange } = await bench.handler.next('exchange');
  assert.deepEqual(exchange.head, {
    kind: 'http1',
    version: '1.1',
    method: 'GET',
    target: '/a?b',
    headers: ['Host', 'agent.test', 'X-Mixed', 'Case'],
    upgrade: false,
  });
  assert.equal(exchange.body.kind, 'none');
  assert.equal(exchange.peer.kind, 'identified');
  assert.equal(response.statusLine, 'HTTP/1.1 200 OK');
  assert.deepEqual(response.body, 'ok');
  assert.equal(valueOf(response, 'content-length'), '2');
  assert.ok(valueOf(response, 'date'), 'RFC 9110 6.6.1: a Date is sent');
});

test('RFC 9110 6.6.1: a Date that the agent sent is kept and not doubled', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) =>
    exchange.respondWhole(200, ['date', 'Mon, 01 Jan 2024 00:00:00 GMT'], bytes('x'), undefined);
  const peer = await bench.raw();
  peer.send(GET);
  const { headers } = await peer.response();
  const dates = headers.filter(([name]) => name.toLowerCase() === 'date');
  assert.deepEqual(dates, [['date', 'Mon, 01 Jan 2024 00:00:00 GMT']]);
});

test('one connection serves many requests', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw();
  for (let i = 0; i < 3; i++) {
    peer.send(GET);
    assert.equal((await peer.response()).body, 'ok');
  }
  assert.equal(bench.handler.count('admit'), 1);
  assert.equal(bench.handler.count('exchange'), 3);
});

test('RFC 9112 9.3.2: pipelined requests are answered in order and taken one at a time', async () => {
  await using bench = await Bench.start();
  const waiting: HttpExchange[] = [];
  bench.handler.onExchange = (exchange) => waiting.push(exchange);
  const peer = await bench.raw();
  peer.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const expected of ['/1', '/2', '/3']) {
    const { exchange } = await bench.handler.next('exchange');
    assert.equal(waiting.length, 1, 'the next one waits');
    waiting.pop();
    assert.equal('target' in exchange.head && exchange.head.target, expected);
    exchange.respondWhole(200, TEXT, bytes(expected), undefined);
    assert.equal((await peer.response()).body, expected);
  }
});

test('more pipelined requests than may wait are a flood: the connection ends, others go on', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3_000));
  await peer.ended;
  const { exchange } = await bench.handler.next('exchange');
  assert.equal(await endingOf(exchange), 'us flood');
  assert.deepEqual(bench.handler.faults, ['refused flood']);
  assert.ok(await bench.works());
});

test('pipelined requests that wait stop the reading, so that no number of them piles up', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  const requests = 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(600);
  peer.send(requests);
  const { exchange } = await bench.handler.next('exchange');
  peer.send(requests);
  assert.ok(await bench.works(), 'time enough to read them');
  assert.deepEqual(bench.handler.faults, [], 'more than may wait');
  bench.handler.onExchange = (next) => next.respondWhole(200, [], bytes('ok'), undefined);
  exchange.respondWhole(200, [], bytes('ok'), undefined);
  for (let i = 0; i < 1_200; i++) assert.equal((await peer.response()).body, 'ok');
});

test('RFC 9112 9.6: `Connection: close` ends the connection after the answer', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw();
  peer.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
  const response = await peer.response();
  assert.equal(valueOf(response, 'connection'), 'close');
  assert.equal(await peer.ended, 'end');
  assert.equal(bench.handler.count('exchange'), 1, 'what comes after is not begun');
});

test('HTTP/1.0: answered without chunks and closed, kept open only when asked', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => {
    exchange.informational(103, ['link', '</a>']);
    exchange.respondHead(200, TEXT);
    exchange.respondData(bytes('ab'));
    exchange.respondEnd(['x-trailer', '1'], bytes('cd'));
  };
  const peer = await bench.raw();
  peer.send('GET / HTTP/1.0\r\n\r\n');
  const response = await peer.response();
  assert.equal(valueOf(response, 'transfer-encoding'), undefined);
  assert.equal(response.status, 200, 'RFC 9110 15.2: no 1xx to HTTP/1.0');
  assert.equal(response.body, 'abcd');

  bench.handler.onExchange = (exchange) => exchange.respondWhole(200, TEXT, bytes('kept'), undefined);
  const keeping = await bench.raw();
  for (let i = 0; i < 2; i++) {
    keeping.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    const kept = await keeping.response();
    assert.equal(kept.body, 'kept');
    assert.equal(valueOf(kept, 'connection'), 'keep-alive');
  }
});

test('RFC 9112 7.1: an answer of unknown length is chunked, trailers follow', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw();
  bench.handler.onExchange = (exchange) => {
    exchange.respondHead(200, TEXT);
    exchange.respondData(bytes('first,'));
    exchange.respondEnd(['x-sum', '1', 'x-sum', '2'], bytes('second'));
  };
  peer.send(GET);
  const response = await peer.response();
  assert.equal(response.body, 'first,second');
  assert.deepEqual(response.trailers, [
    ['x-sum', '1'],
    ['x-sum', '2'],
  ]);
});

test('a whole answer with trailers is chunked; `trailer` without chunks is dropped', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw();
  bench.handler.onExchange = (exchange) => exchange.respondWhole(200, ['trailer', 'x-t'], bytes('b'), ['x-t', '1']);
  peer.send(GET);
  const chunked = await peer.response();
  assert.equal(valueOf(chunked, 'trailer'), 'x-t');
  assert.deepEqual(chunked.trailers, [['x-t', '1']]);

  bench.handler.onExchange = (exchange) =>
    exchange.respondWhole(200, ['trailer', 'x-t', 'content-length', '1'], bytes('b'), undefined);
  peer.send(GET);
  const counted = await peer.response();
  assert.equal(valueOf(counted, 'trailer'), undefined);
  assert.equal(counted.body, 'b');
});

test('a head without a body yet goes out by itself (server-sent events)', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => exchange.respondHead(200, ['content-type', 'text/event-stream']);
  const peer = await bench.raw();
  peer.send(GET);
  assert.equal((await peer.head()).status, 200);
  const { exchange } = await bench.handler.next('exchange');
  exchange.respondData(bytes('data: 1\n\n'));
  assert.equal(await peer.until('data: 1\n\n\r\n'), '9\r\ndata: 1\n\n\r\n');
  const ending = endingOf(exchange);
  exchange.respondEnd(undefined, undefined);
  assert.equal(await peer.until('0\r\n\r\n'), '0\r\n\r\n');
  assert.equal(await ending, 'sent');
  assert.equal(exchange.bytesOut, 9);
});

test('RFC 9110 9.3.2: an answer to HEAD keeps its length and has no body', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) =>
    exchange.respondWhole(200, ['content-length', '7'], bytes('ignored'), undefined);
  const peer = await bench.raw();
  peer.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  const response = await peer.response('HEAD');
  assert.equal(valueOf(response, 'content-length'), '7');
  peer.send(GET);
  assert.equal((await peer.response()).body, 'ignored');
  const { exchange } = await bench.handler.next('exchange');
  assert.equal(exchange.bytesOut, 0);
});

test('RFC 9110 6.4.1: 204 and 304 have no body, 204 no length', async () => {
  await using bench = await Bench.start();
  const peer = await bench.raw();
  for (const status of [204, 304]) {
    bench.handler.onExchange = (exchange) =>
      exchange.respondWhole(status, ['content-length', '3', 'etag', '"a"'], bytes('abc'), undefined);
    peer.send(GET);
    const response = await peer.response();
    assert.equal(response.status, status);
    assert.equal(valueOf(response, 'content-length'), status === 204 ? undefined : '3');
    assert.equal(valueOf(response, 'etag'), '"a"');
  }
  bench.handler.onExchange = (exchange) => exchange.respondWhole(200, [], bytes('next'), undefined);
  peer.send(GET);
  assert.equal((await peer.response()).body, 'next');
});

test('informational answers go before the answer', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => {
    exchange.informational(103, ['link', '</style.css>', 'link', '</b>']);
    exchange.respondWhole(200, [], bytes('ok'), undefined);
  };
  const peer = await bench.raw();
  peer.send(GET);
  const early = await peer.response();
  assert.equal(early.status, 103);
  assert.deepEqual(early.headers, [
    ['link', '</style.css>'],
    ['link', '</b>'],
  ]);
  assert.equal((await peer.response()).body, 'ok');
});

test('a body is streamed, counted, and its trailers can be read after it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n');
  const { exchange } = await bench.handler.next('exchange');
  assert.ok(exchange.body.kind === 'stream');
  const whole = readAll(exchange.body.stream);
  peer.send('0\r\nX-Sum: 5\r\n\r\n');
  assert.equal(await whole, 'abcde');
  assert.equal(exchange.bytesIn, 5);
  assert.deepEqual(exchange.requestTrailers(), ['X-Sum', '5']);
  exchange.respondWhole(200, [], undefined, undefined);
  assert.equal((await peer.response()).status, 200);
});

test('a collected body is given in memory when it is whole', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde');
  const { exchange } = await bench.handler.next('exchange');
  const collected = await new Promise((resolve) => exchange.collectBody(5, undefined, resolve));
  assert.deepEqual(collected, { bytes: bytes('abcde'), complete: true });
  assert.deepEqual(exchange.body, { kind: 'bytes', bytes: bytes('abcde') });
  exchange.collectBody(5, undefined, (again) => assert.deepEqual(again, collected));
  exchange.respondWhole(200, [], undefined, undefined);
  assert.equal((await peer.response()).status, 200);
});

test('a body over the limit is collected up to it and then still streamed from its first byte', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabcdef');
  const { exchange } = await bench.handler.next('exchange');
  const collected = await new Promise((resolve) => exchange.collectBody(4, undefined, resolve));
  assert.deepEqual(collected, { bytes: bytes('abcd'), complete: false });
  assert.ok(exchange.body.kind === 'stream');
  const whole = readAll(exchange.body.stream);
  peer.send('ghij');
  assert.equal(await whole, 'abcdefghij');
  assert.equal(exchange.bytesIn, 10, 'nothing is counted twice');
  exchange.respondWhole(200, [], undefined, undefined);
  assert.equal((await peer.response()).status, 200);
});

test('RFC 9110 10.1.1: collecting a body that waits for 100 (Continue) sends it, once', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n');
  const { exchange } = await bench.handler.next('exchange');
  const collected = new Promise((resolve) => exchange.collectBody(10, undefined, resolve));
  assert.equal((await peer.head()).status, 100);
  exchange.sendContinue();
  peer.send('hi');
  assert.deepEqual(await collected, { bytes: bytes('hi'), complete: true });
  exchange.respondWhole(200, [], bytes('done'), undefined);
  assert.equal((await peer.response()).body, 'done');
});

test('RFC 9110 10.1.1: a refusal without 100 (Continue) closes, for the body may come anyway', async () => {
  await using bench = await Bench.start();
  const outcomes: unknown[] = [];
  bench.handler.onExchange = (exchange) =>
    exchange.refuse(answerOf(fault('policy_denied', '')), (outcome) => outcomes.push(outcome));
  const peer = await bench.raw();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n');
  const response = await peer.response();
  assert.equal(response.status, 403);
  assert.equal(valueOf(response, 'connection'), 'close');
  assert.equal(await peer.ended, 'end');
  assert.deepEqual(outcomes, [{ kind: 'refused', status: 403, grpcStatus: undefined }]);
});

test('an Expect that is not 100-continue is left to the handler', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => exchange.refuse(answerOf(fault('expectation_failed', '')), () => undefined);
  const peer = await bench.raw();
  peer.send('GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n');
  assert.equal((await peer.response()).status, 417);
});

test('a refusal before its body is read keeps the connection when little is left to read away', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => exchange.refuse(answerOf(fault('policy_denied', '')), () => undefined);
  const peer = await bench.raw();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc');
  assert.equal((await peer.response()).status, 403);
  peer.send('def');
  peer.send(GET);
  const second = await peer.response();
  assert.equal(second.status, 403);
  assert.equal(bench.handler.count('exchange'), 2);
});

test('RFC 9112 9.6: a refusal before a large body says `close` and is not lost to a reset', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => exchange.refuse(answerOf(fault('policy_denied', '')), () => undefined);
  const peer = await bench.raw();
  peer.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n${'x'.repeat(300_000)}`);
  const response = await peer.response();
  assert.equal(response.status, 403);
  assert.equal(valueOf(response, 'connection'), 'close');
  peer.send('x'.repeat(300_000));
  assert.equal(await peer.ended, 'end');
});

test('an endless unwanted body is not read for ever', async () => {
  await using bench = await Bench.start({ limits: { headTimeoutMs: 40 } });
  bench.handler.onExchange = (exchange) => exchange.refuse(answerOf(fault('policy_denied', '')), () => undefined);
  const peer = await bench.raw();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  assert.equal((await peer.response()).status, 403);
  const chunk = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
  for (let sent = 0; peer.socket.writable && sent < 10_000; sent++) {
    peer.send(chunk);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await peer.ended;
  assert.ok(await bench.works());
});

test('a refusal that closes does so', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => exchange.refuse(answerOf(fault('framing_ambiguous', '')), () => undefined);
  const peer = await bench.raw();
  peer.send(GET);
  const response = await peer.response();
  assert.equal(response.status, 400);
  assert.equal(valueOf(response, 'connection'), 'close');
  assert.equal(await peer.ended, 'end');
});

test('a refusal with status 0 closes without a byte', async () => {
  await using bench = await Bench.start();
  const outcomes: unknown[] = [];
  bench.handler.onExchange = (exchange) =>
    exchange.refuse({ ...answerOf(fault('flood', '')), status: 0 }, (outcome) => outcomes.push(outcome));
  const peer = await bench.raw();
  peer.send(GET);
  assert.equal(await peer.rest(), '');
  assert.deepEqual(outcomes, [{ kind: 'refused', status: 0, grpcStatus: undefined }]);
});

test('a peer that goes away: the forwarder hears it once, collecting fails, refusing is an aborted outcome', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const forwarding = await bench.raw();
  forwarding.send(GET);
  const first = await bench.handler.next('exchange');
  const ending = endingOf(first.exchange);
  forwarding.close();
  assert.equal(await ending, 'peer peer_aborted');

  const collecting = await bench.raw();
  collecting.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc');
  const second = await bench.handler.next('exchange');
  const collected = new Promise((resolve) => second.exchange.collectBody(100, undefined, resolve));
  await until(() => second.exchange.bytesIn === 3);
  collecting.close();
  assert.equal(((await collected) as { code: string }).code, 'peer_aborted');
  const outcome = await new Promise((resolve) => second.exchange.refuse(answerOf(fault('policy_denied', '')), resolve));
  assert.deepEqual(
    { ...(outcome as object), fault: undefined },
    {
      kind: 'aborted',
      by: 'peer',
      fault: undefined,
      status: 0,
      bytesIn: 3,
      bytesOut: 0,
    },
  );
});

test('a forwarder that comes after the end still hears of it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(GET);
  const { exchange } = await bench.handler.next('exchange');
  peer.close();
  await until(() => bench.listener.connectionCount === 0);
  exchange.respondHead(200, TEXT);
  assert.equal(exchange.respondData(bytes('nobody')), true);
  assert.equal(exchange.upgrade(), undefined);
  assert.equal(await endingOf(exchange), 'peer peer_aborted');
});

test('abort breaks the answer off visibly and calls nobody back', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = (exchange) => {
    exchange.onClosed = () => assert.fail('the forwarder knows');
    exchange.respondHead(200, TEXT);
    exchange.respondData(bytes('half'));
  };
  const peer = await bench.raw();
  peer.send(GET);
  await peer.until('half\r\n');
  const { exchange } = await bench.handler.next('exchange');
  exchange.abort(fault('upstream_aborted', ''));
  assert.equal(await peer.rest(), '', 'no last chunk');
  assert.ok(await bench.works());
});

test('cut ends the connection and tells the forwarder that we did it', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(GET);
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  exchange.cut(fault('policy_withdrawn', ''));
  assert.equal(await ending, 'us policy_withdrawn');
  await peer.ended;
});

test('a peer that does not read: the forwarder is told to stop, and to go on', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.raw();
  peer.send(GET);
  const { exchange } = await bench.handler.next('exchange');
  peer.socket.pause();
  exchange.respondHead(200, TEXT);
  const chunk = Buffer.alloc(65_536, 'x');
  let sent = 0;
  do sent += chunk.length;
  while (exchange.respondData(chunk));
  const drained = new Promise<void>((resolve) => (exchange.onDrain = resolve));
  peer.socket.resume();
  await drained;
  exchange.respondEnd(undefined, undefined);
  assert.equal((await peer.response()).body.length, sent);
  assert.equal(exchange.bytesOut, sent);
});

test('an answer that cannot be written ends the exchange as the fault of the agent', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  for (const headers of [
    ['x-bad', 'a\r\nb'],
    ['x bad', 'a'],
    ['x-\u0100', 'a'],
  ]) {
    const peer = await bench.raw();
    peer.send(GET);
    const { exchange } = await bench.handler.next('exchange');
    const ending = endingOf(exchange);
    exchange.respondWhole(200, headers, undefined, undefined);
    assert.equal(await ending, 'us upstream_protocol_error');
    assert.equal(await peer.rest(), '');
  }
});

test('a million tiny chunks are counted and do not pile up', async () => {
  await using bench = await Bench.start();
  const collected = new Promise((resolve) => {
    bench.handler.onExchange = (exchange) => exchange.collectBody(1_000_000, undefined, resolve);
  });
  const peer = await bench.raw();
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  for (let i = 0; i < 100; i++) peer.send('1\r\nx\r\n'.repeat(10_000));
  peer.send('0\r\n\r\n');
  const { bytes: body, complete } = (await collected) as { bytes: Uint8Array; complete: boolean };
  assert.equal(complete, true);
  assert.equal(body.length, 1_000_000);
});
