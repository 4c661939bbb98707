import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { HttpExchange } from '../../../src/io/listen/downstream.ts';
import { FLAG, frame, getFrame, postFrame, requestBlock, TYPE } from '../../support/http2-frame-peer.ts';
import { answerOf, Bench, until } from './harness.ts';

/** Whatever a peer sends: nothing throws, every exchange ends exactly once, a connection is refused at most once, and others go on. */
class Ledger {
  readonly endings = new Map<HttpExchange, string[]>();

  /** Answers by one of the ways there are, chosen by the request's place. */
  take = (exchange: HttpExchange): void => {
    const endings: string[] = [];
    this.endings.set(exchange, endings);
    exchange.onSent = () => endings.push('sent');
    exchange.onClosed = (reason, by) => endings.push(`${by} ${reason.code}`);
    const ways: readonly ((exchange: HttpExchange, endings: string[]) => void)[] = [
      this.#whole,
      this.#inPieces,
      this.#collected,
      this.#refused,
    ];
    ways[this.endings.size % ways.length]?.(exchange, endings);
  };

  #whole = (exchange: HttpExchange): void => exchange.respondWhole(200, [], Buffer.from('ok'), undefined);

  #inPieces = (exchange: HttpExchange): void => {
    exchange.informational(103, ['link', '</a>']);
    exchange.respondHead(200, []);
    exchange.respondData(Buffer.from('a'));
    setImmediate(() => exchange.respondEnd(['x-trailer', '1'], Buffer.from('b')));
  };

  #collected = (exchange: HttpExchange): void =>
    exchange.collectBody(64, undefined, (body) => {
      if ('code' in body) exchange.refuse(answerOf(body), (outcome) => this.#told(exchange, outcome.kind));
      else exchange.respondWhole(200, [], body.bytes, undefined);
    });

  #refused = (exchange: HttpExchange): void =>
    exchange.refuse(answerOf({ kind: 'fault', code: 'policy_denied', detail: '' }), (outcome) =>
      this.#told(exchange, outcome.kind),
    );

  #told(exchange: HttpExchange, kind: string): void {
    this.endings.get(exchange)?.push(kind);
  }

  get areAllOver(): boolean {
    return [...this.endings.values()].every(({ length }) => length > 0);
  }
}

async function check(bench: Bench, ledger: Ledger): Promise<void> {
  await until(() => bench.listener.connectionCount === 0);
  await until(() => ledger.areAllOver);
  for (const endings of ledger.endings.values()) assert.equal(endings.length, 1, String(endings));
  const refusals = bench.handler.told.flatMap((each) => (each.kind === 'refused' ? [each.connection.id] : []));
  assert.equal(new Set(refusals).size, refusals.length);
  assert.deepEqual(bench.problems, []);
}

const LINES = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde',
  'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
  '\r\n',
  'garbage',
  '\0\u00ff',
  'Transfer-Encoding: chunked\r\n',
  '0\r\n\r\n',
  'zz\r\n',
] as const;

/** Real requests and rubbish, in any order, cut at any place, with a byte changed here and there. */
const hostileText = fc
  .tuple(
    fc.array(fc.constantFrom(...LINES), { minLength: 1, maxLength: 12 }),
    fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 2 }),
    fc.array(fc.nat(600), { maxLength: 4 }),
  )
  .map(([lines, changes, cuts]) => {
    const bytes = Buffer.from(lines.join(''), 'latin1');
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    const edges = [0, ...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length];
    return edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
  });

test('HTTP/1: no bytes whatever break the listener', async () => {
  await using bench = await Bench.start();
  await fc.assert(
    fc.asyncProperty(hostileText, fc.boolean(), async (pieces, closesAtOnce) => {
      const ledger = new Ledger();
      bench.handler.onExchange = ledger.take;
      const peer = await bench.raw();
      for (const piece of pieces) {
        if (peer.socket.writable) peer.send(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (closesAtOnce) peer.close();
      else peer.socket.end();
      await peer.ended;
      await check(bench, ledger);
    }),
    { numRuns: 120 },
  );
  assert.ok(await bench.works());
});

const streamId = fc.constantFrom(0, 1, 3, 5, 7, 2, 0x7fffffff);
const anyFrame = fc.oneof(
  fc
    .tuple(fc.nat(12), fc.nat(255), streamId, fc.uint8Array({ maxLength: 40 }))
    .map(([type, flags, id, payload]) => frame(type, flags, id, payload)),
  streamId.map((id) => getFrame(id)),
  streamId.map((id) => postFrame(id)),
  streamId.map((id) => frame(TYPE.data, FLAG.endStream, id, Buffer.from('body'))),
  streamId.map((id) => frame(TYPE.data, 0, id, Buffer.from('part'))),
  streamId.map((id) => frame(TYPE.headers, FLAG.endStream | FLAG.endHeaders, id, requestBlock('/', [['X', 'y']]))),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
);

test('HTTP/2: no frames whatever break the listener', async () => {
  await using bench = await Bench.start({ limits: { headTimeoutMs: 60 } });
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { maxLength: 12 }), fc.boolean(), async (frames, closesAtOnce) => {
      const ledger = new Ledger();
      bench.handler.onExchange = ledger.take;
      const peer = await bench.frames();
      for (const each of frames) {
        peer.send(each);
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (closesAtOnce) peer.close();
      else peer.socket.end();
      await peer.ended;
      await check(bench, ledger);
    }),
    { numRuns: 120 },
  );
  assert.ok(await bench.works());
});
