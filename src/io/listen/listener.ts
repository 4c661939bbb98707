import type { Server } from 'node:net';
import { createServer, type Server as TlsServer, type TLSSocket } from 'node:tls';

import { readPresentedChain } from '../../core/identity/presented-chain.ts';
import { ok, type Result } from '../../core/kernel/result.ts';
import type { Connection } from '../../core/model/connection.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Peer } from '../../core/model/peer.ts';
import { tlsFacts } from './connection-facts.ts';
import type { IsSuspect } from './connection-table.ts';
import type { AdmittedPeer, PresentedChain } from './handler.ts';
import { handshakeFault, Handshakes } from './handshakes.ts';
import { Http1Connection } from './http1-connection.ts';
import { Http2Connection } from './http2-connection.ts';
import type { OpenConnection } from './open-connection.ts';
import { PortListener, type Listener, type ListenerDeps } from './port-listener.ts';
import type { ListenSettings } from './settings.ts';
import { TcpConnection } from './tcp-connection.ts';
import { checkedContext, serverOptions } from './tls-options.ts';

export type { Listener, ListenerDeps } from './port-listener.ts';

/** Makes a listener for peers: mutual TLS, HTTP/1.1 and HTTP/2 by ALPN, or bytes. */
export function createListener(settings: ListenSettings, deps: ListenerDeps): Listener {
  return new TlsListener(settings, deps);
}

const TICKET_KEYS_LENGTH = 48;

class TlsListener extends PortListener<ListenSettings> {
  readonly #handshakes: Handshakes;
  #server: TlsServer | undefined = undefined;

  constructor(settings: ListenSettings, deps: ListenerDeps) {
    super(settings, deps, 'inbound');
    this.#handshakes = new Handshakes(settings.name, () => this.newId(), deps.clock.wallMs.bind(deps.clock));
  }

  override async recheck(isSuspect?: IsSuspect): Promise<void> {
    // A ticket from before would carry a verdict from before.
    if (this.settings.tls.resumption) this.#server?.setTicketKeys(Buffer.from(this.deps.random(TICKET_KEYS_LENGTH)));
    await super.recheck(isSuspect);
  }

  protected override createServer(): Server {
    const server = createServer(serverOptions(this.settings));
    this.#server = server;
    server.on('connection', (socket) => this.#handshakes.accepted(socket));
    server.on('tlsClientError', (error, socket) => {
      const facts: Connection = { ...this.#handshakes.ended(socket), tls: undefined };
      socket.destroy();
      this.refused(facts, this.isStopping ? fault('draining', 'in the handshake') : handshakeFault(error));
    });
    server.on('secureConnection', (socket) => this.#secured(socket));
    return server;
  }

  protected override isSamePort(settings: ListenSettings): boolean {
    return super.isSamePort(settings) && settings.protocol === this.settings.protocol;
  }

  protected override adopt(settings: ListenSettings): Result<() => void, string> {
    const context = checkedContext(settings.tls);
    return context.ok ? ok(() => this.#server?.setSecureContext(context.value)) : context;
  }

  protected override giveUpUnadmitted(): Promise<void> {
    return this.#handshakes.giveUp();
  }

  /** The handshake ended: the first moment when the peer can be judged, and before anything it sent is parsed. */
  #secured(socket: TLSSocket): void {
    this.follow(socket);
    const facts: Connection = Object.freeze({ ...this.#handshakes.ended(socket), tls: tlsFacts(socket) });
    const presented = readPresentedChain(socket);
    const peer = presented.ok ? this.admit(facts, presented.value) : undefined;
    if (!presented.ok || peer === undefined || peer.kind === 'rejected') {
      socket.destroy();
      this.refused(facts, rejection(presented, peer));
      return;
    }
    this.open(socket, this.#connectionOf(socket, facts, presented.value, peer));
  }

  #connectionOf(socket: TLSSocket, facts: Connection, presented: PresentedChain, peer: AdmittedPeer): OpenConnection {
    const parts = [this.host, facts, presented, peer, socket] as const;
    if (this.settings.protocol === 'tcp') return new TcpConnection(...parts);
    return facts.tls?.alpn === 'h2' ? new Http2Connection(...parts) : new Http1Connection(...parts);
  }
}

function rejection(presented: Result<PresentedChain, Fault>, peer: Peer | undefined): Fault {
  if (!presented.ok) return presented.error;
  return peer?.kind === 'rejected' ? peer.fault : fault('internal_error', 'neither admitted nor rejected');
}
