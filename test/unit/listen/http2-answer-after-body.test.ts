import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { test } from 'node:test';

import type { Outcome } from '../../../src/core/model/outcome.ts';
import type { HttpExchange } from '../../../src/io/listen/downstream.ts';
import { answerOf, Bench, endingOf, fault, readAll, until } from './harness.ts';
import { answer, ask, connectH2 } from './http2-client.ts';

// Where the request has ended before its answer does, Node closes the stream with the answer's END_STREAM and never emits `finish`. Taken for a
// reset by the peer, every POST was recorded as aborted, and 500 of them were a flood.

const ANSWERS: Readonly<Record<string, (exchange: HttpExchange) => void>> = {
  'in one piece': (exchange) => exchange.respondWhole(200, ['content-length', '2'], Buffer.from('ok'), undefined),
  'without a body': (exchange) => exchange.respondWhole(204, [], undefined, undefined),
  'in pieces': (exchange) => {
    exchange.respondHead(200, ['content-length', '4']);
    exchange.respondData(Buffer.from('ok'));
    exchange.respondEnd(undefined, Buffer.from('ok'));
  },
  'in pieces without a length': (exchange) => {
    exchange.respondHead(200, []);
    exchange.respondData(Buffer.from('ok'));
    exchange.respondEnd(undefined, undefined);
  },
  'with trailers': (exchange) => exchange.respondWhole(200, [], Buffer.from('ok'), ['grpc-status', '0']),
};

for (const [name, respond] of Object.entries(ANSWERS)) {
  test(`an answer ${name} to a request that was read to its end was sent`, async () => {
    await using bench = await Bench.start();
    const endings: string[] = [];
    bench.handler.onExchange = (exchange) => {
      void endingOf(exchange).then((ending) => endings.push(ending));
      if (exchange.body.kind === 'stream') void readAll(exchange.body.stream).then(() => respond(exchange));
    };
    const stream = ask(await connectH2(bench), { ':method': 'POST' }, false);
    stream.end('body');
    await answer(stream);
    await until(() => endings.length > 0);
    assert.deepEqual(endings, ['sent']);
  });
}

test('promise 3: a request refused after its body was read has the outcome refused, and no number of them is a flood', async () => {
  await using bench = await Bench.start();
  const outcomes: Outcome[] = [];
  bench.handler.onExchange = (exchange) =>
    exchange.collectBody(64, undefined, () =>
      exchange.refuse(answerOf(fault('policy_denied', '')), (outcome) => outcomes.push(outcome)),
    );
  const session = await connectH2(bench);
  for (let round = 0; round < 12; round++) {
    // oxlint-disable-next-line no-await-in-loop -- no more at once than a connection may have
    await Promise.all(
      Array.from({ length: 50 }, () => {
        const stream = ask(session, { ':method': 'POST' }, false);
        stream.end('body');
        return answer(stream);
      }),
    );
  }
  await until(() => outcomes.length === 600);
  assert.deepEqual([...new Set(outcomes.map((outcome) => outcome.kind))], ['refused']);
  assert.deepEqual(bench.handler.faults, []);
  assert.equal(session.closed, false);
});

test('a peer that resets while the answer waits for its window has aborted', async () => {
  await using bench = await Bench.start();
  const endings: string[] = [];
  bench.handler.onExchange = (exchange) => {
    void endingOf(exchange).then((ending) => endings.push(ending));
    exchange.collectBody(64, undefined, () => exchange.respondWhole(200, [], Buffer.alloc(200_000), undefined));
  };
  const stream = ask(await connectH2(bench), { ':method': 'POST' }, false);
  stream.pause().end('body');
  await new Promise((resolve) => stream.once('response', resolve));
  stream.close(constants.NGHTTP2_CANCEL);
  await until(() => endings.length > 0);
  assert.deepEqual(endings, ['peer peer_aborted']);
});
