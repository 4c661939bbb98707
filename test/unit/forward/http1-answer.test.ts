import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MAX_INTERIM_ANSWERS } from '../../../src/io/forward/answer.ts';
import { bodyToFeed, FakeDownstream, type FakeDownstreamOptions } from '../../support/fake-downstream.ts';
import { forwarderTo, outcomeOf, type permitted } from '../../support/forwarding.ts';
import { scriptedUpstream, type ScriptedConnection } from '../../support/scripted-upstream.ts';
import { untilStill } from '../../support/until-still.ts';

type Scene = { readonly request?: Parameters<typeof permitted>[0]; readonly downstream?: FakeDownstreamOptions };

/** One exchange with an upstream that does what `script` says. */
async function exchange(
  script: (connection: ScriptedConnection) => void | Promise<void>,
  { request = {}, downstream = {} }: Scene = {},
  during: (downstream: FakeDownstream) => Promise<void> = async () => {},
) {
  const upstream = await scriptedUpstream(script);
  const forwarder = forwarderTo('http1', upstream.port);
  const fake = new FakeDownstream(downstream);
  const outcome = outcomeOf(forwarder, fake, request);
  await during(fake);
  const result = { downstream: fake, outcome: await outcome };
  await forwarder.stop(0);
  await upstream.close();
  return result;
}

/** Answers the first request with `text`. */
const answering =
  (text: string) =>
  async (connection: ScriptedConnection): Promise<void> => {
    await connection.request();
    connection.send(text);
  };

test('an answer whose body comes with its head is one write', async () => {
  const { downstream, outcome } = await exchange(answering('HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello'));
  assert.deepEqual(downstream.events, [
    { kind: 'whole', status: 201, headers: ['content-length', '5'], body: 'hello', trailers: undefined },
  ]);
  assert.deepEqual(outcome, { kind: 'forwarded', status: 201, bytesIn: 0, bytesOut: 5 });
});

test('a body of known length that comes after its head is still one write', async () => {
  const { downstream } = await exchange(async (connection) => {
    await connection.request();
    connection.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    setImmediate(() => connection.send('hello'));
  });
  assert.deepEqual(downstream.kinds, ['whole']);
});

test('RFC 9112 7.1: a chunked answer that is complete at once is one write, without its coding', async () => {
  const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
  const { downstream } = await exchange(answering(text));
  assert.deepEqual(downstream.events, [{ kind: 'whole', status: 200, headers: [], body: 'abc', trailers: undefined }]);
});

test('RFC 9112 7.1.2: trailers of an answer are passed on, without those that frame or route', async () => {
  const text =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\nContent-Type: a\r\nX-Sum: 8\r\n\r\n';
  const { downstream } = await exchange(answering(text));
  const [event] = downstream.events;
  assert.deepEqual(event?.kind === 'whole' && event.trailers, ['x-sum', '7', 'x-sum', '8']);
});

test('server-sent events: head and events leave as they come', async () => {
  const headSeen = Promise.withResolvers<void>();
  const firstSeen = Promise.withResolvers<void>();
  const { downstream, outcome } = await exchange(
    async (connection) => {
      await connection.request();
      connection.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
      await headSeen.promise;
      connection.send('9\r\ndata: 1\n\n\r\n');
      await firstSeen.promise;
      connection.send('9\r\ndata: 2\n\n\r\n0\r\n\r\n');
    },
    {},
    async (fake) => {
      await fake.until(({ kinds }) => kinds.length === 1);
      headSeen.resolve();
      await fake.until(({ kinds }) => kinds.length === 2);
      firstSeen.resolve();
    },
  );
  assert.deepEqual(downstream.kinds, ['head', 'data', 'end']);
  assert.equal(downstream.received.toString(), 'data: 1\n\ndata: 2\n\n');
  assert.deepEqual(outcome, { kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 18 });
});

test('RFC 9110 7.6.1: fields about the connection are not passed on, nor those it names, nor ours', async () => {
  const fields = [
    'Connection: keep-alive, X-Private',
    'Keep-Alive: timeout=5',
    'X-Private: 1',
    'Proxy-Connection: close',
    'X-Forwarded-Client-Cert: By=spiffe://x',
    'X-Sallyport-Peer: a',
    'Set-Cookie: a=1',
    'Set-Cookie: b=2',
    'X-Latin: caf\u00e9',
    'Content-Length: 0',
  ];
  const { downstream } = await exchange(answering(`HTTP/1.1 200 OK\r\n${fields.join('\r\n')}\r\n\r\n`));
  assert.deepEqual(downstream.answer?.headers, [
    'set-cookie',
    'a=1',
    'set-cookie',
    'b=2',
    'x-latin',
    'caf\u00e9',
    'content-length',
    '0',
  ]);
});

test('OPA-Envoy response_headers_to_add: appended, never replacing', async () => {
  const { downstream } = await exchange(answering('HTTP/1.1 200 OK\r\nX-A: agent\r\nContent-Length: 0\r\n\r\n'), {
    request: { responseHeadersToAdd: ['x-a', 'policy', 'x-b', '2'] },
  });
  assert.deepEqual(downstream.answer?.headers, ['x-a', 'agent', 'content-length', '0', 'x-a', 'policy', 'x-b', '2']);
});

test('RFC 9110 15.2: interim answers are passed on, but for 100, which is ours', async () => {
  const text =
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: X-Gone\r\nX-Gone: 1\r\n\r\n' +
    'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const { downstream } = await exchange(answering(text));
  assert.deepEqual(downstream.events.slice(0, 2), [
    { kind: 'informational', status: 103, headers: ['link', '</a.css>; rel=preload'] },
    { kind: 'informational', status: 102, headers: [] },
  ]);
  assert.deepEqual(downstream.kinds, ['informational', 'informational', 'whole']);
});

test('more interim answers than any use are a fault of the agent', async () => {
  const { downstream, outcome } = await exchange(
    answering('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(MAX_INTERIM_ANSWERS + 1)),
  );
  assert.equal(outcome.kind === 'upstream-failed' && outcome.fault.code, 'upstream_protocol_error');
  assert.equal(downstream.kinds.filter((kind) => kind === 'informational').length, MAX_INTERIM_ANSWERS);
  assert.equal(downstream.kinds.at(-1), 'refuse');
});

for (const [status, head] of [
  [200, 'HTTP/1.1 200 OK\r\nContent-Length: 1000'],
  [200, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked'],
  [200, 'HTTP/1.1 200 OK'],
] as const) {
  test(`RFC 9110 9.3.2: the answer to HEAD has no body, whatever it announces (${head.slice(17) || 'nothing'})`, async () => {
    const { downstream, outcome } = await exchange(answering(`${head}\r\n\r\n`), { request: { method: 'HEAD' } });
    const [event] = downstream.events;
    assert.equal(event?.kind === 'whole' && event.body, undefined);
    assert.deepEqual(outcome, { kind: 'forwarded', status, bytesIn: 0, bytesOut: 0 });
  });
}

for (const [status, head] of [
  [204, 'HTTP/1.1 204 No Content'],
  [304, 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 1000'],
] as const) {
  test(`RFC 9110 15: ${status} ends with its head`, async () => {
    const { downstream, outcome } = await exchange(answering(`${head}\r\n\r\n`));
    assert.deepEqual(downstream.kinds, ['whole']);
    assert.deepEqual(outcome, { kind: 'forwarded', status, bytesIn: 0, bytesOut: 0 });
  });
}

test('RFC 9112 6.3: an answer without framing ends with its connection', async () => {
  const { downstream, outcome } = await exchange(async (connection) => {
    await connection.request();
    connection.send('HTTP/1.0 200 OK\r\n\r\nall of it');
    connection.socket.end();
  });
  assert.equal(downstream.received.toString(), 'all of it');
  assert.equal(outcome.kind, 'forwarded');
});

test('RFC 9112 9.3: an answer before the request ended is passed on, and the rest of the request is not read', async () => {
  const stream = bodyToFeed();
  const { downstream, outcome } = await exchange(
    async (connection) => {
      await connection.until(() => connection.raw.includes('first'));
      connection.send('HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig');
    },
    { request: { method: 'POST', body: { kind: 'stream' } }, downstream: { body: { kind: 'stream', stream } } },
    async () => {
      stream.push(Buffer.from('first'));
    },
  );
  assert.deepEqual(downstream.kinds, ['whole']);
  assert.deepEqual(outcome, { kind: 'forwarded', status: 413, bytesIn: 5, bytesOut: 3 });
  assert.equal(stream.destroyed, false, 'the stream is the listener’s to end');
  assert.equal(stream.listenerCount('data'), 0);
  assert.equal(stream.isPaused(), true);
});

test('an agent that writes faster than the peer reads is held back, and goes on when there is room', async () => {
  const piece = 'x'.repeat(16_384);
  const pieces = 400;
  let written = 0;
  const { downstream, outcome } = await exchange(
    async (connection) => {
      await connection.request();
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${piece.length * pieces}\r\n\r\n`);
      for (; written < pieces; written++) {
        if (!connection.socket.write(piece)) await new Promise((resolve) => connection.socket.once('drain', resolve));
      }
    },
    { downstream: { capacity: 65_536 } },
    async (fake) => {
      await fake.until(() => fake.onDrain !== undefined);
      const atPause = fake.bytesOut;
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(fake.bytesOut - atPause <= 131_072, 'what was read before the pause may still come');
      assert.ok(written < pieces, 'the agent is held back');
      while (fake.bytesOut < piece.length * pieces) {
        fake.drain();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  );
  assert.equal(downstream.received.equals(Buffer.from(piece.repeat(pieces))), true);
  assert.equal(outcome.kind, 'forwarded');
});

/** undici before 8.4 ended the process here, with an assertion that nothing can catch (nodejs/undici#5360). */
for (const fields of ['Connection: close\r\nContent-Length: 300000\r\n', 'Connection: close\r\n']) {
  test(`an agent that closes after its answer while the peer does not read: all of it arrives (${fields.length} bytes of fields)`, async () => {
    const { downstream, outcome } = await exchange(
      async (connection) => {
        await connection.request();
        connection.send(`HTTP/1.1 200 OK\r\n${fields}\r\n`);
        connection.socket.end(Buffer.alloc(300_000, 'x'));
      },
      { downstream: { capacity: 1 } },
      async (fake) => {
        await untilStill(() => fake.bytesOut);
        while (fake.bytesOut < 300_000) {
          fake.drain();
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    );
    assert.equal(downstream.received.length, 300_000);
    assert.deepEqual(outcome, { kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 300_000 });
  });
}

test('a peer that writes faster than the agent reads is held back', async () => {
  const stream = bodyToFeed();
  const release = Promise.withResolvers<void>();
  const total = 160;
  const { outcome } = await exchange(
    async (connection) => {
      await connection.head();
      connection.socket.pause();
      await release.promise;
      connection.socket.resume();
      await connection.request();
      connection.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    },
    {
      request: {
        method: 'POST',
        headers: ['content-length', String(total * 65_536)],
        body: { kind: 'length', bytes: total * 65_536 },
      },
      downstream: { body: { kind: 'stream', stream } },
    },
    async () => {
      for (let i = 0; i < total; i++) stream.push(Buffer.alloc(65_536));
      stream.push(null);
      assert.ok((await untilStill(() => stream.readableLength)) > 0, 'the body waits in the listener’s stream');
      release.resolve();
    },
  );
  assert.deepEqual(outcome, { kind: 'forwarded', status: 200, bytesIn: total * 65_536, bytesOut: 0 });
});
