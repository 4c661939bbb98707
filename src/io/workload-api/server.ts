import { createServer } from 'node:http2';

import { createBundleStream } from './bundle-stream.ts';
import { GRPC } from './grpc-status.ts';
import { answerInHead, Outbox } from './outbox.ts';
import { askedBy, takeRequest } from './request.ts';
import { listenOn, prepareSocket } from './socket-file.ts';
import { createSvidStream } from './svid-stream.ts';
import { systemTimer } from './timer.ts';

import type { Timer } from '../../core/kernel/clock.ts';
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { SocketAccess } from './socket-file.ts';
import type { ServedStream, StreamDeps } from './svid-stream.ts';

export type WorkloadApiServerSettings = {
  /** Absolute path of the unix socket, without `unix://`. */
  readonly path: string;
  /** Who may open it. Default `owner`. */
  readonly access?: SocketAccess | undefined;
  /** Connections at a time; default 256. */
  readonly maxCallers?: number | undefined;
  /** Streams at a time over all connections, each with keys and certificates of its own; default 1,000. */
  readonly maxStreams?: number | undefined;
};

export type WorkloadApiServerDeps = Omit<StreamDeps, 'timer'> & { readonly timer?: Timer | undefined };

/** The SPIFFE Workload API for local callers, X.509 only. */
export interface WorkloadApiServer {
  /** Binds. Rejects where the folder lets others in, somebody listens already, or the path cannot be had (start-up faults). */
  start(): Promise<void>;
  /** Ends all streams with `Unavailable`; connections may take `graceMs` to close. The socket is removed. */
  stop(graceMs: number): Promise<void>;
  figures(): { readonly callers: number; readonly streams: number };
}

/** Streams on one connection: a caller follows SVIDs and bundles, and asks for a third when it restarts one. */
const STREAMS_PER_CALLER = 16;

/** A connection without streams is closed after this long, milliseconds. */
const IDLE_MS = 60_000;

/**
 * Creates the server. Whoever can open the socket gets every identity that `issuer` names: Node cannot read the credentials of a peer, so folder and
 * mode are the guard, and are checked at `start`.
 */
export function createWorkloadApiServer(
  settings: WorkloadApiServerSettings,
  deps: WorkloadApiServerDeps,
): WorkloadApiServer {
  return new LocalServer(settings, deps);
}

class LocalServer implements WorkloadApiServer {
  readonly #settings: WorkloadApiServerSettings;
  readonly #deps: StreamDeps;
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #streams = new Map<ServedStream, Outbox>();
  #endTrust: () => void = () => undefined;

  constructor(settings: WorkloadApiServerSettings, deps: WorkloadApiServerDeps) {
    this.#settings = settings;
    this.#deps = { ...deps, timer: deps.timer ?? systemTimer };
    this.#server = createServer({
      settings: { maxConcurrentStreams: STREAMS_PER_CALLER, enableConnectProtocol: false },
      maxSessionMemory: 16,
    });
    this.#server.maxConnections = settings.maxCallers ?? 256;
    this.#server.on('session', (session) => this.#greet(session));
    this.#server.on('sessionError', () => undefined);
    this.#server.on('stream', (stream: ServerHttp2Stream, headers) => this.#serve(stream, headers));
  }

  async start(): Promise<void> {
    const { path, access = 'owner' } = this.#settings;
    await prepareSocket(path, access);
    await listenOn(this.#server, path, access);
    this.#endTrust = this.#deps.issuer.onTrust(() => {
      for (const stream of this.#streams.keys()) stream.changed();
    });
  }

  async stop(graceMs: number): Promise<void> {
    this.#endTrust();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const [stream, outbox] of this.#streams) {
      stream.close();
      outbox.end({ code: GRPC.unavailable, message: 'the server stops' });
    }
    for (const session of this.#sessions) session.close();
    const cancel = this.#deps.timer(graceMs, () => {
      for (const session of this.#sessions) session.destroy();
    });
    await promise;
    cancel();
  }

  figures(): { readonly callers: number; readonly streams: number } {
    return { callers: this.#sessions.size, streams: this.#streams.size };
  }

  /** A connection is kept while it has a stream, or had one a minute ago. */
  #greet(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    let open = 0;
    const idle = (): (() => void) => this.#deps.timer(IDLE_MS, () => session.close());
    let cancel = idle();
    session.on('error', () => undefined);
    session.on('stream', (stream) => {
      open += 1;
      cancel();
      stream.once('close', () => {
        open -= 1;
        if (open === 0 && !session.destroyed) cancel = idle();
      });
    });
    session.once('close', () => {
      cancel();
      this.#sessions.delete(session);
    });
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => undefined);
    const asked = askedBy(headers);
    if (asked.kind === 'not-grpc') return answerInHead(stream, { ':status': asked.http }, this.#deps.timer);
    const outbox = new Outbox(stream, this.#deps.timer);
    if (asked.kind === 'refused') return outbox.end(asked.status);
    if (this.#streams.size >= (this.#settings.maxStreams ?? 1_000))
      return outbox.end({ code: GRPC.resourceExhausted, message: 'too many streams are open' });
    const served =
      asked.kind === 'x509-svid' ? createSvidStream(outbox, this.#deps) : createBundleStream(outbox, this.#deps.issuer);
    this.#streams.set(served, outbox);
    stream.once('close', () => {
      this.#streams.delete(served);
      served.close();
    });
    takeRequest(stream, this.#deps.timer, (wrong) => {
      if (wrong === undefined) served.start();
      else outbox.end(wrong);
    });
  }
}
