import { connect as connectHttp2, constants } from 'node:http2';
import { connect as connectNet, type Socket } from 'node:net';

import { frame, FrameReader } from './framing.ts';
import { statusIn, statusOfHttp } from './grpc-status.ts';
import { SECURITY_HEADER } from './method.ts';

import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2';
import type { Endpoint } from './endpoint.ts';
import type { GrpcStatus } from './grpc-status.ts';

/** How a call ended: as its server says, or because nothing sensible could be had from it. `detail` is for the operator. */
export type CallEnd =
  | { readonly kind: 'status'; readonly status: GrpcStatus }
  | { readonly kind: 'broken'; readonly detail: string };

/** Who follows a call. `ended` is called exactly once and last, unless the call was closed before. */
export interface CallListener {
  message(bytes: Uint8Array): void;
  ended(end: CallEnd): void;
}

/** One call that a server answers with a stream of messages, on a connection of its own. */
export interface Call {
  /** Ends it. Nothing is told from then on. Resolves when the connection is gone. */
  close(): Promise<void>;
}

/** Receive window, so that a message of the largest size comes in few round trips, and what nobody reads yet stays bounded. */
const WINDOW_BYTES = 1_048_576;

/** Opens the call with an empty request: those of this API have no fields that we use. Never throws. */
export function openCall(endpoint: Endpoint, method: string, listener: CallListener): Call {
  return new StreamingCall(endpoint, method, listener);
}

type Head = IncomingHttpHeaders & IncomingHttpStatusHeader;

class StreamingCall implements Call {
  readonly #listener: CallListener;
  readonly #socket: Socket;
  readonly #session: ClientHttp2Session;
  readonly #reader = new FrameReader();
  readonly #gone = Promise.withResolvers<void>();
  #status: GrpcStatus | undefined;
  #broken: string | undefined;
  #isOver = false;

  constructor(endpoint: Endpoint, method: string, listener: CallListener) {
    this.#listener = listener;
    this.#socket =
      endpoint.kind === 'unix' ? connectNet(endpoint.path) : connectNet({ host: endpoint.host, port: endpoint.port });
    // Heard before the stream's own error, which only says that it was cancelled.
    this.#socket.on('error', (error) => this.#breaks(reasonOf(error)));
    this.#socket.setKeepAlive(endpoint.kind === 'tcp', 60_000);
    this.#session = connectHttp2('http://localhost', {
      createConnection: () => this.#socket,
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    });
    this.#session.on('error', (error) => this.#breaks(reasonOf(error)));
    this.#session.once('connect', () => this.#session.setLocalWindowSize(WINDOW_BYTES));
    this.#session.on('goaway', (code) => {
      if (code !== constants.NGHTTP2_NO_ERROR) this.#breaks(`the connection was ended with code ${code} (GOAWAY)`);
    });
    this.#session.once('close', () => {
      this.#over();
      this.#gone.resolve();
    });
    this.#follow(
      this.#session.request({
        ':method': 'POST',
        ':path': method,
        'content-type': 'application/grpc',
        te: 'trailers',
        [SECURITY_HEADER]: 'true',
      }),
    );
  }

  close(): Promise<void> {
    this.#isOver = true;
    this.#session.destroy();
    this.#socket.destroy();
    return this.#gone.promise;
  }

  #follow(stream: ClientHttp2Stream): void {
    stream.on('error', (error) => this.#breaks(reasonOf(error)));
    stream.once('response', (head) => this.#head(head));
    stream.once('trailers', (trailers) => (this.#status ??= statusIn(trailers)));
    stream.on('data', (chunk: Buffer) => this.#data(chunk));
    stream.once('close', () => {
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR)
        this.#breaks(`the stream was reset with code ${stream.rstCode}`);
      this.#over();
    });
    stream.end(frame(new Uint8Array(0)));
  }

  #head(head: Head): void {
    this.#status = statusIn(head);
    const http = head[':status'] ?? 0;
    if (http !== 200) this.#status ??= statusOfHttp(http);
    const type = head['content-type'] ?? '';
    if (http === 200 && !/^application\/grpc(?:\+proto)?(?:;|$)/i.test(type))
      this.#give('what answers is no gRPC service');
    const encoding = head['grpc-encoding'] ?? 'identity';
    if (encoding !== 'identity') this.#give('it compresses messages, which nobody asked for');
  }

  #data(chunk: Uint8Array): void {
    if (this.#isOver || this.#broken !== undefined || this.#status !== undefined) return;
    const messages = this.#reader.push(chunk);
    if (!messages.ok) this.#give(messages.error.detail);
    else for (const message of messages.value) if (!this.#isOver) this.#listener.message(message);
  }

  /** We end it: what comes cannot be read. */
  #give(detail: string): void {
    this.#breaks(detail);
    this.#over();
  }

  /** The first reason is the cause; those after follow from it. */
  #breaks(detail: string): void {
    this.#broken ??= detail;
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#session.destroy();
    this.#socket.destroy();
    this.#listener.ended(this.#end());
  }

  #end(): CallEnd {
    if (this.#status !== undefined && this.#status.code !== 0) return { kind: 'status', status: this.#status };
    if (this.#broken !== undefined) return { kind: 'broken', detail: this.#broken };
    if (this.#reader.isWithin) return { kind: 'broken', detail: 'it ended within a message' };
    if (this.#status === undefined) return { kind: 'broken', detail: 'it ended without a status' };
    return { kind: 'status', status: this.#status };
  }
}

function reasonOf(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return REASONS[code] ?? (code === '' ? error.message : code);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket; is the agent running?',
  ECONNREFUSED: 'nobody listens there; is the agent running?',
  EACCES: 'this process may not open the socket: see its mode and that of its folder',
  ENOTSOCK: 'that is no socket',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ERR_HTTP2_ERROR: 'what answers does not speak HTTP/2',
  ERR_HTTP2_SESSION_ERROR: 'the connection was ended with an error',
};
