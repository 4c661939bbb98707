import type { Server as Http1Server } from 'node:http';
import type { DropArgument } from 'node:net';
import { createServer, type Server as TlsServer, type TLSSocket } from 'node:tls';

import { readPresentedChain } from '../../core/identity/presented-chain.ts';
import type { ConnectionId } from '../../core/kernel/brand.ts';
import type { Clock, Random } from '../../core/kernel/clock.ts';
import { err, ok, type Result } from '../../core/kernel/result.ts';
import { hex } from '../../core/kernel/uuid.ts';
import type { Connection, Endpoint } from '../../core/model/connection.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Peer } from '../../core/model/peer.ts';
import { acceptedFacts, endpoint, tlsFacts } from './connection-facts.ts';
import { ConnectionTable } from './connection-table.ts';
import type { AdmittedPeer, ListenHandler, PresentedChain } from './handler.ts';
import { handshakeFault, Handshakes } from './handshakes.ts';
import { Http1Connection } from './http1-connection.ts';
import type { Http1Request } from './http1-request.ts';
import { applyHttp1Limits, createHttp1Server } from './http1-server.ts';
import { Http2Connection } from './http2-connection.ts';
import type { ConnectionHost, OpenConnection } from './open-connection.ts';
import type { ListenSettings } from './settings.ts';
import { sweepPeriodMs } from './sweep-period.ts';
import { TcpConnection } from './tcp-connection.ts';
import { checkedContext, serverOptions } from './tls-options.ts';

export type ListenerDeps = {
  readonly handler: ListenHandler;
  readonly clock: Clock;
  readonly random: Random;
  /** Hears of faults of ours that cost a connection; for the log. */
  readonly problem: (error: unknown) => void;
};

/** An inbound listener. Without effects until `start`. */
export interface Listener {
  /** Binds and accepts. Rejects when the address cannot be had or the TLS material cannot be used. */
  start(): Promise<Endpoint>;
  /**
   * New TLS material and limits, for new connections; then `recheck`. All or nothing: an error says why nothing changed. Address and
   * protocol cannot change, and a new handshake timeout waits for a restart.
   */
  reload(settings: ListenSettings): Result<undefined, string>;
  /** Judges all open connections again, after trust or revocation lists changed. */
  recheck(): Promise<void>;
  /** Stops accepting, lets open exchanges finish, cuts them with `draining` after `deadlineMs`. Settles when everything is closed. */
  stop(deadlineMs: number): Promise<void>;
  readonly connectionCount: number;
}

/** Makes a listener. */
export function createListener(settings: ListenSettings, deps: ListenerDeps): Listener {
  return new TlsListener(settings, deps);
}

const TICKET_KEYS_LENGTH = 48;

class TlsListener implements Listener {
  readonly #deps: ListenerDeps;
  readonly #table = new ConnectionTable();
  readonly #handshakes: Handshakes;
  #settings: ListenSettings;
  #host: ConnectionHost;
  #server: TlsServer | undefined = undefined;
  #http1: Http1Server<typeof Http1Request> | undefined = undefined;
  #sweeper: NodeJS.Timeout | undefined = undefined;
  #stopped: Promise<void> | undefined = undefined;

  constructor(settings: ListenSettings, deps: ListenerDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#host = hostOf(settings, deps);
    this.#handshakes = new Handshakes(settings.name, () => this.#newId(), deps.clock.wallMs.bind(deps.clock));
  }

  get connectionCount(): number {
    return this.#table.size;
  }

  start(): Promise<Endpoint> {
    return new Promise((resolve, reject) => {
      const { host, port, limits } = this.#settings;
      const server = createServer(serverOptions(this.#settings));
      this.#server = server;
      this.#http1 = createHttp1Server(limits, sweepPeriodMs(limits), (socket) => {
        const connection = this.#table.get(socket);
        return connection instanceof Http1Connection ? connection : undefined;
      });
      this.#listenTo(server);
      server.once('error', reject);
      server.listen(port, host, () => {
        server.removeListener('error', reject);
        server.on('error', this.#deps.problem);
        this.#sweepEvery(sweepPeriodMs(limits));
        const bound = server.address();
        resolve(typeof bound === 'object' ? endpoint(bound?.address, bound?.port) : endpoint(host, port));
      });
    });
  }

  reload(settings: ListenSettings): Result<undefined, string> {
    const { host, port, name, protocol } = this.#settings;
    const isSame =
      settings.host === host && settings.port === port && settings.name === name && settings.protocol === protocol;
    if (!isSame) return err('address and protocol of a listener cannot change while it runs');
    const context = checkedContext(settings.tls);
    if (!context.ok) return context;
    this.#settings = settings;
    this.#host = hostOf(settings, this.#deps);
    if (this.#server !== undefined && this.#http1 !== undefined && this.#stopped === undefined) {
      this.#server.setSecureContext(context.value);
      this.#server.maxConnections = settings.limits.connections;
      applyHttp1Limits(this.#http1, settings.limits);
      this.#sweepEvery(sweepPeriodMs(settings.limits));
      this.recheck().catch(this.#deps.problem);
    }
    return ok(undefined);
  }

  async recheck(): Promise<void> {
    // A ticket from before would carry a verdict from before.
    if (this.#settings.tls.resumption) this.#server?.setTicketKeys(Buffer.from(this.#deps.random(TICKET_KEYS_LENGTH)));
    await this.#table.recheck(this.#host);
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const drained = this.#table.drain(deadlineMs, fault('draining', 'the listener stopped'));
    await this.#handshakes.giveUp();
    await drained;
    await closed;
    clearInterval(this.#sweeper);
    // Clears its interval; it never listened itself.
    this.#http1?.close();
  }

  #listenTo(server: TlsServer): void {
    server.maxConnections = this.#settings.limits.connections;
    server.on('connection', (socket) => this.#handshakes.accepted(socket));
    server.on('drop', (data) => this.#dropped(data));
    server.on('tlsClientError', (error, socket) => {
      const facts: Connection = { ...this.#handshakes.ended(socket), tls: undefined };
      socket.destroy();
      this.#refused(facts, this.#stopped === undefined ? handshakeFault(error) : fault('draining', 'in the handshake'));
    });
    server.on('secureConnection', (socket) => this.#secured(socket));
  }

  /** The handshake ended: the first moment when the peer can be judged, and before anything it sent is parsed. */
  #secured(socket: TLSSocket): void {
    let failure: Error | undefined;
    socket.on('error', (error) => (failure = error));
    const facts: Connection = Object.freeze({ ...this.#handshakes.ended(socket), tls: tlsFacts(socket) });
    const presented = readPresentedChain(socket);
    const peer = presented.ok ? this.#admit(facts, presented.value) : undefined;
    if (!presented.ok || peer === undefined || peer.kind === 'rejected') {
      socket.destroy();
      this.#refused(facts, rejection(presented, peer));
      return;
    }
    socket.on('close', () => {
      this.#table.get(socket)?.gone(failure);
      this.#table.remove(socket);
    });
    this.#open(socket, facts, presented.value, peer);
  }

  #open(socket: TLSSocket, facts: Connection, presented: PresentedChain, peer: AdmittedPeer): void {
    const parts = [this.#host, facts, presented, peer, socket] as const;
    let connection: OpenConnection;
    if (this.#settings.protocol === 'tcp') {
      const tcp = new TcpConnection(...parts);
      this.#table.add(socket, tcp);
      tcp.begin();
      connection = tcp;
    } else if (facts.tls?.alpn === 'h2') {
      connection = new Http2Connection(...parts);
      this.#table.add(socket, connection);
    } else {
      connection = new Http1Connection(...parts);
      this.#table.add(socket, connection);
      this.#http1?.emit('connection', socket);
    }
    if (this.#stopped !== undefined) connection.cut(fault('draining', 'the listener stopped'));
  }

  #admit(facts: Connection, presented: PresentedChain): Peer {
    try {
      return this.#deps.handler.admit(facts, presented);
    } catch (error) {
      this.#deps.problem(error);
      return { kind: 'rejected', fault: fault('internal_error', 'the handler failed'), claimedId: undefined };
    }
  }

  /** No room for it: it was closed before its handshake. */
  #dropped(data: DropArgument | undefined): void {
    const accepted = acceptedFacts(undefined, this.#newId(), this.#settings.name, this.#deps.clock.wallMs());
    const remote = endpoint(data?.remoteAddress, data?.remotePort);
    const local = endpoint(data?.localAddress, data?.localPort);
    const limit = this.#settings.limits.connections;
    this.#refused(
      { ...accepted, remote, local, tls: undefined },
      fault('connection_limit', `${limit} connections are open`),
    );
  }

  #refused(facts: Connection, reason: Fault): void {
    try {
      this.#deps.handler.refused(facts, reason, undefined);
    } catch (error) {
      this.#deps.problem(error);
    }
  }

  #sweepEvery(ms: number): void {
    clearInterval(this.#sweeper);
    this.#sweeper = setInterval(() => this.#table.sweep(this.#host), ms);
    this.#sweeper.unref();
  }

  #newId(): ConnectionId {
    return hex(this.#deps.random(8)) as ConnectionId;
  }
}

function hostOf(settings: ListenSettings, deps: ListenerDeps): ConnectionHost {
  const { handler, clock, problem } = deps;
  return { handler, clock, problem, limits: settings.limits };
}

function rejection(presented: Result<PresentedChain, Fault>, peer: Peer | undefined): Fault {
  if (!presented.ok) return presented.error;
  return peer?.kind === 'rejected' ? peer.fault : fault('internal_error', 'neither admitted nor rejected');
}
