import { createServer, type Server, type Socket } from 'node:net';

import { ok, type Result } from '../../core/kernel/result.ts';
import type { Connection } from '../../core/model/connection.ts';
import { acceptedFacts } from './connection-facts.ts';
import { FirstBytes } from './first-bytes.ts';
import type { AdmittedPeer, PresentedChain } from './handler.ts';
import { Http1Connection } from './http1-connection.ts';
import { Http2Connection } from './http2-connection.ts';
import { PortListener, type Listener, type ListenerDeps } from './port-listener.ts';
import type { PlainListenSettings } from './settings.ts';
import { bindUnixSocket } from './unix-socket.ts';

/**
 * Makes a listener for the agent's own calls: cleartext, HTTP/1.1 and HTTP/2 with prior knowledge on one port, told apart by their first bytes. Nobody proves who he
 * is on it: on a loopback address every process of the network namespace may call (all containers of a pod; on a machine, all its users), on a unix socket
 * whoever may write to the file. `GateSettings.callerToken` asks for a secret besides.
 */
export function createPlainListener(settings: PlainListenSettings, deps: ListenerDeps): Listener<PlainListenSettings> {
  return new PlainListener(settings, deps, 'outbound');
}

const NOTHING: PresentedChain = Object.freeze({
  chain: Object.freeze([]),
  authorized: false,
  authorizationError: undefined,
});

class PlainListener extends PortListener<PlainListenSettings> {
  protected override createServer(): Server {
    const server = createServer({ noDelay: true, keepAlive: true });
    server.on('connection', (socket) => this.#accepted(socket));
    return server;
  }

  protected override bind(server: Server): Promise<void> {
    const { unixSocket } = this.settings;
    return unixSocket === undefined ? super.bind(server) : bindUnixSocket(server, unixSocket);
  }

  protected override isSamePort(settings: PlainListenSettings): boolean {
    const { unixSocket } = this.settings;
    const isSameSocket =
      settings.unixSocket?.path === unixSocket?.path && settings.unixSocket?.mode === unixSocket?.mode;
    return isSameSocket && super.isSamePort(settings);
  }

  protected override adopt(): Result<() => void, string> {
    return ok(() => undefined);
  }

  #accepted(socket: Socket): void {
    this.follow(socket);
    const { name } = this.settings;
    const accepted = acceptedFacts(socket, this.newId(), 'outbound', name, this.deps.clock.wallMs());
    const facts: Connection = Object.freeze({ ...accepted, tls: undefined });
    const peer = this.admit(facts, NOTHING);
    if (peer.kind === 'rejected') {
      socket.destroy();
      this.refused(facts, peer.fault);
      return;
    }
    const parts = [this.host, facts, NOTHING, peer, socket] as const;
    this.open(socket, new FirstBytes((protocol) => this.#begun(protocol, socket, facts, peer), ...parts));
  }

  #begun(protocol: 'h2' | 'http/1.1', socket: Socket, facts: Connection, peer: AdmittedPeer): void {
    const parts = [this.host, facts, NOTHING, peer, socket] as const;
    this.open(socket, protocol === 'h2' ? new Http2Connection(...parts) : new Http1Connection(...parts));
  }
}
