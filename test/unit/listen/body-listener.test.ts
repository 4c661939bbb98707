import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import type { CollectedBody, Enough } from '../../../src/core/gate/exchange.ts';
import { BodyListener } from '../../../src/io/listen/body-listener.ts';
import { Bench, readAll } from './harness.ts';
import { ask, connectH2 } from './http2-client.ts';

/** What is heard of these chunks; undefined where nothing was. */
function heard(
  limit: number,
  enough: Enough | undefined,
  chunks: readonly Uint8Array[],
  ends: boolean,
): CollectedBody[] {
  const calls: CollectedBody[] = [];
  const listener = new BodyListener(limit, enough, (body) => calls.push(body));
  for (const chunk of chunks) listener.hear(chunk);
  if (ends) listener.end();
  return calls;
}

describe('hearing a body as it goes by', () => {
  test('whatever the chunks: its beginning up to the limit, whole or not, once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 }),
        fc.integer({ min: 1, max: 64 }),
        fc.boolean(),
        (chunks, limit, ends) => {
          const all = Buffer.concat(chunks);
          const [body, ...more] = heard(limit, undefined, chunks, ends);
          assert.deepEqual(more, []);
          if (all.length > limit) assert.deepEqual(body, { bytes: all.subarray(0, limit), complete: false });
          else assert.deepEqual(body, ends ? { bytes: all, complete: true } : undefined);
        },
      ),
    );
  });

  test('it stops where there is enough', () => {
    const [body] = heard(100, () => 4, [Buffer.from('ab'), Buffer.from('cdef'), Buffer.from('gh')], true);
    assert.deepEqual(body, { bytes: Buffer.from('abcdef'), complete: false });
  });

  test('a chunk larger than all that is wanted is not copied whole', () => {
    const [body] = heard(4, undefined, [Buffer.alloc(1_000_000, 'a')], false);
    assert.deepEqual(body, { bytes: Buffer.from('aaaa'), complete: false });
    assert.ok((body?.bytes.buffer.byteLength ?? 0) < 100_000);
  });
});

describe('on the wire', () => {
  test('HTTP/1.1: nothing is asked for, and whoever reads gets every byte', async () => {
    await using bench = await Bench.start();
    const bodies: CollectedBody[] = [];
    bench.handler.onExchange = (exchange) => exchange.overhearBody(100, undefined, (body) => bodies.push(body));
    const peer = await bench.raw();
    peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    const { exchange } = await bench.handler.next('exchange');
    assert.ok(exchange.body.kind === 'stream');
    const whole = readAll(exchange.body.stream);
    assert.deepEqual(bodies, []);
    peer.send('2\r\nde\r\n0\r\n\r\n');
    assert.equal(await whole, 'abcde');
    assert.deepEqual(bodies, [{ bytes: Buffer.from('abcde'), complete: true }]);
    exchange.respondWhole(200, [], undefined, undefined);
    assert.equal((await peer.response()).status, 200);
  });

  test('HTTP/1.1: a peer that waits for 100 (Continue) is not told to go on', async () => {
    await using bench = await Bench.start();
    const bodies: CollectedBody[] = [];
    bench.handler.onExchange = (exchange) => {
      exchange.overhearBody(100, undefined, (body) => bodies.push(body));
      exchange.respondWhole(403, [], undefined, undefined);
    };
    const peer = await bench.raw();
    peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n');
    assert.equal((await peer.head()).status, 403);
    assert.deepEqual(bodies, []);
  });

  test('HTTP/2: likewise; what is over when the exchange is over is not heard', async () => {
    await using bench = await Bench.start();
    const bodies: CollectedBody[] = [];
    bench.handler.onExchange = (exchange) => exchange.overhearBody(4, undefined, (body) => bodies.push(body));
    const session = await connectH2(bench);
    const long = ask(session, { ':method': 'POST' }, false);
    long.end('abcdef');
    const { exchange } = await bench.handler.next('exchange');
    assert.ok(exchange.body.kind === 'stream');
    assert.equal(await readAll(exchange.body.stream), 'abcdef');
    assert.deepEqual(bodies, [{ bytes: Buffer.from('abcd'), complete: false }]);

    const broken = ask(session, { ':method': 'POST' }, false);
    broken.on('error', () => {});
    broken.write('ab');
    const second = await bench.handler.next('exchange');
    const { promise: closed, resolve } = Promise.withResolvers<undefined>();
    second.exchange.onClosed = () => resolve(undefined);
    // `close` would end the body before it resets.
    broken.destroy(new Error('gone'));
    await closed;
    assert.equal(bodies.length, 1);
  });

  test('HTTP/1.1: a body that breaks off is not heard', async () => {
    await using bench = await Bench.start();
    const bodies: CollectedBody[] = [];
    bench.handler.onExchange = (exchange) => exchange.overhearBody(100, undefined, (body) => bodies.push(body));
    const peer = await bench.raw();
    peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc');
    const { exchange } = await bench.handler.next('exchange');
    if (exchange.body.kind === 'stream') exchange.body.stream.resume();
    const { promise: closed, resolve } = Promise.withResolvers<undefined>();
    exchange.onClosed = () => resolve(undefined);
    peer.socket.destroy();
    await closed;
    assert.deepEqual(bodies, []);
  });

  test('a request without a body is heard whole at once', async () => {
    await using bench = await Bench.start();
    const bodies: CollectedBody[] = [];
    bench.handler.onExchange = (exchange) => {
      exchange.overhearBody(4, undefined, (body) => bodies.push(body));
      exchange.respondWhole(200, [], undefined, undefined);
    };
    const peer = await bench.raw();
    peer.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await peer.response()).status, 200);
    assert.deepEqual(bodies, [{ bytes: new Uint8Array(0), complete: true }]);
  });
});
