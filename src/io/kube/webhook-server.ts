import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import { ConnectionRoom } from './connection-room.ts';
import { failedReview } from './failed-review.ts';
import { readReview } from './webhook-body.ts';

import type { Clock, Timer } from '../../core/kernel/clock.ts';
import type { ServedCertificate, ServingSource } from './served-certificate.ts';
import type { BodyRoom } from './webhook-body.ts';
import type { WebhookObserver, WebhookOutcome } from './webhook-observer.ts';

/** Bounds of the webhook. Times in milliseconds. */
export type WebhookLimits = {
  /** Open ones, shared fairly by the addresses that they come from (`ConnectionRoom`). Default 256. */
  readonly connections: number;
  /** Largest AdmissionReview. Default 7 MiB: the API server takes 3 MiB of an object, an update carries the old one as well. */
  readonly bodyBytes: number;
  /** Bodies that are being read, all together. Default 64 MiB. */
  readonly roomBytes: number;
  /** For the TLS handshake, and for a head. Default 5,000. */
  readonly headMs: number;
  /** For a whole request to arrive. Default 10,000, which is how long the API server waits by default. */
  readonly requestMs: number;
  /** For the handler. Default 9,000. */
  readonly answerMs: number;
};

export type WebhookSettings = {
  /** A literal address; port 0 asks the system for a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Default `/inject`. */
  readonly path?: string | undefined;
  readonly limits?: Partial<WebhookLimits> | undefined;
};

/** What to answer to the text of an AdmissionReview. */
export type ReviewAnswer =
  /** `text`: the AdmissionReview that goes back. */
  | { readonly kind: 'answered'; readonly text: string; readonly outcome: WebhookOutcome }
  /** It is none; `detail` is for whoever sent it. */
  | { readonly kind: 'malformed'; readonly detail: string };

export type WebhookDeps = {
  readonly serving: Pick<ServingSource, 'current' | 'onChange'>;
  /** Where it throws or takes too long, the pod is not let in. */
  readonly answer: (text: string) => ReviewAnswer | Promise<ReviewAnswer>;
  readonly observer: WebhookObserver;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: { error(fields: Readonly<Record<string, unknown>>, message: string): void };
};

/** `POST /inject` over HTTPS, for the API server. It is started once. */
export interface WebhookServer {
  /** Binds; handshakes fail until there is a certificate. Rejects where the address cannot be had. */
  start(): Promise<{ readonly address: string; readonly port: number }>;
  /** Whether the API server should call here: there is a certificate, and no stop was asked for. */
  readonly ready: boolean;
  /**
   * Not ready from now on, but serving for `serveOnMs` more, since it takes a while until nobody is sent here; each answer asks for the connection to
   * be closed. Then it stops accepting, and what is under way may take `graceMs`.
   */
  stop(serveOnMs: number, graceMs: number): Promise<void>;
}

/** Where the API server posts to unless it is told otherwise. */
export const INJECT_PATH = '/inject';

const DEFAULTS: WebhookLimits = {
  connections: 256,
  bodyBytes: 7_340_032,
  roomBytes: 67_108_864,
  headMs: 5_000,
  requestMs: 10_000,
  answerMs: 9_000,
};
const MAX_HEAD = 16_384;
const MAX_FIELDS = 64;
const CHECK_MS = 500;
/** Longer than the API server keeps an idle connection (90 s, client-go's transport): where we closed first, a request on its way would be lost, and a POST is not tried again. */
const KEEP_ALIVE_MS = 120_000;

/** Creates the server without effects. TLS 1.2 at least, HTTP/1.1; new connections get the newest certificate, those that are open go on. */
export function createWebhookServer(settings: WebhookSettings, deps: WebhookDeps): WebhookServer {
  return new HttpsWebhook(settings, deps);
}

type Reply = {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly outcome: WebhookOutcome;
};

class HttpsWebhook implements WebhookServer {
  readonly #listen: WebhookSettings['listen'];
  readonly #deps: WebhookDeps;
  readonly #path: string;
  readonly #limits: WebhookLimits;
  readonly #room: BodyRoom;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #connections: ConnectionRoom<Socket>;
  #hasCertificate = false;
  #stopping: Promise<void> | undefined;
  #unfollow: (() => void) | undefined;

  constructor({ listen, path = INJECT_PATH, limits }: WebhookSettings, deps: WebhookDeps) {
    this.#listen = listen;
    this.#path = path;
    this.#deps = deps;
    this.#limits = { ...DEFAULTS, ...limits };
    this.#room = { used: 0, maxBytes: this.#limits.roomBytes, readings: new Set() };
    this.#connections = new ConnectionRoom(this.#limits.connections);
    this.#server = this.#create();
  }

  get ready(): boolean {
    return this.#hasCertificate && this.#stopping === undefined && this.#server.listening;
  }

  start(): Promise<{ readonly address: string; readonly port: number }> {
    const { serving } = this.#deps;
    this.#unfollow = serving.onChange((certificate) => this.#serve(certificate));
    const certificate = serving.current();
    if (certificate !== undefined) this.#serve(certificate);
    const { promise, resolve, reject } = Promise.withResolvers<{ address: string; port: number }>();
    this.#server.once('error', reject);
    this.#server.listen(this.#listen.port, this.#listen.host, () => {
      this.#server.off('error', reject);
      const { address, port } = this.#server.address() as AddressInfo;
      resolve({ address, port });
    });
    return promise;
  }

  stop(serveOnMs: number, graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(serveOnMs, graceMs);
    return this.#stopping;
  }

  async #stop(serveOnMs: number, graceMs: number): Promise<void> {
    const { timer } = this.#deps;
    if (serveOnMs > 0 && this.#server.listening) await new Promise<void>((resolve) => timer(serveOnMs, resolve));
    this.#unfollow?.();
    if (!this.#server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = timer(graceMs, () => this.#cut());
    this.#server.close(() => resolve());
    this.#server.closeIdleConnections();
    await promise;
    cancel();
  }

  /** Every connection, also those whose handshake is not over, which Node's `closeAllConnections` does not know. */
  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #create(): Server {
    const { headMs, requestMs } = this.#limits;
    const tls = { minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'], handshakeTimeout: headMs } as const;
    const http = {
      maxHeaderSize: MAX_HEAD,
      headersTimeout: headMs,
      requestTimeout: requestMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_MS,
      requireHostHeader: true,
      noDelay: true,
    } as const;
    const server = createServer({ ...tls, ...http }, (request, response) => void this.#receive(request, response));
    server.maxHeadersCount = MAX_FIELDS;
    // Under TLS too this is the connection before its handshake.
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        this.#connections.leave(socket);
      });
      this.#connections.enter(socket)?.destroy();
    });
    return server;
  }

  /** The last certificate stays where the new one cannot be used: Node throws before it replaces anything. */
  #serve({ certificate, privateKey }: ServedCertificate): void {
    try {
      this.#server.setSecureContext({ cert: certificate, key: privateKey, minVersion: 'TLSv1.2' });
      this.#hasCertificate = true;
    } catch {
      this.#deps.log.error({}, 'webhook: the new certificate cannot be used; the last one stays');
    }
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, observer } = this.#deps;
    const begun = clock.monotonicMs();
    const reply = await this.#reply(request);
    observer.answered(reply.outcome, clock.monotonicMs() - begun);
    this.#send(request, response, reply);
  }

  #send(request: IncomingMessage, response: ServerResponse, { status, type, body }: Reply): void {
    response.on('error', () => undefined);
    // What was not read to its end is not read any more; and who is to go elsewhere is told so.
    const close = !request.complete || this.#stopping !== undefined;
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      ...(status === 405 && { allow: 'POST' }),
      ...(status === 429 && { 'retry-after': '1' }),
      ...(close && { connection: 'close' }),
    });
    response.end(body);
  }

  async #reply(request: IncomingMessage): Promise<Reply> {
    // The API server says its timeout in the query.
    const [path = ''] = (request.url ?? '').split('?', 1);
    if (path !== this.#path) return refusal(404, `there is nothing here but ${this.#path}`);
    if (request.method !== 'POST') return refusal(405, 'POST only');
    const text = await readReview(request, this.#limits.bodyBytes, this.#room);
    return text.ok ? this.#answer(text.value) : refusal(text.error.status, text.error.detail);
  }

  async #answer(text: string): Promise<Reply> {
    try {
      const answer = await this.#inTime(async () => this.#deps.answer(text));
      if (answer.kind === 'malformed') return refusal(400, answer.detail);
      return { status: 200, type: 'application/json', body: answer.text, outcome: answer.outcome };
    } catch (error) {
      // The text of an error may hold parts of the pod; its kind and where it came from do not.
      this.#deps.log.error({ error: whereOf(error) }, 'webhook: a request failed; the pod was not let in');
      const body = failedReview(text);
      return body === undefined
        ? refusal(500, 'internal error')
        : { status: 200, type: 'application/json', body, outcome: { kind: 'failed' } };
    }
  }

  async #inTime<T>(action: () => Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const cancel = this.#deps.timer(this.#limits.answerMs, () => reject(new AnswerTimeout()));
    try {
      return await Promise.race([action(), promise]);
    } finally {
      cancel();
    }
  }
}

class AnswerTimeout extends Error {
  override readonly name = 'AnswerTimeout';
}

function refusal(status: number, detail: string): Reply {
  const kind = status === 429 || status >= 500 ? 'failed' : 'malformed';
  return { status, type: 'text/plain; charset=utf-8', body: `sallyport: ${detail}\n`, outcome: { kind } };
}

/** The name of an error, and the lines of code that it came through. */
function whereOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [error.name, ...frames.slice(0, 4).map((line) => line.trim())].join(' ');
}
