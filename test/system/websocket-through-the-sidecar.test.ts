import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';

import { WebSocket, WebSocketServer } from 'ws';

import type { DecisionRecord } from '../../src/core/model/record.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { startSystem, type System } from '../support/system.ts';

/** The real process before a ws server, called by ws clients. Paths below `/forbidden` are refused. */
const POLICY = `package test.authz

default decision := false

decision if input.parsed_path[0] != "forbidden"
`;

const HANDSHAKE = [
  'Host: agent.test',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
].join('\r\n');

type Agent = {
  readonly port: number;
  /** Handshakes that reached it. */
  readonly handshakes: readonly IncomingMessage[];
  /** Sockets it has accepted. */
  readonly sockets: readonly WebSocket[];
};

/** Echoes messages; `/busy` is answered 429, `/bye` is closed with 4001 at once. */
async function startAgent(context: TestContext): Promise<Agent> {
  const handshakes: IncomingMessage[] = [];
  const sockets: WebSocket[] = [];
  const webSockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] ?? false });
  webSockets.on('connection', (socket, request) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    if (request.url === '/bye') socket.close(4001, 'enough');
    socket.on('message', (data: Buffer, isBinary) => socket.send(data, { binary: isBinary }));
  });
  const server = createServer((_request, response) => response.end('plain'));
  server.on('upgrade', (request, socket, head) => {
    handshakes.push(request);
    socket.on('error', () => undefined);
    if (request.url === '/busy')
      socket.end('HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nlate');
    else webSockets.handleUpgrade(request, socket, head, (each) => webSockets.emit('connection', each, request));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(async () => {
    for (const socket of sockets) socket.terminate();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, handshakes, sockets };
}

function open(context: TestContext, system: System, path: string, protocols: string[] = []): WebSocket {
  const url = `wss://127.0.0.1:${system.sidecar.port}${path}`;
  const socket = new WebSocket(url, protocols, { ...system.tls(), perMessageDeflate: false });
  socket.on('error', () => undefined);
  context.after(() => socket.terminate());
  return socket;
}

/** The answer that a handshake got instead of 101. */
async function declined(
  socket: WebSocket,
): Promise<{ readonly status: number; readonly body: string; readonly retry?: string }> {
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  const retry = response.headers['retry-after'];
  return { status: response.statusCode ?? 0, body, ...(retry !== undefined && { retry }) };
}

const facts = ({ sallyport: { verdict, fault, outcome } }: DecisionRecord): unknown => [
  verdict,
  fault,
  outcome.kind,
  outcome.status,
];

async function begin(context: TestContext): Promise<{ readonly agent: Agent; readonly system: System }> {
  const agent = await startAgent(context);
  const system = await startSystem(context, { upstream: `http://127.0.0.1:${agent.port}`, policy: POLICY });
  return { agent, system };
}

test(
  'an allowed WebSocket carries text, binary, ping and close codes both ways',
  { timeout: 60_000 },
  async (context) => {
    const { agent, system } = await begin(context);
    const socket = open(context, system, '/talk?who=me', ['chat.v2']);
    await once(socket, 'open');
    assert.equal(socket.protocol, 'chat.v2');
    assert.equal(agent.handshakes[0]?.url, '/talk?who=me');

    socket.send('grüße');
    assert.deepEqual(await once(socket, 'message'), [Buffer.from('grüße'), false]);
    socket.send(Buffer.from([0, 255, 128]));
    assert.deepEqual(await once(socket, 'message'), [Buffer.from([0, 255, 128]), true]);

    const large = Buffer.alloc(1_048_576, 'one megabyte ');
    socket.send(large);
    const [back] = (await once(socket, 'message')) as [Buffer];
    assert.ok(back.equals(large));

    socket.ping('are you there');
    assert.deepEqual(await once(socket, 'pong'), [Buffer.from('are you there')]);
    const [served] = agent.sockets;
    assert.ok(served);
    const pinged = once(socket, 'ping');
    served.ping('and you');
    assert.deepEqual(await pinged, [Buffer.from('and you')]);

    assert.equal(system.sidecar.records().length, 0, 'it is one exchange, and has not ended');
    const closedAtAgent = once(served, 'close');
    socket.close(4002, 'done');
    assert.deepEqual(await closedAtAgent, [4002, Buffer.from('done')]);
    const [record, ...more] = await system.sidecar.recordsFrom(0, 1);
    assert.deepEqual(record && facts(record), ['allow', undefined, 'forwarded', 101]);
    const { bytes_in: bytesIn = 0, bytes_out: bytesOut = 0 } = record?.sallyport.outcome ?? {};
    // Every frame that the client sends has four bytes of mask more (RFC 6455 5.2): seven frames and the message bytes.
    assert.ok(bytesIn > large.length && bytesIn < large.length + 200, `${bytesIn} in`);
    assert.ok(bytesOut > large.length && bytesOut < bytesIn, `${bytesOut} out`);
    assert.deepEqual(more, []);
    assert.equal(
      await system.sidecar.metric(
        'sallyport_requests_total{direction="inbound",style="websocket",verdict="allow",fault="none"}',
      ),
      1,
    );
  },
);

test('a close code of the agent reaches the client', { timeout: 60_000 }, async (context) => {
  const { system } = await begin(context);
  assert.deepEqual(await once(open(context, system, '/bye'), 'close'), [4001, Buffer.from('enough')]);
  const [record] = await system.sidecar.recordsFrom(0, 1);
  assert.deepEqual(record && facts(record), ['allow', undefined, 'forwarded', 101]);
});

test('a client that is simply gone ends it at the agent, with a record', { timeout: 60_000 }, async (context) => {
  const { agent, system } = await begin(context);
  const socket = open(context, system, '/talk');
  await once(socket, 'open');
  const [served] = agent.sockets;
  assert.ok(served);
  const closed = once(served, 'close');
  socket.terminate();
  const [code] = (await closed) as [number];
  assert.equal(code, 1006, 'no close frame was made up');
  assert.equal((await system.sidecar.recordsFrom(0, 1)).length, 1);
});

test('a WebSocket that policy refuses: 403, and the agent hears nothing', { timeout: 60_000 }, async (context) => {
  const { agent, system } = await begin(context);
  const bystander = open(context, system, '/talk');
  await once(bystander, 'open');
  const { status, body } = await declined(open(context, system, '/forbidden/talk'));
  assert.equal(status, 403);
  assert.deepEqual(Object.keys(JSON.parse(body) as object).sort(), ['decision_id', 'status', 'title', 'type']);
  const [record, ...more] = await system.sidecar.recordsFrom(0, 1);
  assert.deepEqual(record && facts(record), ['deny', 'policy_denied', 'refused', 403]);
  assert.equal(record?.decision_id, (JSON.parse(body) as { decision_id: string }).decision_id);
  assert.deepEqual(more, []);
  assert.equal(agent.handshakes.length, 1, 'only the bystander');
  bystander.send('still here');
  assert.deepEqual(await once(bystander, 'message'), [Buffer.from('still here'), false]);
});

test("the agent's own refusal passes with its status, headers and body", { timeout: 60_000 }, async (context) => {
  const { system } = await begin(context);
  assert.deepEqual(await declined(open(context, system, '/busy')), { status: 429, body: 'late', retry: '7' });
  const [record] = await system.sidecar.recordsFrom(0, 1);
  assert.deepEqual(record && facts(record), ['allow', undefined, 'forwarded', 429]);
});

test(
  'RFC 6455 4.1: bytes before the 101 are refused, and the agent hears nothing',
  { timeout: 60_000 },
  async (context) => {
    const upstream = await startEchoUpstream();
    context.after(upstream.close);
    const system = await startSystem(context, { upstream: `http://127.0.0.1:${upstream.port}`, policy: POLICY });
    const bystander = await connectHttp1(context, system);
    const peer = await connectRaw({ port: system.sidecar.port, tls: system.tls() });
    context.after(() => peer.close());
    peer.send(`GET /socket HTTP/1.1\r\n${HANDSHAKE}\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: agent.test\r\n\r\n`);
    const { status } = await peer.response();
    assert.equal(status, 400);
    assert.equal(await peer.rest(), '', 'and it is closed');
    const [record, ...more] = await system.sidecar.recordsFrom(0, 1);
    assert.deepEqual(record && facts(record), ['deny', 'upgrade_refused', 'refused', 400]);
    assert.deepEqual(more, []);
    assert.equal((await get(bystander, '/next')).status, 200);
    assert.deepEqual(
      upstream.received.map(({ requestLine }) => requestLine),
      ['GET /next HTTP/1.1'],
    );
  },
);

test('an agent that is not there: 502, and the record says so', { timeout: 60_000 }, async (context) => {
  // tcpmux: nobody serves it.
  const system = await startSystem(context, { upstream: 'http://127.0.0.1:1', policy: POLICY });
  assert.equal((await declined(open(context, system, '/talk'))).status, 502);
  const [record] = await system.sidecar.recordsFrom(0, 1);
  assert.deepEqual(record && facts(record), ['allow', undefined, 'upstream-failed', 502]);
  assert.equal(record?.sallyport.outcome.fault, 'upstream_unreachable');
});
