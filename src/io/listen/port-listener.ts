import type { Server as Http1Server } from 'node:http';
import type { DropArgument, Server, Socket } from 'node:net';

import type { ConnectionId } from '../../core/kernel/brand.ts';
import type { Clock, Random } from '../../core/kernel/clock.ts';
import { err, ok, type Result } from '../../core/kernel/result.ts';
import { hex } from '../../core/kernel/uuid.ts';
import type { Connection, Endpoint } from '../../core/model/connection.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Peer } from '../../core/model/peer.ts';
import { acceptedFacts, endpoint } from './connection-facts.ts';
import { ConnectionTable, type IsSuspect } from './connection-table.ts';
import type { ListenHandler, PresentedChain } from './handler.ts';
import { Http1Connection } from './http1-connection.ts';
import type { Http1Request } from './http1-request.ts';
import { applyHttp1Limits, createHttp1Server } from './http1-server.ts';
import { listening } from './listening.ts';
import type { ConnectionHost, OpenConnection } from './open-connection.ts';
import type { ListenSettings, PortSettings } from './settings.ts';
import { sweepPeriodMs } from './sweep-period.ts';

export type ListenerDeps = {
  readonly handler: ListenHandler;
  readonly clock: Clock;
  readonly random: Random;
  /** Hears of faults of ours that cost a connection; for the log. */
  readonly problem: (error: unknown) => void;
};

/** A listener. Without effects until `start`. */
export interface Listener<S extends PortSettings = ListenSettings> {
  /** Binds and accepts. Rejects when the address cannot be had or the TLS material cannot be used. */
  start(): Promise<Endpoint>;
  /**
   * New TLS material and limits, for new connections; then `recheck`. All or nothing: an error says why nothing changed. Address and
   * protocol cannot change, and a new handshake timeout waits for a restart. `isSuspect` as for `recheck`.
   */
  reload(settings: S, isSuspect?: IsSuspect): Result<undefined, string>;
  /** Judges all open connections again, after trust or revocation lists changed. `isSuspect`: whose connections are judged first. */
  recheck(isSuspect?: IsSuspect): Promise<void>;
  /**
   * Goes on taking connections and requests, but asks callers to leave: each connection ends with the answer that is open or comes next on it (HTTP/1.1), or takes no
   * new requests (GOAWAY, HTTP/2). For the time in which callers learn that this end goes away; `stop` follows.
   */
  retire(): void;
  /** Stops accepting, lets open exchanges finish, cuts them with `draining` after `deadlineMs`. Settles when everything is closed. */
  stop(deadlineMs: number): Promise<void>;
  readonly connectionCount: number;
}

/**
 * What listeners share, whether they speak TLS or not: the bound port, its open connections, limits, deadlines, drain. How a socket that was accepted becomes
 * an admitted connection is theirs.
 */
export abstract class PortListener<S extends PortSettings> implements Listener<S> {
  protected readonly deps: ListenerDeps;
  protected readonly table = new ConnectionTable();
  protected settings: S;
  protected host: ConnectionHost;
  readonly #direction: Connection['direction'];
  #server: Server | undefined = undefined;
  #http1: Http1Server<typeof Http1Request> | undefined = undefined;
  #sweeper: NodeJS.Timeout | undefined = undefined;
  #isRetiring = false;
  #stopped: Promise<void> | undefined = undefined;

  constructor(settings: S, deps: ListenerDeps, direction: Connection['direction']) {
    this.settings = settings;
    this.deps = deps;
    this.host = hostOf(settings, deps);
    this.#direction = direction;
  }

  get connectionCount(): number {
    return this.table.size;
  }

  async start(): Promise<Endpoint> {
    const { limits } = this.settings;
    const server = this.createServer();
    this.#server = server;
    server.maxConnections = limits.connections;
    server.on('drop', (data) => this.#dropped(data));
    this.#http1 = createHttp1Server(limits, sweepPeriodMs(limits), (socket) => {
      const connection = this.table.get(socket);
      return connection instanceof Http1Connection ? connection : undefined;
    });
    await this.bind(server);
    server.on('error', this.deps.problem);
    this.#sweepEvery(sweepPeriodMs(limits));
    const bound = server.address();
    return typeof bound === 'object' ? endpoint(bound?.address, bound?.port) : endpoint(undefined, undefined);
  }

  reload(settings: S, isSuspect?: IsSuspect): Result<undefined, string> {
    if (!this.isSamePort(settings)) return err('address and protocol of a listener cannot change while it runs');
    const adopted = this.adopt(settings);
    if (!adopted.ok) return adopted;
    this.settings = settings;
    this.host = hostOf(settings, this.deps);
    if (this.#server !== undefined && this.#http1 !== undefined && this.#stopped === undefined) {
      adopted.value();
      this.#server.maxConnections = settings.limits.connections;
      applyHttp1Limits(this.#http1, settings.limits);
      this.#sweepEvery(sweepPeriodMs(settings.limits));
      this.recheck(isSuspect).catch(this.deps.problem);
    }
    return ok(undefined);
  }

  async recheck(isSuspect?: IsSuspect): Promise<void> {
    await this.table.recheck(this.host, isSuspect);
  }

  retire(): void {
    this.#isRetiring = true;
    this.table.retire();
  }

  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #stop(deadlineMs: number): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const drained = this.table.drain(deadlineMs, fault('draining', 'the listener stopped'));
    await this.giveUpUnadmitted();
    await drained;
    await closed;
    clearInterval(this.#sweeper);
    // Clears its interval; it never listened itself.
    this.#http1?.close();
  }

  /** The server, with what it does on a new socket; not listening yet. */
  protected abstract createServer(): Server;

  /** Settles when the server listens. */
  protected bind(server: Server): Promise<void> {
    const { host, port, reusePort = false } = this.settings;
    return listening(server, { host, port, reusePort });
  }

  /** Whether settings can be used, and what to do with a running server then. */
  protected abstract adopt(settings: S): Result<() => void, string>;

  protected isSamePort({ host, port, name }: S): boolean {
    return host === this.settings.host && port === this.settings.port && name === this.settings.name;
  }

  /** Ends sockets that are not in the table yet. */
  protected giveUpUnadmitted(): Promise<void> {
    return Promise.resolve();
  }

  protected get isStopping(): boolean {
    return this.#stopped !== undefined;
  }

  /** Hears how a socket ends, and tells its connection if it has one by then. To be called before anything can go wrong with it. */
  protected follow(socket: Socket): void {
    let failure: Error | undefined;
    socket.on('error', (error) => (failure = error));
    socket.on('close', () => {
      this.table.get(socket)?.gone(failure);
      this.table.remove(socket);
    });
  }

  /** A socket's connection, from now on: of an admitted peer. */
  protected open(socket: Socket, connection: OpenConnection): void {
    this.table.add(socket, connection);
    connection.begin();
    if (connection instanceof Http1Connection) this.#http1?.emit('connection', socket);
    if (this.isStopping) connection.cut(fault('draining', 'the listener stopped'));
  }

  protected admit(facts: Connection, presented: PresentedChain): Peer {
    try {
      return this.deps.handler.admit(facts, presented);
    } catch (error) {
      this.deps.problem(error);
      return { kind: 'rejected', fault: fault('internal_error', 'the handler failed'), claimedId: undefined };
    }
  }

  protected refused(facts: Connection, reason: Fault): void {
    try {
      this.deps.handler.refused(facts, reason, undefined);
    } catch (error) {
      this.deps.problem(error);
    }
  }

  protected newId(): ConnectionId {
    return hex(this.deps.random(8)) as ConnectionId;
  }

  /** No room for it: it was closed before a byte of it was read. */
  #dropped(data: DropArgument | undefined): void {
    const { name, limits } = this.settings;
    const accepted = acceptedFacts(undefined, this.newId(), this.#direction, name, this.deps.clock.wallMs());
    const remote = endpoint(data?.remoteAddress, data?.remotePort);
    const local = endpoint(data?.localAddress, data?.localPort);
    const reason = fault('connection_limit', `${limits.connections} connections are open`);
    this.refused({ ...accepted, remote, local, tls: undefined }, reason);
  }

  #sweepEvery(ms: number): void {
    clearInterval(this.#sweeper);
    this.#sweeper = setInterval(() => this.#sweep(), ms);
    this.#sweeper.unref();
  }

  #sweep(): void {
    this.table.sweep(this.host);
    // Those that came since.
    if (this.#isRetiring) this.table.retire();
  }
}

function hostOf(settings: PortSettings, deps: ListenerDeps): ConnectionHost {
  const { handler, clock, problem } = deps;
  return { handler, clock, problem, limits: settings.limits };
}
