import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import { Http1Reader, type Http1Message } from './http1-reader.ts';

/** What the upstream received, byte for byte. */
export type Received = {
  readonly protocol: 'http/1.1' | 'h2c' | 'websocket' | 'tcp';
  /** As on the wire, for example `POST /a?b HTTP/1.1`; empty for h2c and TCP. */
  readonly requestLine: string;
  /** Flat list, names and values as received; pseudo-header fields included for h2c. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly trailers: readonly string[];
};

/** The same as JSON: what the upstream answers unless the target starts with `/echo`, which gets the body back. */
export type Report = Omit<Received, 'body'> & { readonly bodySha256: string; readonly bodyBytes: number };

export type EchoUpstream = {
  readonly port: number;
  /** Everything received so far, complete requests only; tunnels when they end. */
  readonly received: readonly Received[];
  /** Connections accepted so far. */
  readonly accepted: () => number;
  /** The next request that completes, or the first of those that have and were not taken yet. */
  readonly next: () => Promise<Received>;
  readonly close: () => Promise<void>;
};

/** Options of the upstream: `tcp` echoes bytes without reading them as HTTP. */
export type EchoOptions = { readonly tcp?: boolean; readonly path?: string };

/**
 * An ordinary agent on loopback that tells what reached it: HTTP/1.1 (read by a parser of its own, which corrects nothing), h2c with prior
 * knowledge, WebSocket (`/refuse` is answered 403, anything else is switched and echoed) and TCP, all on one port. gRPC calls get their messages
 * back as they come, and `grpc-status: 0`.
 */
export async function startEchoUpstream(options: EchoOptions = {}): Promise<EchoUpstream> {
  const log = new ReceivedLog();
  const sockets = new Set<Socket>();
  let accepted = 0;
  const http2 = createHttp2Server();
  http2.on('stream', (stream: ServerHttp2Stream, _headers, _flags, raw) => serveHttp2(stream, raw, log));
  http2.on('sessionError', () => {});
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    if (options.tcp === true) serveTcp(socket, log);
    else detectProtocol(socket, log, () => http2.emit('connection', socket));
  });
  if (options.path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(options.path);
  await once(server, 'listening');
  return {
    port: options.path === undefined ? (server.address() as AddressInfo).port : 0,
    received: log.all,
    accepted: () => accepted,
    next: () => log.next(),
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** `Received` as the JSON that is answered. */
export function reportOf(received: Received): Report {
  const { body, ...rest } = received;
  return { ...rest, bodySha256: createHash('sha256').update(body).digest('hex'), bodyBytes: body.length };
}

class ReceivedLog {
  readonly all: Received[] = [];
  #taken = 0;
  #waiting: (() => void)[] = [];

  add(received: Received): void {
    this.all.push(received);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async next(): Promise<Received> {
    while (this.all.length <= this.#taken) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const received = this.all[this.#taken] as Received;
    this.#taken += 1;
    return received;
  }
}

function detectProtocol(socket: Socket, log: ReceivedLog, speaksHttp2: () => void): void {
  socket.once('data', (first: Buffer) => {
    socket.pause();
    socket.unshift(first);
    if (first.toString('latin1', 0, 3) === 'PRI') speaksHttp2();
    else {
      serveHttp1(socket, log);
      socket.resume();
    }
  });
}

function serveHttp1(socket: Socket, log: ReceivedLog): void {
  const reader = new Http1Reader((message) => {
    const upgrade = valueOf(message.headers, 'upgrade')?.toLowerCase() === 'websocket';
    if (upgrade && !message.requestLine.startsWith('GET /refuse')) {
      socket.off('data', onData);
      serveWebSocket(socket, message, log);
      return;
    }
    const received: Received = { protocol: 'http/1.1', ...message };
    log.add(received);
    answerHttp1(socket, received, upgrade);
  });
  const onData = (bytes: Buffer): void => reader.push(bytes);
  socket.on('data', onData).on('end', () => socket.end());
}

function answerHttp1(socket: Socket, received: Received, refused: boolean): void {
  const [method = '', target = ''] = received.requestLine.split(' ');
  const echo = target.startsWith('/echo');
  const body = echo ? received.body : Buffer.from(JSON.stringify(reportOf(received)));
  const type = echo ? 'application/octet-stream' : 'application/json';
  const status = refused ? '403 Forbidden' : '200 OK';
  const head = `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
  socket.write(Buffer.concat([Buffer.from(head, 'latin1'), method === 'HEAD' ? Buffer.alloc(0) : body]));
}

function serveWebSocket(socket: Socket, message: Http1Message, log: ReceivedLog): void {
  const key = valueOf(message.headers, 'sec-websocket-key') ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  echoBytes(socket, (body) => log.add({ protocol: 'websocket', ...message, body }));
}

function serveTcp(socket: Socket, log: ReceivedLog): void {
  echoBytes(socket, (body) => log.add({ protocol: 'tcp', requestLine: '', headers: [], body, trailers: [] }));
}

function echoBytes(socket: Socket, ended: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('close', () => ended(Buffer.concat(chunks)));
  socket.pipe(socket);
}

function serveHttp2(stream: ServerHttp2Stream, headers: string[], log: ReceivedLog): void {
  const chunks: Buffer[] = [];
  let trailers: string[] = [];
  const isGrpc = (valueOf(headers, 'content-type') ?? '').startsWith('application/grpc');
  const target = valueOf(headers, ':path') ?? '';
  stream.on('error', () => {});
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('trailers', (_headers, _flags, raw: string[]) => (trailers = raw));
  if (isGrpc) echoCall(stream);
  stream.on('end', () => {
    const received: Received = { protocol: 'h2c', requestLine: '', headers, body: Buffer.concat(chunks), trailers };
    log.add(received);
    if (isGrpc || stream.destroyed) return;
    const echo = target.startsWith('/echo');
    stream.respond({ ':status': 200, 'content-type': echo ? 'application/octet-stream' : 'application/json' });
    stream.end(echo ? received.body : JSON.stringify(reportOf(received)));
  });
}

function echoCall(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': '' }));
  stream.pipe(stream);
}

/** First value of a field in a flat list, whatever its case. */
export function valueOf(list: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < list.length; i += 2) if (list[i]?.toLowerCase() === name) return list[i + 1];
  return undefined;
}
