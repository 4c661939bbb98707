import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { isLoopback } from '../../core/config/addresses.ts';
import { WaitingRoom } from '../../core/kernel/waiting-room.ts';
import { json, refusal, send, type Answer } from './answer.ts';
import { isUnreboundHost } from './host-check.ts';

export type AdminConfig = {
  /** A literal address; port 0 asks the system for a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Allow an address that other machines can reach. They see metrics and health without proving who they are. Default false. */
  readonly unsafeBeyondLoopback?: boolean | undefined;
};

/** How one part of the process does. */
export type PartState = { readonly ok: boolean; readonly detail: string };

export type AdminDeps = {
  /** Can this process go on at all? A process that cannot is restarted by whoever runs it. */
  readonly health: () => PartState;
  /** Which parts can do their work; ready when all can. Must settle; after `READY_MS` the answer is "not ready". */
  readonly ready: () => Promise<Readonly<Record<string, PartState>>>;
  readonly metrics: () => Promise<string>;
  readonly metricsType: string;
  /** More for people: a JSON value without secrets, for callers on loopback only. No `/status` without it. */
  readonly status?: (() => unknown) | undefined;
  readonly log: { error(fields: Readonly<Record<string, unknown>>, message: string): void };
};

/** `/healthz`, `/readyz`, `/metrics` and `/status` over plain HTTP. */
export interface Admin {
  /** Binds; resolves with the address in use, rejects where it cannot be had. */
  start(): Promise<{ readonly address: string; readonly port: number }>;
  /** Stops accepting; requests under way may take `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** How long readiness may take to be found out, milliseconds; probes give up after a second or so. */
export const READY_MS = 5_000;

/** The admin side serves a scraper and some probes: whoever opens more, or is slower, wants something else. */
const LIMITS = {
  maxHeaderSize: 8_192,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
} as const;
/** Where other machines reach it a kubelet's probes come here as well: no stranger may take all of the room. */
const ROOM = { total: 256, perAddress: 64 } as const;

/**
 * Creates the admin server. It reads and never changes anything, and asks nobody who they are: so loopback only, unless the operator says otherwise,
 * and never to a page that got at it through a browser. Throws for an address beyond loopback (a start-up fault).
 */
export function createAdmin(config: AdminConfig, deps: AdminDeps): Admin {
  if (!isLoopback(config.listen.host) && config.unsafeBeyondLoopback !== true) {
    throw new TypeError(`admin.listen ${config.listen.host} is not on loopback; unsafeBeyondLoopback: true allows it`);
  }
  return new AdminServer(config, deps);
}

type Route = () => Answer | Promise<Answer>;

class AdminServer implements Admin {
  readonly #listen: AdminConfig['listen'];
  readonly #deps: AdminDeps;
  readonly #server: Server;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #room = new WaitingRoom(ROOM);
  #readiness: Promise<Answer> | undefined;

  constructor(config: AdminConfig, deps: AdminDeps) {
    this.#listen = config.listen;
    this.#deps = deps;
    this.#server = createServer(LIMITS, (request, response) => void this.#serve(request, response));
    this.#server.on('connection', (socket) => this.#room.enter(socket));
    const { status } = deps;
    this.#routes = new Map<string, Route>([
      ['/healthz', () => this.#health()],
      ['/readyz', () => this.#ready()],
      ['/metrics', () => this.#metrics()],
      ...(status === undefined ? [] : [['/status', () => json(200, status())] as const]),
    ]);
  }

  start(): Promise<{ readonly address: string; readonly port: number }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ address: string; port: number }>();
    this.#server.once('error', reject);
    this.#server.listen(this.#listen.port, this.#listen.host, () => {
      this.#server.off('error', reject);
      const { address, port } = this.#server.address() as AddressInfo;
      resolve({ address, port });
    });
    return promise;
  }

  stop(graceMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cut = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    this.#server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    this.#server.closeIdleConnections();
    return promise;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    this.#room.spoke(socket);
    response.once('finish', () => this.#room.rests(socket));
    send(response, await this.#answer(request));
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const refused = refuse(request);
    if (refused !== undefined) return refused;
    const [path = ''] = (request.url ?? '').split('?', 1);
    const route = this.#routes.get(path);
    if (route === undefined || (path === '/status' && !isFromHere(request))) return refusal(404, 'not found');
    try {
      return await route();
    } catch (error) {
      this.#deps.log.error({ path, error: String(error) }, 'an admin request failed');
      return refusal(500, 'internal error');
    }
  }

  #health(): Answer {
    const state = this.#deps.health();
    return json(state.ok ? 200 : 503, { status: state.ok ? 'ok' : 'failed', detail: state.detail });
  }

  /** Probes that come while one is being answered share its answer: finding out may cost a connection to the agent. */
  async #ready(): Promise<Answer> {
    this.#readiness ??= this.#findReadiness().finally(() => {
      this.#readiness = undefined;
    });
    return this.#readiness;
  }

  async #findReadiness(): Promise<Answer> {
    const parts = await within(READY_MS, this.#deps.ready());
    if (parts === undefined)
      return json(503, { ready: false, parts: {}, detail: 'readiness could not be found out in time' });
    const ready = Object.values(parts).every((part) => part.ok);
    return json(ready ? 200 : 503, { ready, parts });
  }

  async #metrics(): Promise<Answer> {
    return { status: 200, type: this.#deps.metricsType, body: await this.#deps.metrics() };
  }
}

/** Whether the caller is on this machine (in this pod: `kubectl port-forward` arrives on its loopback). Who we are and what is wrong is nobody else's business. */
function isFromHere({ socket: { remoteAddress = '' } }: IncomingMessage): boolean {
  return isLoopback(remoteAddress.replace(/^::ffff:/, ''));
}

/** What is wrong with a request whatever it asks for. */
function refuse({ method, headers }: IncomingMessage): Answer | undefined {
  const site = headers['sec-fetch-site'];
  if (!isUnreboundHost(headers.host) || (site !== undefined && site !== 'none' && site !== 'same-origin')) {
    return refusal(421, 'use a literal address or localhost as host, and no page of another site');
  }
  if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'GET and HEAD only', { allow: 'GET, HEAD' });
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody ? refusal(400, 'no body is expected', { connection: 'close' }) : undefined;
}

/** The value, or undefined where it takes longer. */
async function within<T>(ms: number, value: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms).unref();
  try {
    return await Promise.race([value, promise]);
  } finally {
    clearTimeout(timer);
  }
}
