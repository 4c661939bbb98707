import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { WaitingRoom } from '../../core/kernel/waiting-room.ts';
import { readRoute, type Route } from './route.ts';
import { Target, type TargetConfig } from './target.ts';
import type { ProbeVerdict } from './verdict.ts';

export type ProbesConfig = {
  /** A literal address; port 0 asks the system for a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** By `CONTAINER/KIND`. */
  readonly targets: Readonly<Record<string, TargetConfig>>;
};

export type ProbesDeps = {
  /** Identity and policy were there once and the listeners are open. */
  readonly started: () => boolean;
  /** Can this process go on at all? */
  readonly healthy: () => boolean;
  /** Can it do its own part now? Says nothing of the agent. Must settle. */
  readonly ready: () => Promise<boolean>;
  readonly log: Readonly<
    Record<'info' | 'warn' | 'error', (fields: Readonly<Record<string, unknown>>, message: string) => void>
  >;
};

/** The listener for a kubelet. */
export interface Probes {
  /** Binds; resolves with the address in use, rejects where it cannot be had. */
  start(): Promise<{ readonly address: string; readonly port: number }>;
  /** Stops accepting; probes under way may take `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** A kubelet sends one short request on a connection, at once. */
const SERVER = {
  maxHeaderSize: 8_192,
  headersTimeout: 2_000,
  requestTimeout: 2_000,
  keepAliveTimeout: 1,
  connectionsCheckingInterval: 250,
} as const;
const ROOM = { total: 512, perAddress: 64 } as const;

/** Creates the listener without effects; `start` binds. */
export function createProbes(config: ProbesConfig, deps: ProbesDeps): Probes {
  return new ProbeServer(config, deps);
}

class ProbeServer implements Probes {
  readonly #listen: ProbesConfig['listen'];
  readonly #deps: ProbesDeps;
  readonly #targets: ReadonlyMap<string, Target>;
  readonly #room = new WaitingRoom(ROOM);
  readonly #server: Server;

  constructor({ listen, targets }: ProbesConfig, deps: ProbesDeps) {
    this.#listen = listen;
    this.#deps = deps;
    const told = (name: string, verdict: ProbeVerdict): void => this.#told(name, verdict);
    this.#targets = new Map(Object.entries(targets).map(([name, target]) => [name, new Target(name, target, told)]));
    this.#server = createServer(SERVER, (request, response) => void this.#serve(request, response));
    // One request a connection: what is pipelined behind it is not read as another.
    this.#server.maxRequestsPerSocket = 1;
    this.#server.on('connection', (socket) => this.#room.enter(socket));
    this.#server.on('checkContinue', (_request, response: ServerResponse) => answer(response, 417));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
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
    this.#room.spoke(request.socket);
    try {
      answer(response, await this.#status(request));
    } catch (error) {
      this.#deps.log.error({ error: String(error) }, 'a probe could not be answered');
      answer(response, 500);
    }
  }

  async #status(request: IncomingMessage): Promise<number> {
    const { method, url = '', headers, socket } = request;
    if (method !== 'GET' && method !== 'HEAD') return 405;
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0) return 400;
    const route = readRoute(url);
    const isGood = route === undefined ? undefined : await this.#isGood(route, socket.localAddress ?? '127.0.0.1');
    if (isGood === undefined) return 404;
    return isGood ? 200 : 503;
  }

  /** Undefined for a target that is not configured. */
  async #isGood(route: Route, podAddress: string): Promise<boolean | undefined> {
    switch (route.kind) {
      case 'startup':
        return this.#deps.started();
      case 'health':
        return this.#deps.healthy();
      case 'ready':
        return this.#deps.started() && (await this.#deps.ready());
      case 'target':
        return (await this.#targets.get(route.name)?.ask(plain(podAddress)))?.ok;
      default:
        return route satisfies never;
    }
  }

  #told(probe: string, verdict: ProbeVerdict): void {
    if (verdict.ok) this.#deps.log.info({ probe }, 'a probe of the agent is good');
    else this.#deps.log.warn({ probe, why: verdict.why }, 'a probe of the agent is not good');
  }
}

/** An IPv4 address as a socket for both families shows it (RFC 4291 2.5.5.2). */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}

/** A status, nothing else, and the end of the connection. */
function answer(response: ServerResponse, status: number): void {
  response.writeHead(status, {
    'content-length': 0,
    'cache-control': 'no-store',
    connection: 'close',
    ...(status === 405 && { allow: 'GET, HEAD' }),
  });
  response.end();
}
