import { once } from 'node:events';
import { connect, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import type { TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';

import type { Issued } from './pki.ts';
import { connectRaw, type RawPeer, type RawResponse } from './raw-http1-peer.ts';
import type { SidecarProcess } from './sidecar-process.ts';
import type { System } from './system.ts';

/** What a client needs to know of a system. */
export type Reachable = Pick<System, 'tls'> & { readonly sidecar: Pick<SidecarProcess, 'port'> };

/** A raw HTTP/1.1 connection of the ordinary peer, or of another; closed with the test. */
export async function connectHttp1(context: TestContext, system: Reachable, issued?: Issued): Promise<RawPeer> {
  const peer = await connectRaw({ port: system.sidecar.port, tls: system.tls(issued) });
  context.after(() => peer.close());
  return peer;
}

/** One request without a body on a kept connection, and its response. */
export async function get(peer: RawPeer, target: string, headers = ''): Promise<RawResponse> {
  peer.send(`GET ${target} HTTP/1.1\r\nHost: agent.test\r\n${headers}\r\n`);
  return peer.response();
}

/** One request with a body of known length, and its response. */
export async function post(peer: RawPeer, target: string, type: string, body: string | Buffer): Promise<RawResponse> {
  const bytes = Buffer.from(body);
  const head = `POST ${target} HTTP/1.1\r\nHost: agent.test\r\nContent-Type: ${type}\r\nContent-Length: ${bytes.length}\r\n\r\n`;
  peer.send(Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
  return peer.response('POST');
}

/** An HTTP/2 session of the ordinary peer, or of another; destroyed with the test. */
export async function connectHttp2(
  context: TestContext,
  system: Reachable,
  issued?: Issued,
): Promise<ClientHttp2Session> {
  const socket = connectTls({ port: system.sidecar.port, host: '127.0.0.1', ...system.tls(issued, 'h2') });
  await once(socket, 'secureConnect');
  const session = connect('https://agent.test', { createConnection: () => socket });
  session.on('error', () => undefined);
  context.after(() => session.destroy());
  return session;
}

/** What came back on one HTTP/2 stream. */
export type StreamAnswer = {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: IncomingHttpHeaders;
  readonly rstCode: number;
};

/** Opens a stream whose errors end up in `StreamAnswer.rstCode`. */
export function ask(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string | number>>,
  endStream = true,
): ClientHttp2Stream {
  const stream = session.request({ ':path': '/', ...headers }, { endStream });
  stream.on('error', () => undefined);
  return stream;
}

/** Settles when the stream has closed, whichever way; its errors are the caller's to hear. */
export async function closeOf(stream: ClientHttp2Stream): Promise<void> {
  if (stream.closed && stream.destroyed) return;
  await new Promise<void>((resolve) => stream.once('close', resolve));
}

/** Everything that comes back until the stream closes. */
export async function answer(stream: ClientHttp2Stream): Promise<StreamAnswer> {
  const chunks: Buffer[] = [];
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on('response', (each) => (headers = each));
  stream.on('trailers', (each) => (trailers = each));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await closeOf(stream);
  return { headers, trailers, body: Buffer.concat(chunks), rstCode: stream.rstCode ?? -1 };
}

/** Head of a gRPC call as HTTP/2 fields. */
export function grpcHead(path: string): Readonly<Record<string, string>> {
  return { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
}

/** A gRPC message with its prefix (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export function grpcMessage(payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** Something that is open through the sidecar, and the promise of its end. */
export type OpenThing = { readonly name: string; readonly ended: Promise<unknown> };

const UPGRADE = [
  'Host: agent.test',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
].join('\r\n');

/** A WebSocket whose frames are none: after the 101 the echo upstream gives bytes back as they are. */
export async function openWebSocket(context: TestContext, system: Reachable, issued?: Issued): Promise<RawPeer> {
  const peer = await connectHttp1(context, system, issued);
  peer.send(`GET /socket HTTP/1.1\r\n${UPGRADE}\r\n\r\n`);
  const { status } = await peer.head();
  if (status !== 101) throw new Error(`the upgrade was answered ${status}`);
  peer.send('ping');
  await peer.exactly(4);
  return peer;
}

/** A gRPC stream that has got its first message back from the echo upstream. */
export async function openGrpcStream(
  context: TestContext,
  system: Reachable,
  issued?: Issued,
): Promise<ClientHttp2Stream> {
  const session = await connectHttp2(context, system, issued);
  const stream = ask(session, grpcHead('/test.Echo/Stream'), false);
  stream.write(grpcMessage('first'));
  await once(stream, 'data');
  return stream;
}

/** An upload over HTTP/1.1 whose body stands still after it has begun. */
export async function openUpload(context: TestContext, system: Reachable, issued?: Issued): Promise<RawPeer> {
  const peer = await connectHttp1(context, system, issued);
  peer.send('POST /upload HTTP/1.1\r\nHost: agent.test\r\nContent-Length: 10\r\n\r\n12345');
  return peer;
}

/** One of each kind of thing that can be open, before an echo upstream at `auto://`. */
export async function openEverything(
  context: TestContext,
  system: Reachable,
  issued?: Issued,
): Promise<readonly OpenThing[]> {
  const stream = await openGrpcStream(context, system, issued);
  const socket = await openWebSocket(context, system, issued);
  const upload = await openUpload(context, system, issued);
  return [
    { name: 'a gRPC stream', ended: closeOf(stream) },
    { name: 'a WebSocket', ended: socket.ended },
    { name: 'an upload', ended: upload.ended },
  ];
}
