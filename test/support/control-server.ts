import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';

import { createAuthority } from './pki.ts';
import { until } from './until.ts';

/** What a server of OPA's management APIs can do wrong with a request. */
export type ControlFault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Never answers. */
  | { readonly kind: 'silent' }
  /** Sends a head and half of a body, then nothing more. */
  | { readonly kind: 'stalled' }
  /** Sends half of the body that it announced and cuts the connection. */
  | { readonly kind: 'truncated' }
  /** Cuts the connection without an answer. */
  | { readonly kind: 'reset' }
  /** A page for people with status 200. */
  | { readonly kind: 'page' }
  /** A body without end, without a length. */
  | { readonly kind: 'endless' }
  /** Gzip that becomes a thousand times as much. */
  | { readonly kind: 'bomb' }
  | { readonly kind: 'redirect'; readonly to: string }
  /** Answers as it should, though its answer is lost on the way: the connection is cut after the request was taken. */
  | { readonly kind: 'lost-answer' };

export type Received = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** True where the client showed a certificate that the authority of the server has issued. */
  readonly certified: boolean;
};

/** One decision-log event, or a notice. */
export type Event = Readonly<Record<string, unknown>>;

/**
 * A bundle server, decision-log receiver and status receiver in one, over HTTPS on loopback, with a certificate of its own authority: what OPA's documentation
 * says of the three APIs, as simple as can be. A real OPA is its client in test/conformance, which shows that it speaks what OPA speaks.
 */
export class ControlServer {
  /** The authority of its certificate, PEM. */
  readonly trustPem: string;
  readonly authority = createAuthority({ trustDomain: 'control.test' });
  readonly received: Received[] = [];
  /** Uploads that were taken, each an array of events. */
  readonly uploads: (readonly Event[])[] = [];
  /** Compressed size of each of those. */
  readonly uploadBytes: number[] = [];
  readonly statuses: Readonly<Record<string, unknown>>[] = [];
  /** Answers in the way of a server that can hold requests. */
  longPolling = false;
  /** What requests are asked for; nothing where undefined. */
  token: string | undefined;
  /** Largest upload that is taken, bytes; larger ones are answered 413. */
  maxUpload = Number.POSITIVE_INFINITY;
  /** By path; until they are taken away. */
  readonly faults = new Map<string, ControlFault>();
  readonly #server: Server;
  readonly #held = new Set<() => void>();
  #bundle: { readonly bytes: Uint8Array; readonly etag: string } | undefined;
  #port = 0;

  constructor(dnsName = 'localhost') {
    const issued = this.authority.issue({ uris: [], dnsNames: [dnsName], subject: dnsName });
    this.trustPem = this.authority.bundlePem;
    const tls = {
      key: issued.keyPem,
      cert: issued.chainPem,
      ca: this.trustPem,
      requestCert: true,
      rejectUnauthorized: false,
    };
    this.#server = createServer(tls, (request, response) => void this.#serve(request, response));
  }

  url(path: string): string {
    return `https://localhost:${this.#port}${path}`;
  }

  /** Puts a bundle in place, or takes it away. The tag follows from its bytes unless one is given. */
  offer(bytes: Uint8Array | undefined, etag?: string): void {
    this.#bundle = bytes && { bytes, etag: etag ?? `"${createHash('sha256').update(bytes).digest('hex')}"` };
    for (const release of this.#held) release();
  }

  /** Requests for `path` so far. */
  count(path: string): number {
    return this.received.filter((one) => one.path === path).length;
  }

  /** Requests that are held. */
  get held(): number {
    return this.#held.size;
  }

  /** All events of all uploads, in their order. */
  get events(): readonly Event[] {
    return this.uploads.flat();
  }

  /** Waits until `path` was asked for `more` times from now on. */
  async asked(path: string, more = 1): Promise<void> {
    const from = this.count(path);
    await until(`${more} requests for ${path}`, () => this.count(path) >= from + more);
  }

  /** Listens on the port that it had before, or on a free one. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody listens any more, and nothing stays open. It can be started again. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path } = new URL(request.url ?? '/', 'https://localhost');
    const socket = request.socket as IncomingMessage['socket'] & { readonly authorized: boolean };
    this.received.push({ method: request.method ?? '', path, headers: request.headers, certified: socket.authorized });
    const body = await bodyOf(request);
    if (body === undefined) return;
    if (this.token !== undefined && request.headers.authorization !== `Bearer ${this.token}`) {
      response.writeHead(401).end();
      return;
    }
    const fault = this.faults.get(path);
    if (fault !== undefined && fault.kind !== 'lost-answer') {
      misbehave(fault, request, response);
      return;
    }
    if (fault !== undefined) response.end = cutInstead(request, response);
    if (path.startsWith('/bundles/')) await this.#serveBundle(request, response);
    else if (path === '/logs') this.#takeUpload(request, response, body);
    else if (path === '/status') {
      this.statuses.push(JSON.parse(body.toString()) as Record<string, unknown>);
      response.writeHead(200).end();
    } else response.writeHead(404).end();
  }

  async #serveBundle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const known = request.headers['if-none-match'] ?? '';
    const wait = /wait=(\d+)/.exec(String(request.headers['prefer'] ?? ''))?.[1];
    if (this.longPolling && wait !== undefined && this.#bundle?.etag === known)
      await this.#hold(Number(wait) * 1_000, response);
    if (response.destroyed) return;
    const bundle = this.#bundle;
    const type = this.longPolling ? 'application/vnd.openpolicyagent.bundles' : 'application/gzip';
    if (bundle === undefined) response.writeHead(404).end();
    else if (bundle.etag === known) response.writeHead(304, { etag: bundle.etag, 'content-type': type }).end();
    else response.writeHead(200, { etag: bundle.etag, 'content-type': type }).end(bundle.bytes);
  }

  #hold(ms: number, response: ServerResponse): Promise<void> {
    return new Promise((resolve) => {
      const release = (): void => {
        clearTimeout(timer);
        this.#held.delete(release);
        resolve();
      };
      const timer = setTimeout(release, ms);
      this.#held.add(release);
      response.once('close', release);
    });
  }

  #takeUpload(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    if (body.length > this.maxUpload) {
      response.writeHead(413).end();
      return;
    }
    const text = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body).toString() : body.toString();
    this.uploads.push(JSON.parse(text) as readonly Event[]);
    this.uploadBytes.push(body.length);
    response.writeHead(200).end();
  }
}

/** Starts one that is gone when the test ends. */
export async function startControlServer(context: TestContext, dnsName?: string): Promise<ControlServer> {
  const server = new ControlServer(dnsName);
  await server.start();
  context.after(() => server.stop());
  return server;
}

function misbehave(
  fault: Exclude<ControlFault, { kind: 'lost-answer' }>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  switch (fault.kind) {
    case 'status':
      response.writeHead(fault.status, fault.headers).end('{"code": "made by the test"}');
      return;
    case 'silent':
      return;
    case 'stalled':
      response.writeHead(200, { 'content-type': 'application/gzip', 'content-length': 1_000 }).write('half');
      return;
    case 'truncated':
      response.writeHead(200, { 'content-type': 'application/gzip', 'content-length': 1_000 });
      response.write('half', () => request.socket.destroy());
      return;
    case 'reset':
      request.socket.destroy();
      return;
    case 'page':
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<h1>Please log in</h1>');
      return;
    case 'endless':
      response.writeHead(200, { 'content-type': 'application/gzip' });
      pour(response);
      return;
    case 'bomb':
      response
        .writeHead(200, { 'content-type': 'application/gzip' })
        .end((bomb ??= gzipSync(Buffer.alloc(300 * 1_048_576))));
      return;
    case 'redirect':
      response.writeHead(307, { location: fault.to }).end();
      return;
    default:
      fault satisfies never;
  }
}

/** Made when it is first wanted: that takes a second. */
let bomb: Buffer | undefined;

function pour(response: ServerResponse): void {
  const piece = Buffer.alloc(1_048_576);
  const more = (): void => {
    while (!response.destroyed && response.write(piece)) {
      // As much as goes without waiting.
    }
  };
  response.on('drain', more);
  more();
}

function cutInstead(request: IncomingMessage, response: ServerResponse): ServerResponse['end'] {
  return ((): ServerResponse => {
    request.socket.destroy();
    return response;
  }) as ServerResponse['end'];
}

/** The whole body; undefined where the client went away. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of request) pieces.push(piece as Buffer);
    return Buffer.concat(pieces);
  } catch {
    return undefined;
  }
}
