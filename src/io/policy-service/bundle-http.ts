import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { isLoopback } from '../../core/config/addresses.ts';
import { behindMs, etagOf, readEtag } from './taken-parts.ts';

import type { Clock, Timer } from '../../core/kernel/clock.ts';
import type { BundleName, Found, PublishedBundles } from './published-bundles.ts';

/** OPA recognises a server that can hold requests by this type of its answers. */
const BUNDLE_TYPE = 'application/vnd.openpolicyagent.bundles';
const GZIP_TYPE = 'application/gzip';

/** Longest that a request is held, milliseconds: long enough to be cheap, short enough that a connection that died is found. */
const MAX_WAIT_MS = 300_000;
/** Requests that are held at once, in all and for one bundle; further ones are answered at once, as by a server that cannot hold any. So no namespace takes the room of the others. */
const MAX_HELD = 8_192;
const MAX_HELD_PER_BUNDLE = 2_048;
const MAX_CONNECTIONS = 16_384;

/** Requests come whole and without a body from a sidecar beside us. */
const LIMITS = {
  maxHeaderSize: 16_384,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 5_000,
} as const;

/** After how long to ask again where there is nothing yet, seconds (`Retry-After`). */
const RETRY_S = '2';

const PATH = /^\/v1\/policy\/([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)(\/candidate)?$/;

/** What it takes from outside; the wall clock is compared with those of other replicas. */
type BundleHttpWorld = { readonly timer: Timer; readonly clock: Pick<Clock, 'wallMs'> };

/**
 * Serves bundles over plain HTTP by OPA's bundle protocol (OPA documentation, "Bundle Service API"): `If-None-Match` with the ETag gives 304, `Prefer: wait=SECONDS` holds
 * the request until there is another bundle. Whoever has a newer one of another replica is held until we have it too. It asks nobody who they are: a sidecar
 * stands in front. Throws for an address beyond loopback (a start-up fault).
 */
export class BundleHttp {
  readonly #listen: { readonly host: string; readonly port: number };
  readonly #bundles: PublishedBundles;
  readonly #world: BundleHttpWorld;
  readonly #server: Server;
  readonly #held = new Set<() => void>();

  constructor(
    listen: { readonly host: string; readonly port: number },
    bundles: PublishedBundles,
    world: BundleHttpWorld,
  ) {
    if (!isLoopback(listen.host))
      throw new TypeError(`${listen.host} is not on loopback: the policy service asks nobody who they are`);
    this.#listen = listen;
    this.#bundles = bundles;
    this.#world = world;
    this.#server = createServer(LIMITS, (request, response) => this.#serve(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Requests that wait for another bundle. */
  get held(): number {
    return this.#held.size;
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

  /** Answers whoever waits, and accepts no more. */
  stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const end of this.#held) end();
    this.#server.closeIdleConnections();
    const cut = this.#world.timer(1_000, () => this.#server.closeAllConnections());
    return promise.finally(cut);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => undefined);
    request.resume();
    if (request.method !== 'GET') {
      refuse(response, 405, { allow: 'GET' });
      return;
    }
    const [, namespace, candidate] = PATH.exec(request.url ?? '') ?? [];
    if (namespace === undefined) {
      refuse(response, 404);
      return;
    }
    const name = { namespace, candidate: candidate !== undefined };
    const found = this.#bundles.find(name);
    const keepMs = Math.min(waitOf(request.headers['prefer']), this.#keepMs(found, request));
    if (keepMs === 0) this.#answer(response, found, request);
    else if (this.#held.size >= MAX_HELD || this.#bundles.waiting(name) >= MAX_HELD_PER_BUNDLE)
      unchanged(response, request, GZIP_TYPE);
    else this.#hold(name, found, keepMs, request, response);
  }

  /** For how long whoever asks may keep what it has: for good where that is ours, and until we had to hear of what is news to us. */
  #keepMs(found: Found, { headers }: IncomingMessage): number {
    const held = readEtag(headers['if-none-match']);
    if (found.kind !== 'bundle' || held === undefined) return 0;
    const { revision, parts } = found.bundle;
    return held.revision === revision ? Infinity : behindMs(parts, held.parts, this.#world.clock.wallMs());
  }

  #hold(name: BundleName, found: Found, waitMs: number, request: IncomingMessage, response: ServerResponse): void {
    const finish = (now: Found | undefined): void => {
      forget();
      cancel();
      this.#held.delete(end);
      if (now !== undefined && !response.destroyed) this.#answer(response, now, request);
    };
    const end = (): void => finish(found);
    const forget = this.#bundles.wait(name, finish);
    const cancel = this.#world.timer(waitMs, end);
    this.#held.add(end);
    response.once('close', () => finish(undefined));
  }

  #answer(response: ServerResponse, found: Found, request: IncomingMessage): void {
    switch (found.kind) {
      case 'none':
        refuse(response, 404);
        return;
      case 'later':
        refuse(response, 503, { 'retry-after': RETRY_S });
        return;
      case 'bundle': {
        if (this.#keepMs(found, request) > 0) {
          unchanged(response, request, BUNDLE_TYPE);
          return;
        }
        const { archive, revision, parts } = found.bundle;
        const etag = etagOf(revision, parts);
        response.writeHead(200, { 'content-type': BUNDLE_TYPE, 'content-length': archive.length, etag, ...NO_STORE });
        response.end(archive);
        return;
      }
      default:
        found satisfies never;
    }
  }
}

/** `Prefer: modes=snapshot;wait=30` (RFC 7240; OPA writes parameters of one preference, others write several), milliseconds. */
function waitOf(prefer: string | string[] | undefined): number {
  const [, seconds = '0'] = /(?:^|[;,\s])wait=([0-9]{1,6})(?:$|[;,\s])/.exec(String(prefer ?? '')) ?? [];
  return Math.min(MAX_WAIT_MS, Number(seconds) * 1_000);
}

const NO_STORE = { 'cache-control': 'no-store' } as const;

/** The ETag is that of what is kept, also where that is another replica's. The type says on a 304 too whether requests can be held. */
function unchanged(response: ServerResponse, { headers }: IncomingMessage, type: string): void {
  response.writeHead(304, { 'content-type': type, etag: headers['if-none-match'], ...NO_STORE });
  response.end();
}

function refuse(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-length': 0, ...NO_STORE, ...headers });
  response.end();
}
