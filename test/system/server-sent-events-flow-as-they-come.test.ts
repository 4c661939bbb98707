import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';

import { startHttpAgent } from '../support/http-agent.ts';
import { ask, connectHttp1, connectHttp2, get } from '../support/system-clients.ts';
import { ALLOW_ALL, startSystem } from '../support/system.ts';

/** The agent writes the next event only when the client has the one before: whatever holds events back stops the test. */
const EVENTS = ['data: one\n\n', 'data: two\n\n', ': comment\n\n', 'data: three\n\n'];

test('each server-sent event reaches the peer before the next is written', { timeout: 60_000 }, async (context) => {
  const streams: ServerResponse[] = [];
  const agent = await startHttpAgent(context, (request, response) => {
    if (request.url !== '/events') {
      response.end('plain');
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders();
    streams.push(response);
  });
  const system = await startSystem(context, { upstream: `http://127.0.0.1:${agent.port}`, policy: ALLOW_ALL });
  const { sidecar } = system;
  const bystander = await connectHttp1(context, system);

  await context.test('over HTTP/1.1', async (context) => {
    const peer = await connectHttp1(context, system);
    peer.send('GET /events HTTP/1.1\r\nHost: agent.test\r\nAccept: text/event-stream\r\n\r\n');
    const { status, headers } = await peer.head();
    assert.equal(status, 200, 'the head comes before any event');
    assert.ok(headers.some(([name, value]) => name.toLowerCase() === 'content-type' && value === 'text/event-stream'));
    const stream = streams.shift();
    assert.ok(stream);
    for (const event of EVENTS) {
      stream.write(event);
      assert.equal(await peer.until(event), `${event.length.toString(16)}\r\n${event}`, 'a chunk for each event');
      assert.equal(await peer.exactly(2), '\r\n');
    }
    assert.equal((await get(bystander, '/')).body, 'plain', 'others are served meanwhile');
    stream.end();
    assert.equal(await peer.exactly(5), '0\r\n\r\n');
    const records = await sidecar.recordsFrom(0, 2);
    const outcome = records.find(({ input }) => JSON.stringify(input).includes('/events'))?.sallyport.outcome;
    assert.deepEqual([outcome?.kind, outcome?.status, outcome?.bytes_out], ['forwarded', 200, EVENTS.join('').length]);
  });

  await context.test('over HTTP/2, until the peer has had enough', async (context) => {
    const session = await connectHttp2(context, system);
    const request = ask(session, { ':path': '/events' });
    request.setEncoding('utf8');
    await once(request, 'response');
    const stream = streams.shift();
    assert.ok(stream);
    for (const event of EVENTS) {
      stream.write(event);
      assert.deepEqual(await once(request, 'data'), [event]);
    }
    const before = sidecar.records().length;
    const gone = once(stream, 'close');
    request.close(8);
    await gone;
    const [record, ...more] = await sidecar.recordsFrom(before, 1);
    const { kind, fault, bytes_out: bytesOut } = record?.sallyport.outcome ?? {};
    assert.deepEqual([kind, fault, bytesOut], ['aborted', 'peer_aborted', EVENTS.join('').length]);
    assert.deepEqual(more, []);
    assert.equal((await get(bystander, '/')).body, 'plain');
  });
});
