import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import { test, type TestContext } from 'node:test';

import { HttpCaller } from '../../../src/app/demo-http-caller.ts';
import { callerAndServer, portOf } from '../../support/demo-caller.ts';

import type { RequestListener } from 'node:http';

async function served(context: TestContext, answer: RequestListener) {
  const { caller, tls } = callerAndServer();
  const server: Server = createServer(tls, answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const http = new HttpCaller(caller, portOf(server));
  context.after(async () => {
    await http.close();
    server.close();
    server.closeAllConnections();
  });
  return http;
}

test('the status is what the server answered, the trace the one that it was sent', async (context) => {
  const heard: string[] = [];
  const http = await served(context, (request, response) => {
    heard.push(`${request.method} ${request.url} ${String(request.headers['traceparent'])}`);
    response.writeHead(request.method === 'DELETE' ? 204 : 403).end();
  });
  const read = await http.call('GET', '/reports/weekly');
  const removed = await http.call('DELETE', '/reports/weekly');
  assert.deepEqual([read.status, removed.status], ['403', '204']);
  assert.notEqual(read.traceId, removed.traceId);
  assert.match(heard[0] ?? '', new RegExp(`^GET /reports/weekly 00-${read.traceId}-[0-9a-f]{16}-01$`));
  assert.match(heard[1] ?? '', new RegExp(`^DELETE /reports/weekly 00-${removed.traceId}-`));
});

test('a connection that ends without an answer is `closed`', async (context) => {
  const http = await served(context, (request) => request.socket.destroy());
  assert.equal((await http.call('GET', '/')).status, 'closed');
});

test('a server of another authority is not called, and that is no `closed`', async (context) => {
  const { caller } = callerAndServer();
  const { tls } = callerAndServer();
  let called = false;
  const server = createServer(tls, () => (called = true)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const http = new HttpCaller(caller, portOf(server));
  context.after(async () => {
    await http.close();
    server.close();
    server.closeAllConnections();
  });
  const { status } = await http.call('GET', '/');
  assert.match(status, /certificate/);
  assert.equal(called, false);
});
