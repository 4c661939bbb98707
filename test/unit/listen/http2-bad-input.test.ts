import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';

import {
  CODE,
  codeOf,
  FLAG,
  frame,
  FramePeer,
  getFrame,
  headerBlock,
  postFrame,
  PREFACE,
  requestBlock,
  TYPE,
  uint32,
} from '../../support/http2-frame-peer.ts';
import { Bench, endingOf, readAll, until } from './harness.ts';

const WHOLE = FLAG.endStream | FLAG.endHeaders;

function head(fields: readonly (readonly [string, string])[]): Buffer {
  return frame(TYPE.headers, WHOLE, 1, headerBlock(fields));
}

const PSEUDO = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'agent.test'],
  [':path', '/'],
] as const;

/** Heads that nghttp2 resets by itself, without a word to JavaScript: a record each all the same, and the connection goes on. */
const RESET: readonly { readonly name: string; readonly bytes: Buffer; readonly code: number }[] = [
  { name: 'RFC 9113 8.3.1: no :path', bytes: head(PSEUDO.slice(0, 3)), code: CODE.protocolError },
  { name: 'RFC 9113 8.3: two :path', bytes: head([...PSEUDO, [':path', '/b']]), code: CODE.protocolError },
  {
    name: 'RFC 9113 8.3: a pseudo-header field after a field',
    bytes: head([...PSEUDO.slice(0, 3), ['a', 'b'], [':path', '/']]),
    code: CODE.protocolError,
  },
  {
    name: 'RFC 9113 8.3: an unknown pseudo-header field',
    bytes: head([...PSEUDO, [':colour', 'red']]),
    code: CODE.protocolError,
  },
  { name: 'RFC 9113 8.2.1: a name in upper case', bytes: head([...PSEUDO, ['Upper', '1']]), code: CODE.protocolError },
  { name: 'RFC 9113 8.2.2: connection', bytes: head([...PSEUDO, ['connection', 'close']]), code: CODE.protocolError },
  {
    name: 'RFC 9113 8.2.2: te other than trailers',
    bytes: head([...PSEUDO, ['te', 'gzip']]),
    code: CODE.protocolError,
  },
  {
    name: 'four times as many fields as allowed',
    bytes: head([...PSEUDO, ...Array.from({ length: 500 }, () => ['a', 'b'] as const)]),
    code: CODE.enhanceYourCalm,
  },
];

for (const { name, bytes, code } of RESET) {
  test(`${name}: the stream is reset, one record, the connection goes on`, async () => {
    await using bench = await Bench.start();
    const peer = await bench.frames();
    peer.send(bytes);
    const reset = await peer.next(TYPE.rstStream);
    assert.deepEqual([reset.streamId, codeOf(reset)], [1, code]);
    peer.send(getFrame(3));
    await peer.next(TYPE.data, ({ streamId }) => streamId === 3);
    assert.deepEqual(bench.handler.faults, ['unreadable request_malformed']);
    assert.equal(bench.handler.count('exchange'), 1);
  });
}

test('a head that nghttp2 refused is recorded without a further request, and when the peer hangs up', async () => {
  await using bench = await Bench.start({ limits: { idleTimeoutMs: 400 } });
  const quiet = await bench.frames();
  quiet.send(head(PSEUDO.slice(0, 3)));
  assert.equal((await bench.handler.next('unreadable')).fault.code, 'request_malformed');
  const hanging = await bench.frames();
  hanging.send(head(PSEUDO.slice(0, 3)));
  await hanging.next(TYPE.rstStream);
  hanging.close();
  assert.equal((await bench.handler.next('unreadable')).fault.code, 'request_malformed');
});

test('up to four times as many fields as allowed reach the handler, none dropped', async () => {
  await using bench = await Bench.start({ limits: { headerCount: 20 } });
  const peer = await bench.frames();
  peer.send(head([...PSEUDO, ...Array.from({ length: 50 }, () => ['a', 'b'] as const)]));
  const { exchange } = await bench.handler.next('exchange');
  assert.equal(exchange.head.headers.length / 2, 54);
});

test('a head of more bytes than allowed reaches the handler, which can say so', async () => {
  await using bench = await Bench.start({ limits: { headerBytes: 4_096 } });
  const peer = await bench.frames();
  peer.send(head([...PSEUDO, ['a', 'b'.repeat(12_000)]]));
  const { exchange } = await bench.handler.next('exchange');
  assert.ok(exchange.head.headers.includes('b'.repeat(12_000)));
});

test('HPACK: 4,000 references to one large field do not become 16 MB', async () => {
  await using bench = await Bench.start();
  const peer = await bench.frames();
  const large = Buffer.from('x'.repeat(3_900));
  const literal = Buffer.concat([
    Buffer.from([0x40, 1, 0x61, 127, ((3_900 - 127) & 127) | 128, (3_900 - 127) >> 7]),
    large,
  ]);
  const bomb = Buffer.concat([requestBlock(), literal, Buffer.alloc(4_000, 0x80 | 62)]);
  const before = process.memoryUsage().rss;
  peer.send(frame(TYPE.headers, WHOLE, 1, bomb));
  assert.equal(codeOf(await peer.next(TYPE.rstStream)), CODE.enhanceYourCalm);
  assert.ok(process.memoryUsage().rss - before < 64 * 1_048_576);
  assert.equal((await bench.handler.next('unreadable')).fault.code, 'request_malformed');
});

type Broken = { readonly name: string; readonly send: (peer: FramePeer) => void; readonly code: number };

/** What ends the connection (RFC 9113 section 5.4.1): one record, nothing else. */
const CONNECTION_ERRORS: readonly Broken[] = [
  {
    name: 'RFC 9113 5.1: DATA on an idle stream',
    send: (peer) => peer.send(frame(TYPE.data, FLAG.endStream, 1, Buffer.from('x'))),
    code: CODE.protocolError,
  },
  {
    name: 'RFC 9113 5.1.1: a stream with an even identifier',
    send: (peer) => peer.send(getFrame(2)),
    code: CODE.protocolError,
  },
  {
    name: 'RFC 9113 4.2: a frame that is too large',
    send: (peer) => peer.send(frame(TYPE.data, 0, 1, Buffer.alloc(17_000)).subarray(0, 9)),
    code: 6,
  },
  {
    name: 'RFC 9113 4.3: a header block that is no HPACK',
    send: (peer) => peer.send(frame(TYPE.headers, WHOLE, 1, Buffer.alloc(12, 0xff))),
    code: 9,
  },
  {
    name: 'RFC 9113 6.4: RST_STREAM of an idle stream',
    send: (peer) => peer.send(frame(TYPE.rstStream, 0, 7, uint32(8))),
    code: CODE.protocolError,
  },
  {
    name: 'RFC 9113 6.5: SETTINGS on a stream',
    send: (peer) => peer.send(frame(TYPE.settings, 0, 1)),
    code: CODE.protocolError,
  },
  {
    name: 'RFC 9113 6.6: PUSH_PROMISE from a client',
    send: (peer) => peer.send(getFrame(1, '/hang'), frame(TYPE.pushPromise, FLAG.endHeaders, 1, Buffer.alloc(8))),
    code: CODE.protocolError,
  },
  {
    name: 'RFC 9113 6.10: CONTINUATION out of place',
    send: (peer) => peer.send(frame(TYPE.continuation, FLAG.endHeaders, 1, requestBlock())),
    code: CODE.protocolError,
  },
];

for (const { name, send, code } of CONNECTION_ERRORS) {
  test(`${name}: GOAWAY, one record, others go on`, async () => {
    await using bench = await Bench.start();
    bench.handler.onExchange = () => undefined;
    const peer = await bench.frames();
    await peer.roundTrip();
    send(peer);
    assert.equal(codeOf(await peer.next(TYPE.goaway)), code);
    await peer.ended;
    await until(() => bench.listener.connectionCount === 0);
    const told = bench.handler.count('exchange') === 0 ? ['unreadable request_malformed'] : [];
    assert.deepEqual(bench.handler.faults, told);
    assert.ok(await bench.works());
  });
}

test('what is open when the connection breaks hears it, and it is not told a second time', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(getFrame(1));
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  peer.send(frame(TYPE.settings, 0, 1));
  assert.equal(await ending, 'peer request_malformed');
  await until(() => bench.listener.connectionCount === 0);
  assert.deepEqual(bench.handler.faults, []);
});

test('RFC 9113 3.4: anything but the preface ends the connection with one record', async () => {
  await using bench = await Bench.start();
  const peer = await bench.frames({ settings: null });
  peer.send(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  await peer.ended;
  await until(() => bench.listener.connectionCount === 0);
  assert.deepEqual(bench.handler.faults, ['unreadable request_malformed']);
});

test('a GOAWAY with an error from the peer ends what is open, and nothing is refused', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(getFrame(1));
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  peer.send(frame(TYPE.goaway, 0, 0, Buffer.concat([uint32(0), uint32(CODE.internalError)])));
  assert.equal(await ending, 'peer peer_aborted');
  await peer.ended;
  assert.deepEqual(bench.handler.faults, []);
});

test('a GOAWAY without error lets what is open finish', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(getFrame(1), frame(TYPE.goaway, 0, 0, Buffer.concat([uint32(0), uint32(CODE.noError)])));
  const { exchange } = await bench.handler.next('exchange');
  exchange.respondWhole(200, [], Buffer.from('last'), undefined);
  assert.equal(String((await peer.next(TYPE.data)).payload), 'last');
  await peer.ended;
});

test('RFC 9113 8.1.1: a body longer than its content-length ends the exchange', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(postFrame(1, '/', [['content-length', '2']]));
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  peer.send(frame(TYPE.data, FLAG.endStream, 1, Buffer.from('abc')));
  assert.equal(await ending, 'peer request_malformed');
  assert.deepEqual(bench.handler.faults, []);
});

test('trailers past the limits end the exchange', async () => {
  await using bench = await Bench.start({ limits: { headerCount: 20 } });
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(postFrame(1));
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  peer.send(frame(TYPE.headers, WHOLE, 1, headerBlock(Array.from({ length: 21 }, () => ['a', 'b'] as const))));
  assert.equal(await ending, 'us headers_too_large');
});

test('RFC 9113 8.1: trailers with a pseudo-header field reset the stream', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(postFrame(1));
  const { exchange } = await bench.handler.next('exchange');
  const ending = endingOf(exchange);
  peer.send(frame(TYPE.headers, WHOLE, 1, headerBlock([[':path', '/other']])));
  assert.match(await ending, /^peer /);
});

test('a body over `bodyBytes` ends the exchange; one within it does not', async () => {
  await using bench = await Bench.start({ limits: { bodyBytes: 10 } });
  bench.handler.onExchange = () => undefined;
  const peer = await bench.frames();
  peer.send(postFrame(1), frame(TYPE.data, FLAG.endStream, 1, Buffer.alloc(10)));
  const first = await bench.handler.next('exchange');
  assert.ok(first.exchange.body.kind === 'stream');
  assert.equal((await readAll(first.exchange.body.stream)).length, 10);
  peer.send(postFrame(3));
  const second = await bench.handler.next('exchange');
  const ending = endingOf(second.exchange);
  peer.send(frame(TYPE.data, FLAG.endStream, 3, Buffer.alloc(11)));
  assert.equal(await ending, 'us body_too_large');
});

test('a handler that throws costs the stream, not the process', async () => {
  await using bench = await Bench.start();
  bench.handler.onExchange = () => {
    throw new Error('a bug');
  };
  const peer = await bench.frames();
  peer.send(getFrame(1));
  assert.equal(codeOf(await peer.next(TYPE.rstStream)), CODE.internalError);
  assert.equal(bench.problems.length, 1);
  assert.ok(await bench.works());
});

test('a head that the library refused is told of although the peer resets the connection at once', async () => {
  await using bench = await Bench.start();
  const transport = connectTcp(bench.port, '127.0.0.1');
  const socket = bench.tls({ socket: transport, ALPNProtocols: ['h2'] });
  await once(socket, 'secureConnect');
  const peer = new FramePeer(socket);
  peer.send(
    PREFACE,
    frame(TYPE.settings, FLAG.none, 0),
    frame(TYPE.headers, WHOLE, 1, requestBlock('/', [['X-Upper', 'x']])),
  );
  await peer.next(TYPE.rstStream);
  transport.resetAndDestroy();
  const { fault } = await bench.handler.next('unreadable');
  assert.equal(fault.code, 'request_malformed');
  assert.ok(await bench.works());
  assert.equal(bench.handler.count('unreadable'), 1);
});
