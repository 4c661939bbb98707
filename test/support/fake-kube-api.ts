import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';

import { FakeKubeStore, type StoredEvent } from './fake-kube-store.ts';
import { createAuthority } from './pki.ts';

/** What the API can do instead of answering as it should. */
export type KubeFault =
  | { readonly kind: 'status'; readonly status: number; readonly reason?: string; readonly retryAfter?: string }
  /** This text, with status 200. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'silent' }
  /** Sends half of its answer, then nothing more. */
  | { readonly kind: 'stalled' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'endless' }
  /** A watch that sends this, as it is, and ends. */
  | { readonly kind: 'watch'; readonly text: string };

export type KubeCall = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly type: string;
  readonly body: unknown;
};

/**
 * The objects of a Kubernetes API server over HTTPS on loopback: get, list by pages, watch with bookmarks, create, update and patches, with real
 * resourceVersions: an old one is a conflict, a compacted one is gone.
 */
export class FakeKubeApi {
  readonly authority = createAuthority({ trustDomain: 'cluster.test' });
  readonly caPem = this.authority.bundlePem;
  readonly store = new FakeKubeStore();
  /** The token that its clients must show. */
  clientToken = 'client-token';
  readonly calls: KubeCall[] = [];
  /** Asked for each call; undefined answers as it should. */
  fault: (call: KubeCall) => KubeFault | undefined = () => undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<{ readonly prefix: string; readonly response: ServerResponse; readonly field: string }>();

  constructor() {
    const issued = this.authority.issue({ uris: [], dnsNames: ['localhost'], subject: 'localhost' });
    const tls = { key: issued.keyPem, cert: issued.chainPem };
    this.#server = createServer(tls, (request, response) => void this.#serve(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.store.onEvent((event) => this.#tell(event));
  }

  get url(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  get watching(): number {
    return this.#watches.size;
  }

  start(port = 0): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    // `closeAllConnections` knows none whose handshake is not over.
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Ends all watches: as agreed, or by cutting their connections. */
  endWatches(how: 'end' | 'cut'): void {
    for (const { response } of this.#watches) {
      if (how === 'end') response.end();
      else response.destroy();
    }
  }

  bookmark(): void {
    const object = { metadata: { resourceVersion: String(this.store.version) } };
    for (const { response } of this.#watches) writeLine(response, { type: 'BOOKMARK', object });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', headers } = request;
    if (headers.authorization !== `Bearer ${this.clientToken}`) return refuse(response, 401, 'Unauthorized');
    const { pathname: path, searchParams: query } = new URL(request.url ?? '', 'https://localhost');
    const body = await jsonOf(request);
    const call = { method, path, query, accept: headers.accept ?? '', type: headers['content-type'] ?? '', body };
    this.calls.push(call);
    const fault = this.fault(call);
    if (fault !== undefined) return misbehave(request, response, fault);
    if (method === 'GET' && query.get('watch') === '1') return this.#watch(response, call);
    const { status, json } = this.store.answer(call);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
  }

  #watch(response: ServerResponse, { path, query }: KubeCall): void {
    const since = this.store.eventsSince(Number(query.get('resourceVersion')));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (since === undefined) {
      const object = { kind: 'Status', code: 410, reason: 'Expired' };
      return void response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
    }
    const watch = { prefix: path, response, field: query.get('fieldSelector') ?? '' };
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
    for (const event of since) if (isOf(watch, event)) writeLine(response, event);
  }

  #tell(event: StoredEvent): void {
    for (const watch of this.#watches) if (isOf(watch, event)) writeLine(watch.response, event);
  }
}

/** Starts one that is gone when the test ends. */
export async function startFakeKubeApi(context: TestContext): Promise<FakeKubeApi> {
  const server = new FakeKubeApi();
  await server.start();
  context.after(() => server.stop());
  return server;
}

function isOf({ prefix, field }: { prefix: string; field: string }, { path, object }: StoredEvent): boolean {
  const inCollection = path.slice(0, path.lastIndexOf('/')) === prefix || FakeKubeStore.collectionOf(path) === prefix;
  return inCollection && (field === '' || field === `metadata.name=${object.metadata.name}`);
}

function writeLine(response: ServerResponse, { type, object }: { type: string; object: unknown }): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

function misbehave(request: IncomingMessage, response: ServerResponse, fault: KubeFault): void {
  switch (fault.kind) {
    case 'status':
      if (fault.retryAfter !== undefined) response.setHeader('retry-after', fault.retryAfter);
      return refuse(response, fault.status, fault.reason);
    case 'text':
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(fault.text);
    case 'silent':
      return;
    case 'stalled':
      return void response.writeHead(200, { 'content-length': 1_000 }).write('{"kind":');
    case 'reset':
      return void request.socket.destroy();
    case 'endless':
      return pour(response);
    case 'watch':
      return void response.writeHead(200).end(fault.text);
    default:
      fault satisfies never;
  }
}

function refuse(response: ServerResponse, code: number, reason = 'Failure'): void {
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: 'TOP SECRET' };
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(status));
}

function pour(response: ServerResponse): void {
  const piece = Buffer.alloc(65_536, 0x20);
  const more = (): void => {
    while (!response.destroyed && response.write(piece)) {
      // As much as goes without waiting.
    }
  };
  response.writeHead(200).on('drain', more);
  more();
}

async function jsonOf(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const text = Buffer.concat(pieces).toString();
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}
