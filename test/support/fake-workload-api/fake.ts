import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { createServer as createNetServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { TestContext } from 'node:test';

import { tempFolder } from '../temp-folder.ts';

/** What the fake does with one call. */
export type Act = (stream: ServerHttp2Stream) => void | Promise<void>;

/** A Workload API that does as it is told, right or wrong: each call gets the next act, and calls beyond get silence. */
export interface FakeWorkloadApi {
  readonly socket: string;
  /** Heads of the calls so far. */
  readonly calls: readonly IncomingHttpHeaders[];
  next(...acts: readonly Act[]): void;
  /** The stream of the newest call. */
  stream(): ServerHttp2Stream;
}

/** Starts one on a unix socket; it ends with the test. */
export async function startFakeWorkloadApi(context: TestContext, ...acts: readonly Act[]): Promise<FakeWorkloadApi> {
  const waiting = [...acts];
  const calls: IncomingHttpHeaders[] = [];
  let newest: ServerHttp2Stream | undefined;
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => undefined);
    stream.resume();
    calls.push(headers);
    newest = stream;
    void waiting.shift()?.(stream);
  });
  context.after(() => sessions.forEach((session) => session.destroy()));
  return {
    socket: `unix://${await listen(context, server)}`,
    calls,
    next: (...more) => void waiting.push(...more),
    stream: () => newest ?? raise('there was no call yet'),
  };
}

/** Something on a unix socket that speaks no HTTP/2: it answers every connection with these bytes, and ends it where `end` says so. */
export async function startStranger(context: TestContext, bytes: string, end: boolean): Promise<string> {
  const server = createNetServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(bytes);
    if (end) socket.end();
    context.after(() => socket.destroy());
  });
  return `unix://${await listen(context, server)}`;
}

async function listen(context: TestContext, server: Server): Promise<string> {
  const path = join(await tempFolder(context), 'api.sock');
  server.listen(path);
  await once(server, 'listening');
  context.after(() => server.close());
  return path;
}

function raise(message: string): never {
  throw new Error(message);
}

/** One after the other. */
export function inOrder(...acts: readonly Act[]): Act {
  return async (stream) => {
    for (const act of acts) await act(stream);
  };
}

/** The head of an answer, with fields that differ. */
export function head(fields: Readonly<Record<string, string | number>> = {}): Act {
  return (stream) =>
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...fields }, { waitForTrailers: true });
}

/** Messages in frames; the stream stays open. */
export function messages(...all: readonly Uint8Array[]): Act {
  return (stream) => all.forEach((message) => stream.write(framed(message)));
}

/** Bytes as they are. */
export function bytes(...all: readonly Uint8Array[]): Act {
  return (stream) => all.forEach((chunk) => stream.write(chunk));
}

/** The end, with these trailers. */
export function trailers(fields: Readonly<Record<string, string>>): Act {
  return (stream) => {
    stream.once('wantTrailers', () => stream.sendTrailers(fields));
    stream.end();
  };
}

/** An answer of a head only. */
export function onlyHead(fields: Readonly<Record<string, string | number>>): Act {
  return (stream) =>
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...fields }, { endStream: true });
}

/** A status without messages (gRPC, "Trailers-Only"). */
export function status(code: number, message = ''): Act {
  return onlyHead({ 'grpc-status': String(code), 'grpc-message': encodeURIComponent(message) });
}

/**
 * RST_STREAM, in a turn of its own: Node 26.10 falls into an endless loop within nghttp2 where a stream that waits for trailers is closed with CANCEL in the
 * same turn as it was written to.
 */
export function reset(code: number): Act {
  return async (stream) => {
    await nextTurn();
    stream.close(code);
  };
}

/** A message with its prefix. */
export function framed(message: Uint8Array, flag = 0, length = message.length): Uint8Array {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}
