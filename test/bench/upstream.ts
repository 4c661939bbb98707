/** The agent of the bench: 1,000 bytes over HTTP/1.1, and a unary gRPC echo over h2c, in one process on loopback. Prints its ports. */
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';

const BODY = Buffer.alloc(1_000, 'x');

const http1 = createHttp((request, response) => {
  request.resume();
  response.writeHead(200, ['content-type', 'text/plain', 'content-length', String(BODY.length)]);
  response.end(BODY);
});
http1.keepAliveTimeout = 120_000;

const h2c = createHttp2();
h2c.on('stream', (stream: ServerHttp2Stream) => {
  const parts: Buffer[] = [];
  stream.on('error', () => undefined);
  stream.on('data', (chunk: Buffer) => parts.push(chunk));
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.concat(parts));
  });
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

console.log(JSON.stringify({ http1: await listen(http1), h2c: await listen(h2c) }));
process.on('SIGTERM', () => process.exit(0));
