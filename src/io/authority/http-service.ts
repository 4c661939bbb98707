import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';

import { createClientJudge } from './http-client-certificate.ts';
import { createDoor, type Door, type Route, type Routes } from './http-door.ts';
import { boundedOptions, close, guard, listen } from './http-guard.ts';
import { followOwnCertificate, ownContext } from './http-own-certificate.ts';
import { createPublicDesk } from './http-public.ts';
import {
  serviceLimits,
  type ServiceAddress,
  type ServiceDeps,
  type ServiceLimits,
  type ServiceSettings,
} from './http-settings.ts';
import { createSvidDesk, type SvidDesk } from './http-svid.ts';
import { createTrustFeed, type TrustFeed } from './http-trust.ts';

export type ServiceFigures = {
  readonly connections: number;
  /** Long polls that wait. */
  readonly waiting: number;
  /** Requests for certificates that are being worked on. */
  readonly working: number;
  /** Answers since start, by HTTP status. */
  readonly answers: ReadonlyMap<number, number>;
  /** Refusals since start, by reason. */
  readonly refusals: ReadonlyMap<string, number>;
};

/** Addresses in use; `crl` where plain HTTP was asked for. */
export type ServiceAddresses = { readonly https: ServiceAddress; readonly crl: ServiceAddress | undefined };

/** The authority over the network. It is started once. */
export interface AuthorityService {
  /** Binds. Rejects where an address cannot be had, and then nothing is left open. */
  start(): Promise<ServiceAddresses>;
  /** Stops accepting, lets those who wait go with what there is; requests under way may take `graceMs`. */
  stop(graceMs: number): Promise<void>;
  figures(): ServiceFigures;
}

/**
 * Creates the service without effects. HTTPS with the authority's own SVID, TLS 1.3 only; a client certificate is asked for and needed for renewal
 * alone. `POST /v1/svid`, `GET /v1/trust`, `GET /v1/bundle`, `GET /v1/crl`; everything else is refused. Nothing is for browsers: a request with an
 * `Origin` is refused, so no page can use the certificate of whoever looks at it.
 */
export function createAuthorityService(settings: ServiceSettings, deps: ServiceDeps): AuthorityService {
  return new HttpsService(settings, deps);
}

type Desks = { readonly feed: TrustFeed; readonly svid: SvidDesk; readonly routes: Routes };

class HttpsService implements AuthorityService {
  readonly #settings: ServiceSettings;
  readonly #deps: ServiceDeps;
  readonly #limits: ServiceLimits;
  readonly #door: Door;
  readonly #servers: { readonly server: HttpServer; readonly sockets: ReadonlySet<Socket> }[] = [];
  #desks: Desks | undefined;
  #unfollow: (() => void) | undefined;
  #connections = 0;

  constructor(settings: ServiceSettings, deps: ServiceDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#limits = serviceLimits(settings.limits);
    this.#door = createDoor(deps, this.#limits);
  }

  async start(): Promise<ServiceAddresses> {
    const { listen: address, crlListen } = this.#settings;
    const desks = openDesks(this.#deps, this.#limits);
    this.#desks = desks;
    const https = this.#https(desks.routes);
    this.#unfollow = followOwnCertificate(https, this.#deps);
    try {
      const bound = await listen(https, address);
      const crl = crlListen && (await listen(this.#plain(desks.routes), crlListen));
      return { https: bound, crl };
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  async stop(graceMs: number): Promise<void> {
    this.#unfollow?.();
    this.#desks?.feed.stop();
    await Promise.all(this.#servers.map(({ server, sockets }) => close(server, sockets, graceMs, this.#deps.timer)));
  }

  figures(): ServiceFigures {
    return {
      connections: this.#connections,
      waiting: this.#desks?.feed.waiting ?? 0,
      working: this.#desks?.svid.working ?? 0,
      answers: new Map(this.#door.answers),
      refusals: new Map(this.#door.refusals),
    };
  }

  #https(routes: Routes): HttpsServer {
    const tls = {
      ...ownContext(this.#deps),
      ALPNProtocols: ['http/1.1'],
      requestCert: true,
      // Every refusal is ours, with its reason in the log.
      rejectUnauthorized: false,
      handshakeTimeout: this.#limits.handshakeTimeoutMs,
    };
    const server = createHttpsServer({ ...tls, ...boundedOptions(this.#limits) });
    return this.#opened(server, routes);
  }

  /** The list alone: it is signed and public, and whoever fetches it may not be able to judge our certificate without it. */
  #plain(routes: Routes): HttpServer {
    const crl = new Map([...routes].filter(([route]) => route === 'GET /v1/crl'));
    return this.#opened(createHttpServer(boundedOptions(this.#limits)), crl);
  }

  #opened<S extends HttpServer>(server: S, routes: Routes): S {
    const sockets = guard(server, this.#limits);
    server.on('connection', (socket) => {
      this.#connections += 1;
      socket.once('close', () => (this.#connections -= 1));
    });
    server.on('request', (request, response) => void this.#door.serve(request, response, routes));
    this.#servers.push({ server, sockets });
    return server;
  }
}

function openDesks(deps: ServiceDeps, limits: ServiceLimits): Desks {
  const feed = createTrustFeed(deps, limits);
  const open = createPublicDesk(deps, limits, feed);
  const svid = createSvidDesk(deps, limits, { judge: createClientJudge(deps), trust: () => feed.current() });
  const routes: Routes = new Map<string, Route>([
    ['POST /v1/svid', (request) => svid.serve(request)],
    ['GET /v1/trust', (request, response) => open.trust(request, response)],
    ['GET /v1/bundle', (request) => open.bundle(request)],
    ['GET /v1/crl', (request) => open.crl(request)],
  ]);
  return { feed, svid, routes };
}
