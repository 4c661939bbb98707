import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';

import { probeGrpc } from '../../../src/io/probes/grpc-probe.ts';
import { probeTcp } from '../../../src/io/probes/tcp-probe.ts';
import { freePorts } from '../../support/free-ports.ts';
import { startHttpAgent, startTcpAgent } from '../../support/probe-agent.ts';

import type { IncomingHttpHeaders } from 'node:http2';

const LONG_MS = 20_000;
const SERVING = Uint8Array.from([0, 0, 0, 0, 2, 8, 1]);

async function startHealth(
  context: TestContext,
  serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: Buffer) => void,
): Promise<number> {
  const server: Http2Server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => serve(stream, headers, Buffer.concat(chunks)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function reply(stream: ServerHttp2Stream, message: Uint8Array, status = '0', http = 200): void {
  stream.respond({ ':status': http, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  stream.end(message);
}

describe('the rule of kubelet (pkg/probe/grpc)', () => {
  test('SERVING is well; the call names the service', async (context) => {
    const calls: unknown[] = [];
    const port = await startHealth(context, (stream, headers, body) => {
      calls.push([
        headers[':method'],
        headers[':path'],
        headers['content-type'],
        headers['te'],
        body.toString('latin1'),
      ]);
      reply(stream, SERVING);
    });
    assert.deepEqual(await probeGrpc({ port, service: 'a.B' }, LONG_MS), { ok: true });
    assert.deepEqual(calls, [
      ['POST', '/grpc.health.v1.Health/Check', 'application/grpc', 'trailers', '\0\0\0\0\x05\x0a\x03a.B'],
    ]);
  });

  test('NOT_SERVING, UNKNOWN and a status of gRPC are not', async (context) => {
    for (const [message, status, why] of [
      [Uint8Array.from([0, 0, 0, 0, 2, 8, 2]), '0', 'the service is not SERVING'],
      [Uint8Array.from([0, 0, 0, 0, 0]), '0', 'the service is not SERVING'],
      [SERVING, '12', 'answered grpc-status 12'],
      [SERVING, 'no number', 'answered grpc-status unknown'],
    ] as const) {
      const port = await startHealth(context, (stream) => reply(stream, message, status));
      assert.deepEqual(await probeGrpc({ port, service: '' }, LONG_MS), { ok: false, why });
    }
  });

  test('a trailers-only answer is read (gRPC over HTTP2, "Responses")', async (context) => {
    const port = await startHealth(context, (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true });
    });
    assert.deepEqual(await probeGrpc({ port, service: '' }, LONG_MS), { ok: false, why: 'answered grpc-status 5' });
  });

  test('another status of HTTP is not well', async (context) => {
    const port = await startHealth(context, (stream) => reply(stream, SERVING, '0', 503));
    assert.deepEqual(await probeGrpc({ port, service: '' }, LONG_MS), { ok: false, why: 'answered HTTP 503' });
  });
});

describe('a hostile agent', () => {
  test('that never answers, that speaks HTTP/1.1, that hangs up, or that is not there', async (context) => {
    const silent = await startTcpAgent(context, () => {});
    assert.deepEqual(await probeGrpc({ port: silent.port, service: '' }, 100), {
      ok: false,
      why: 'no answer within 100 ms',
    });
    const http1 = await startHttpAgent(context, (_request, response) => response.end());
    assert.equal((await probeGrpc({ port: http1.port, service: '' }, LONG_MS)).ok, false);
    const gone = await startTcpAgent(context, (socket) => socket.resetAndDestroy());
    assert.equal((await probeGrpc({ port: gone.port, service: '' }, LONG_MS)).ok, false);
    const [port = 0] = await freePorts(1);
    assert.equal((await probeGrpc({ port, service: '' }, LONG_MS)).ok, false);
  });

  test('that sends without end is cut', async (context) => {
    const { promise: cut, resolve } = Promise.withResolvers<undefined>();
    const port = await startHealth(context, (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.on('close', () => resolve(undefined));
      const more = (): void => {
        while (!stream.destroyed && stream.write(Buffer.alloc(16_384)));
        if (!stream.destroyed) stream.once('drain', more);
      };
      more();
    });
    assert.deepEqual(await probeGrpc({ port, service: '' }, LONG_MS), {
      ok: false,
      why: 'the answer is no health status: it is too long',
    });
    await cut;
  });

  test('that answers and keeps the stream open is not well when the time is up', async (context) => {
    const port = await startHealth(context, (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write(SERVING);
    });
    assert.equal((await probeGrpc({ port, service: '' }, 200)).ok, false);
  });
});

describe('the rule of kubelet (pkg/probe/tcp)', () => {
  test('a connection that is accepted is well, and is closed without a byte', async (context) => {
    const { promise: received, resolve } = Promise.withResolvers<number>();
    const { port } = await startTcpAgent(context, (socket) =>
      socket.on('close', () => resolve(socket.bytesRead)).resume(),
    );
    assert.deepEqual(await probeTcp(port, LONG_MS), { ok: true });
    assert.equal(await received, 0);
  });

  test('one that is refused is not', async () => {
    const [port = 0] = await freePorts(1);
    assert.equal((await probeTcp(port, LONG_MS)).ok, false);
  });
});
