import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';

import { McpCaller } from '../../../src/app/demo-mcp-caller.ts';
import { callerAndServer, portOf } from '../../support/demo-caller.ts';

import type { IncomingMessage, ServerResponse } from 'node:http';

type Message = { readonly id?: number; readonly method: string; readonly params?: { readonly name?: string } };
type Heard = { readonly what: string; readonly trace: string };

const SERVER_INFO = {
  protocolVersion: '2025-06-18',
  capabilities: { tools: {} },
  serverInfo: { name: 's', version: '1' },
};

/** A server of Streamable HTTP, as small as it can be: one session, no stream of its own. `open`: the status of `initialize`. */
async function mcpServer(context: TestContext, open = 200) {
  const heard: Heard[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const message: Message | undefined = body === '' ? undefined : JSON.parse(body);
    const trace = String(request.headers['traceparent']).slice(3, 35);
    heard.push({ what: message?.method ?? String(request.method), trace });
    if (message === undefined) return void response.writeHead(request.method === 'GET' ? 405 : 200).end();
    if (message.id === undefined) return void response.writeHead(202).end();
    if (message.method === 'initialize' && open === 0) return void request.socket.destroy();
    const status = message.method === 'initialize' ? open : message.params?.name === 'forbidden' ? 403 : 200;
    const result = message.method === 'initialize' ? SERVER_INFO : toolResult(message.params?.name);
    response.writeHead(status, { 'content-type': 'application/json', 'mcp-session-id': 'one' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
  };
  const { caller, tls } = callerAndServer();
  const server = createServer(tls, (request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const mcp = new McpCaller(caller, portOf(server));
  context.after(async () => {
    await mcp.close();
    server.close();
    server.closeAllConnections();
  });
  return { mcp, heard };
}

function toolResult(name: string | undefined): object {
  return { content: [{ type: 'text', text: 'hello' }], isError: name === 'broken' };
}

const traceOf = (heard: readonly Heard[], what: string): string | undefined =>
  heard.findLast((one) => one.what === what)?.trace;

test('opening a session is told by the exchange that carried `initialize`, not by those after it', async (context) => {
  const { mcp, heard } = await mcpServer(context);
  const seen = await mcp.open();
  assert.deepEqual(seen, { status: '200', traceId: traceOf(heard, 'initialize') });
  assert.notEqual(traceOf(heard, 'notifications/initialized'), seen.traceId);
});

test('a tool is called in the session, and each call has a trace of its own', async (context) => {
  const { mcp, heard } = await mcpServer(context);
  await mcp.open();
  const first = await mcp.callTool('echo', { message: 'hello' });
  assert.deepEqual(first, { status: '200', traceId: traceOf(heard, 'tools/call') });
  const second = await mcp.callTool('echo', { message: 'hello' });
  assert.deepEqual(second, { status: '200', traceId: traceOf(heard, 'tools/call') });
  assert.notEqual(first.traceId, second.traceId);
});

test('a refused tool is told by the status of its exchange, and the session goes on', async (context) => {
  const { mcp, heard } = await mcpServer(context);
  await mcp.open();
  assert.deepEqual(await mcp.callTool('forbidden', {}), { status: '403', traceId: traceOf(heard, 'tools/call') });
  assert.equal((await mcp.callTool('echo', {})).status, '200');
});

test('a tool that fails by itself is no plain 200', async (context) => {
  const { mcp } = await mcpServer(context);
  await mcp.open();
  assert.equal((await mcp.callTool('broken', {})).status, '200 with an error of the tool');
});

test('a connection that ends without an answer is `closed`', async (context) => {
  const { mcp } = await mcpServer(context, 0);
  assert.equal((await mcp.open()).status, 'closed');
});

test('closing ends the session as the protocol says', async (context) => {
  const { mcp, heard } = await mcpServer(context);
  await mcp.open();
  await mcp.close();
  assert.equal(heard.filter(({ what }) => what === 'DELETE').length, 1);
});
