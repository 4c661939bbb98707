import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { fault } from '../../../src/core/model/faults.ts';
import {
  CODE,
  codeOf,
  FLAG,
  frame,
  getFrame,
  postFrame,
  PREFACE,
  settings,
  TYPE,
} from '../../support/http2-frame-peer.ts';
import { valueOf } from '../../support/raw-http1-peer.ts';
import { endingOf, readAll, until } from './harness.ts';
import { PlainBench } from './plain-bench.ts';

const GET = 'GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n';
const LONG_MS = 60_000;
const SETTINGS = frame(TYPE.settings, 0, 0, settings([]));
const PING = frame(TYPE.ping, 0, 0, Buffer.alloc(8));

/** Sends one byte at a time, each in a segment of its own. */
async function byteByByte(send: (byte: Buffer) => void, bytes: Buffer): Promise<void> {
  for (let i = 0; i < bytes.length; i++) {
    send(bytes.subarray(i, i + 1));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the facts of a cleartext connection', () => {
  test('outbound, without TLS, with its ends; nothing was presented', async () => {
    await using bench = await PlainBench.start();
    const peer = await bench.raw();
    const { connection, presented } = await bench.handler.next('admit');
    assert.equal(connection.direction, 'outbound');
    assert.equal(connection.tls, undefined);
    assert.equal(connection.listener, 'plain:0');
    assert.equal(connection.local.port, bench.port);
    assert.equal(connection.remote.port, peer.socket.localPort);
    assert.deepEqual(presented, { chain: [], authorized: false, authorizationError: undefined });
    assert.ok(Object.isFrozen(connection));
  });

  test('a caller that is not let in is closed with one record, and not a byte is read', async () => {
    await using bench = await PlainBench.start();
    bench.handler.judge = () => ({
      kind: 'rejected',
      fault: fault('peer_certificate_missing', 'none'),
      claimedId: undefined,
    });
    const peer = await bench.raw();
    peer.send(GET);
    assert.equal(await peer.rest(), '');
    assert.deepEqual(bench.handler.faults, ['refused peer_certificate_missing']);
    assert.equal(bench.handler.count('exchange'), 0);
  });

  test('a handler that throws costs the connection, not the process', async () => {
    await using bench = await PlainBench.start();
    bench.handler.judge = () => {
      throw new Error('as the test says');
    };
    assert.equal(await (await bench.raw()).rest(), '');
    assert.deepEqual(bench.handler.faults, ['refused internal_error']);
    bench.handler.judge = () => ({ kind: 'anonymous' });
    assert.ok(await bench.works());
  });
});

describe('HTTP/1.1 and HTTP/2 on one port', () => {
  test('HTTP/1.1, with keep-alive and pipelining', async () => {
    await using bench = await PlainBench.start();
    const peer = await bench.raw();
    peer.send(GET + GET);
    for (let i = 0; i < 2; i++) assert.equal((await peer.response()).body, 'ok');
    peer.send(GET);
    assert.equal((await peer.response()).body, 'ok');
    assert.equal(bench.handler.count('admit'), 1);
    const { exchange } = await bench.handler.next('exchange');
    assert.deepEqual(exchange.peer, { kind: 'anonymous' });
  });

  test('RFC 9112 3.2.2: the absolute-form comes through as it was sent', async () => {
    await using bench = await PlainBench.start();
    const peer = await bench.raw();
    peer.send(
      'GET http://Tools.internal:9000/a?b HTTP/1.1\r\nHost: Tools.internal:9000\r\nProxy-Connection: close\r\n\r\n',
    );
    await peer.response();
    const { exchange } = await bench.handler.next('exchange');
    assert.ok(exchange.head.kind === 'http1' && exchange.head.target === 'http://Tools.internal:9000/a?b');
    assert.deepEqual(exchange.head.headers, ['Host', 'Tools.internal:9000', 'Proxy-Connection', 'close']);
  });

  test('RFC 9113 3.3: HTTP/2 with prior knowledge, by frames', async () => {
    await using bench = await PlainBench.start();
    const peer = await bench.frames();
    peer.send(getFrame(1), getFrame(3));
    for (const id of [1, 3])
      await peer.next(TYPE.data, ({ streamId, payload }) => streamId === id && String(payload) === 'ok');
    assert.equal(bench.handler.count('exchange'), 2);
    await peer.roundTrip();
  });

  test("HTTP/2 with Node's client, bodies both ways", async () => {
    await using bench = await PlainBench.start();
    bench.handler.onExchange = (exchange) => {
      if (exchange.body.kind !== 'stream') return;
      void readAll(exchange.body.stream).then((text) =>
        exchange.respondWhole(200, [], Buffer.from(String(text.length)), undefined),
      );
    };
    const session = connectHttp2(`http://127.0.0.1:${bench.port}`);
    bench.keep({ close: () => session.destroy() });
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    stream.end(Buffer.alloc(300_000, 'x'));
    assert.equal(await readAll(stream), '300000');
  });

  test('CONNECT and a WebSocket handshake reach the handler', async () => {
    await using bench = await PlainBench.start();
    bench.handler.onExchange = (exchange) => exchange.respondWhole(400, [], undefined, undefined);
    for (const head of [
      'CONNECT a:443 HTTP/1.1\r\nHost: a:443',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket',
    ]) {
      const peer = await bench.raw();
      peer.send(`${head}\r\n\r\n`);
      assert.equal((await peer.response()).status, 400);
    }
    assert.equal(bench.handler.count('exchange'), 2);
  });

  test('an h2c upgrade is read as the request that it also is (RFC 9110 7.8)', async () => {
    await using bench = await PlainBench.start();
    const peer = await bench.raw();
    peer.send(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
    );
    assert.equal((await peer.response()).status, 200);
    peer.send('GET /b HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await peer.response()).status, 200, 'the connection goes on');
  });

  for (const { name, behind, rest } of [
    { name: 'a request', behind: 'GET /b HTTP/1.1\r\nHost: a\r\n\r\n', rest: '' },
    {
      name: 'the head of a request, whose body looks like another one',
      behind: 'POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 32\r\n\r\n',
      rest: 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
    },
  ]) {
    test(`RFC 9112 9.3.2: behind an ignored upgrade stands ${name}: it is not read, and the answer says that the connection ends`, async () => {
      await using bench = await PlainBench.start();
      const peer = await bench.raw();
      peer.send(
        `GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n${behind}`,
      );
      const response = await peer.response();
      assert.deepEqual([response.status, valueOf(response, 'connection')], [200, 'close']);
      peer.send(rest);
      assert.equal(await peer.ended, 'end');
      assert.equal(bench.handler.count('exchange'), 1);
    });
  }
});

describe('no byte of the first ones is lost', () => {
  test('HTTP/1.1 byte by byte', async () => {
    await using bench = await PlainBench.start();
    const peer = await bench.raw();
    await byteByByte(
      (byte) => peer.send(byte),
      Buffer.from('POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'),
    );
    assert.equal((await peer.response()).body, 'ok');
    const { exchange } = await bench.handler.next('exchange');
    assert.ok(exchange.head.kind === 'http1' && exchange.head.target === '/p');
  });

  test('HTTP/2 byte by byte: preface, SETTINGS and a request', async () => {
    await using bench = await PlainBench.start();
    const peer = await bench.frames({ settings: null });
    await byteByByte((byte) => peer.send(byte), Buffer.concat([PREFACE, SETTINGS, getFrame(1)]));
    await peer.next(TYPE.data);
    assert.equal(bench.handler.count('exchange'), 1);
  });

  test('a body of many segments behind the first bytes, in both protocols', async () => {
    await using bench = await PlainBench.start();
    const bodies: Promise<string>[] = [];
    bench.handler.onExchange = (exchange) => {
      if (exchange.body.kind !== 'stream') return;
      const body = readAll(exchange.body.stream);
      bodies.push(body);
      void body.then(() => exchange.respondWhole(200, [], undefined, undefined));
    };
    const body = 'x'.repeat(400_000);
    const first = await bench.raw();
    first.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.equal((await first.response()).status, 200);
    const second = await bench.frames({ settings: null });
    const data = frame(TYPE.data, 0, 1, Buffer.alloc(8_000, 'x'));
    const last = frame(TYPE.data, FLAG.endStream, 1, Buffer.alloc(8_000, 'x'));
    second.send(PREFACE, SETTINGS, postFrame(1), data, data, data, last);
    await second.next(TYPE.headers);
    assert.deepEqual(
      (await Promise.all(bodies)).map(({ length }) => length),
      [400_000, 32_000],
    );
  });

  test('property: however the bytes are cut, the request is the same', async () => {
    await using bench = await PlainBench.start();
    const http1 = Buffer.from('PUT /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
    const http2 = Buffer.concat([PREFACE, SETTINGS, getFrame(1, '/cut')]);
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.boolean(), cuts, async (isHttp2, places) => {
        const peer = isHttp2 ? await bench.frames({ settings: null }) : await bench.raw();
        const bytes = isHttp2 ? http2 : http1;
        let from = 0;
        for (const to of [...places.toSorted((a, b) => a - b), bytes.length]) {
          peer.send(bytes.subarray(from, to));
          from = to;
          await new Promise((resolve) => setImmediate(resolve));
        }
        const { exchange } = await bench.handler.next('exchange');
        assert.equal(exchange.head.kind, isHttp2 ? 'http2' : 'http1');
        const target = exchange.head.kind === 'http1' ? exchange.head.target : exchange.head.headers[7];
        assert.equal(target, '/cut');
        peer.close();
      }),
      { numRuns: 60 },
    );
  });
});

describe('first bytes that are neither', () => {
  const garbage: readonly (readonly [string, string])[] = [
    ['zeros', '\0\0\0\0'],
    ['a method that begins like the preface', 'PRINT / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a preface with one wrong byte at its end', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\rX'],
    ['a preface in lower case', 'pri * http/2.0\r\n\r\nsm\r\n\r\n'],
    ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n'],
  ];
  for (const [title, bytes] of garbage) {
    test(`${title}: 400 and one record`, async () => {
      await using bench = await PlainBench.start();
      const peer = await bench.raw();
      peer.send(bytes);
      assert.equal((await peer.response()).status, 400);
      await peer.ended;
      assert.deepEqual(bench.handler.faults, ['unreadable request_malformed']);
      assert.ok(await bench.works());
    });
  }

  test('a TLS client is told by record what to do, and gets nothing', async () => {
    await using bench = await PlainBench.start();
    const socket = connectTls({ port: bench.port, host: '127.0.0.1', rejectUnauthorized: false });
    bench.keep({ close: () => socket.destroy() });
    await assert.rejects(once(socket, 'secureConnect'));
    const { fault: reason, peer } = await bench.handler.next('refused');
    assert.equal(reason.code, 'call_not_plain');
    assert.match(reason.detail, /call http:/);
    assert.deepEqual(peer, { kind: 'anonymous' });
    assert.deepEqual(bench.handler.faults, ['refused call_not_plain']);
  });

  test('a preface that breaks off is one unreadable request', async () => {
    await using bench = await PlainBench.start();
    for (const ends of ['end', 'resetAndDestroy'] as const) {
      const peer = await bench.raw();
      peer.send(PREFACE.subarray(0, 10));
      await until(() => bench.listener.connectionCount === 1);
      await new Promise((resolve) => setImmediate(resolve));
      peer.socket[ends]();
      const { fault: reason } = await bench.handler.next('unreadable');
      assert.equal(reason.code, 'request_malformed');
      await until(() => bench.listener.connectionCount === 0);
    }
    assert.deepEqual(bench.handler.faults, ['unreadable request_malformed', 'unreadable request_malformed']);
  });

  test('a connection that comes and goes without a byte has no record', async () => {
    await using bench = await PlainBench.start();
    const peer = await bench.raw();
    await bench.handler.next('admit');
    peer.socket.end();
    await until(() => bench.listener.connectionCount === 0);
    assert.deepEqual(bench.handler.faults, []);
  });
});

describe('deadlines and limits', () => {
  test('not a byte: closed as idle, one record', async () => {
    await using bench = await PlainBench.start({ handshakeTimeoutMs: 30 });
    const peer = await bench.raw();
    assert.equal(await peer.rest(), '');
    assert.deepEqual(bench.handler.faults, ['refused connection_idle_timeout']);
  });

  test('a slow preface: closed, one record', async () => {
    await using bench = await PlainBench.start({ handshakeTimeoutMs: 30 });
    const peer = await bench.raw();
    peer.send(PREFACE.subarray(0, 23));
    assert.equal(await peer.rest(), '');
    assert.deepEqual(bench.handler.faults, ['refused request_timeout']);
  });

  test('a slow head of HTTP/1.1, and of HTTP/2 after its preface', async () => {
    await using bench = await PlainBench.start({ headTimeoutMs: 40 });
    const first = await bench.raw();
    first.send('GET / HT');
    assert.equal((await first.response()).status, 408);
    const second = await bench.frames({ settings: null });
    second.send(PREFACE);
    await second.ended;
    assert.deepEqual(bench.handler.faults, ['unreadable request_timeout', 'unreadable request_timeout']);
  });

  test('more connections than may be', async () => {
    await using bench = await PlainBench.start({ connections: 1 });
    const peer = await bench.raw();
    peer.send(GET);
    await peer.response();
    const second = await bench.raw();
    assert.equal(await second.rest(), '');
    const { connection, fault: reason } = await bench.handler.next('refused');
    assert.equal(reason.code, 'connection_limit');
    assert.equal(connection.direction, 'outbound');
    peer.send(GET);
    assert.equal((await peer.response()).status, 200);
  });

  test('HTTP/2 floods are still found: PING (CVE-2019-9512)', async () => {
    await using bench = await PlainBench.start();
    const peer = await bench.frames({ answersPings: false });
    await peer.next(TYPE.settings);
    while (peer.socket.writable && bench.handler.faults.length === 0) {
      peer.send(Buffer.concat(Array.from({ length: 500 }, () => PING)));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await peer.ended;
    assert.deepEqual(bench.handler.faults, ['refused flood']);
    const [goaway] = peer.frames.filter(({ type }) => type === TYPE.goaway);
    if (goaway !== undefined) assert.equal(codeOf(goaway), CODE.enhanceYourCalm);
    assert.ok(await bench.works());
  });

  test('HTTP/2 floods are still found: WINDOW_UPDATE, which only bytes tell', async () => {
    await using bench = await PlainBench.start();
    const peer = await bench.frames();
    const update = frame(TYPE.windowUpdate, 0, 0, Buffer.from([0, 0, 0, 1]));
    while (peer.socket.writable && bench.handler.faults.length === 0) {
      peer.send(Buffer.concat(Array.from({ length: 2_000 }, () => update)));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await peer.ended;
    assert.deepEqual(bench.handler.faults, ['refused flood']);
  });

  test('reload: limits for new connections; address and name cannot change', async () => {
    await using bench = await PlainBench.start({ connections: 1 });
    const peer = await bench.raw();
    peer.send(GET);
    await peer.response();
    const limits = { ...bench.settings.limits, connections: 2 };
    assert.deepEqual(bench.listener.reload({ ...bench.settings, limits }), { ok: true, value: undefined });
    assert.ok(await bench.works());
    assert.equal(bench.listener.reload({ ...bench.settings, name: 'other' }).ok, false);
    assert.equal(bench.listener.reload({ ...bench.settings, host: '::1' }).ok, false);
  });
});

describe('drain', () => {
  test('what has not begun is closed with a record, what is under way is finished', async () => {
    await using bench = await PlainBench.start();
    bench.handler.onExchange = () => undefined;
    const silent = await bench.raw();
    const half = await bench.raw();
    half.send(PREFACE.subarray(0, 5));
    const busy = await bench.raw();
    busy.send(GET);
    const { exchange } = await bench.handler.next('exchange');
    await until(() => bench.listener.connectionCount === 3);
    const stopped = bench.listener.stop(LONG_MS);
    assert.equal(await silent.rest(), '');
    assert.equal(await half.rest(), '');
    exchange.respondWhole(200, [], Buffer.from('finished'), undefined);
    assert.equal((await busy.response()).body, 'finished');
    await stopped;
    assert.deepEqual(bench.handler.faults, ['refused draining', 'refused draining']);
  });

  test('what lasts is cut after the deadline and told', async () => {
    await using bench = await PlainBench.start();
    bench.handler.onExchange = () => undefined;
    const peer = await bench.frames();
    peer.send(getFrame(1));
    const { exchange } = await bench.handler.next('exchange');
    const ending = endingOf(exchange);
    await bench.listener.stop(20);
    assert.equal(await ending, 'us draining');
  });

  test('recheck asks the handler again and cuts what it no longer lets in', async () => {
    await using bench = await PlainBench.start();
    bench.handler.onExchange = () => undefined;
    const peer = await bench.raw();
    peer.send(GET);
    const { exchange } = await bench.handler.next('exchange');
    const ending = endingOf(exchange);
    await bench.listener.recheck();
    assert.equal(bench.handler.count('readmit'), 1);
    assert.deepEqual(bench.handler.faults, []);
    bench.handler.judgeAgain = () => ({
      kind: 'rejected',
      fault: fault('peer_blocked', 'as the test says'),
      claimedId: undefined,
    });
    await bench.listener.recheck();
    assert.equal(await ending, 'us peer_blocked');
  });
});
