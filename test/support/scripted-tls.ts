import { once as event } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls';

import type { Issued } from './pki.ts';

/** A TLS server that asks for no certificate and whose connections a test scripts, each with its number. `alpn`: what it speaks; undefined: it has no ALPN. */
export class ScriptedTls implements AsyncDisposable {
  port = 0;
  accepted = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(identity: Issued, alpn: string | undefined, script: (socket: TLSSocket, index: number) => void) {
    const { chainPem: cert, keyPem: key } = identity;
    this.#server = createTlsServer(
      { cert, key, ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }) },
      (socket) => {
        socket.on('error', () => {});
        script(socket, this.accepted++);
      },
    );
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await event(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await event(this.#server, 'close');
  }
}
