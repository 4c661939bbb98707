import { lookup } from 'node:dns';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';

import { readPresentedChain } from '../../core/identity/presented-chain.ts';
import type { Clock } from '../../core/kernel/clock.ts';
import { err, ok, type Result } from '../../core/kernel/result.ts';
import type { Destination } from '../../core/model/destination.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import { AddressOrder, type EjectionSettings } from './address-order.ts';
import type { Dial, Dialled } from './dial.ts';
import { connectMutually, type Alpn } from './mtls-connect.ts';
import type { OwnContext, OwnContexts } from './own-context.ts';
import type { ServerConnections } from './server-connections.ts';
import { serverVerdict, unverified, type JudgeServer } from './server-verdict.ts';

/** The least time for the TCP connection to one of several addresses, milliseconds (RFC 8305 section 5 recommends 250). */
const LEAST_CONNECT_MS = 250;

/** Resolves a host name to addresses, anew at each call; the system's cache is the only one. */
export type Resolve = (host: string, done: (addresses: Result<readonly string[], Fault>) => void) => void;

/** What all dialers of a forwarder share. */
export type DialDeps = {
  readonly own: OwnContexts;
  readonly judge: JudgeServer;
  readonly connections: ServerConnections;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly resolve: Resolve;
};

/** A connection that a destination has proved itself on, with the HTTP version agreed. */
export type Proven = Dialled & { readonly alpn: Alpn };

/** Makes verified connections to one destination: one address after the other, until one of them proves to be the right server. */
export class Dialer {
  readonly #destination: Destination;
  readonly #deps: DialDeps;
  readonly #order: AddressOrder;

  constructor(destination: Destination, ejection: EjectionSettings, deps: DialDeps) {
    this.#destination = destination;
    this.#deps = deps;
    this.#order = new AddressOrder(ejection);
  }

  /** A way to dial that offers one HTTP version. */
  offering(alpn: Alpn): Dial {
    return (done) => this.dial([alpn], done);
  }

  /** Makes one connection, with the identity of now. Never calls back before it returns. */
  dial(alpn: readonly Alpn[], done: (proven: Result<Proven, Fault>) => void): () => void {
    const { host } = this.#destination.address;
    const own = this.#deps.own.current();
    const search = new Search(done);
    if (!own.ok) setImmediate(search.failed, own.error);
    else if (isIP(host) !== 0) setImmediate(() => this.#tryAll([host], alpn, own.value, search));
    else {
      this.#resolve(host, search, (addresses) => this.#tryAll(addresses, alpn, own.value, search));
    }
    return search.giveUp;
  }

  /** Within the time for connecting: the system's resolver knows no deadline of ours. */
  #resolve(host: string, search: Search, done: (addresses: readonly string[]) => void): void {
    const { upstreamConnectTimeoutMs: ms } = this.#deps.limits;
    const late = fault('destination_unreachable', `${host} does not resolve within ${ms} ms`);
    const timer = setTimeout(search.failed, ms, late);
    search.connecting(() => clearTimeout(timer));
    this.#deps.resolve(host, (addresses) => {
      clearTimeout(timer);
      if (addresses.ok) done(addresses.value);
      else search.failed(addresses.error);
    });
  }

  #tryAll(found: readonly string[], alpn: readonly Alpn[], own: OwnContext, search: Search): void {
    const { clock, limits } = this.#deps;
    const addresses = this.#order.order(found, clock.monotonicMs());
    const eachMs = Math.max(LEAST_CONNECT_MS, Math.floor(limits.upstreamConnectTimeoutMs / addresses.length));
    const next = (index: number, before: Fault): void => {
      const address = addresses[index];
      if (search.over) return;
      if (address === undefined) search.failed(before);
      else {
        search.connecting(
          this.#connect(address, alpn, own, eachMs, (proven) => {
            if (proven.ok) search.found(proven.value);
            else next(index + 1, proven.error);
          }),
        );
      }
    };
    next(0, fault('destination_unreachable', `${this.#destination.address.host} has no address`));
  }

  #connect(
    address: string,
    alpn: readonly Alpn[],
    own: OwnContext,
    connectTimeoutMs: number,
    done: (proven: Result<Proven, Fault>) => void,
  ): () => void {
    const { host, port } = this.#destination.address;
    const { handshakeTimeoutMs } = this.#deps.limits;
    const target = {
      address,
      port,
      serverName: host,
      alpn,
      context: own.context,
      connectTimeoutMs,
      handshakeTimeoutMs,
    };
    return connectMutually(target, (socket) => {
      const proven = socket.ok ? this.#prove(socket.value, own) : socket;
      if (proven.ok) this.#order.succeeded(address);
      else this.#order.failed(address, this.#deps.clock.monotonicMs());
      done(proven);
    });
  }

  /** Judges the server, before anything is written to it. */
  #prove(socket: TLSSocket, own: OwnContext): Result<Proven, Fault> {
    const proof = this.#proofOf(socket, own);
    if (!proof.ok) socket.destroy();
    return proof;
  }

  #proofOf(socket: TLSSocket, own: OwnContext): Result<Proven, Fault> {
    const { judge, connections } = this.#deps;
    const { ids } = this.#destination;
    if (socket.isSessionReused()) return err(unverified('peer_resumption_unverified: the session was resumed'));
    const presented = readPresentedChain(socket);
    if (!presented.ok) return err(unverified(`${presented.error.code}: ${presented.error.detail}`));
    const verdict = serverVerdict(presented.value, judge(presented.value.chain, false), ids);
    if (!verdict.ok) return verdict;
    const { spiffeId, certificate, validUntilMs } = verdict.value;
    const ownValidUntilMs = own.validUntilMs;
    connections.add({ socket, presented: presented.value, expected: ids, validUntilMs, ownValidUntilMs });
    const alpn = socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1';
    const isFresh = this.#freshness(Math.min(validUntilMs, ownValidUntilMs));
    return ok({ socket, server: { spiffeId, serial: certificate.serial }, isFresh, alpn });
  }

  /**
   * A connection is cut when the first of its two certificates ends, so it takes requests for half of the time until then only: each has the other half.
   * Without that a server that renews in time would still fail requests, on connections from before.
   */
  #freshness(endMs: number): () => boolean {
    const { clock } = this.#deps;
    const nowMs = clock.wallMs();
    const freshUntilMs = nowMs + (endMs - nowMs) / 2;
    return () => clock.wallMs() < freshUntilMs;
  }
}

/** One search for a connection: it ends once, with a connection, with a fault, or given up. */
class Search {
  readonly #done: (proven: Result<Proven, Fault>) => void;
  #stop: () => void = () => {};
  #over = false;

  constructor(done: (proven: Result<Proven, Fault>) => void) {
    this.#done = done;
  }

  get over(): boolean {
    return this.#over;
  }

  /** `stop` ends the attempt that is under way now. */
  connecting(stop: () => void): void {
    this.#stop = stop;
  }

  found(proven: Proven): void {
    if (this.#over) proven.socket.destroy();
    else this.#end(ok(proven));
  }

  readonly failed = (reason: Fault): void => {
    if (!this.#over) this.#end(err(reason));
  };

  readonly giveUp = (): void => {
    this.#over = true;
    this.#stop();
  };

  #end(result: Result<Proven, Fault>): void {
    this.#over = true;
    this.#done(result);
  }
}

/** The system's resolver: hosts file, DNS, `localhost`. */
export const systemResolve: Resolve = (host, done) => {
  lookup(host, { all: true }, (error, found) => {
    if (error === null) done(ok(found.map(({ address }) => address)));
    else done(err(fault('destination_unreachable', `${host} does not resolve: ${error.code ?? error.message}`)));
  });
};
