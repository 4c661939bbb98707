import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';

import { createAuthority, type Issued } from './pki.ts';

/** Answers one request; the default is 404. */
export type Answering = (request: IncomingMessage, response: ServerResponse) => void;

/** A server of bundles and revocation lists on loopback, HTTPS or plain HTTP, that can answer in any way. */
export class TrustServer {
  /** By path. */
  readonly answers = new Map<string, Answering>();
  readonly received: {
    readonly path: string;
    readonly headers: IncomingMessage['headers'];
    readonly raw: readonly string[];
  }[] = [];
  /** Connections that were made, and which of them resumed a session or showed a certificate. */
  readonly connections: { resumed: boolean; certified: boolean }[] = [];
  readonly #server: Server | ReturnType<typeof createPlainServer>;
  readonly #scheme: string;

  constructor(identity: Issued | undefined) {
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      const { pathname: path } = new URL(request.url ?? '/', 'http://localhost');
      this.received.push({ path, headers: request.headers, raw: request.rawHeaders });
      (this.answers.get(path) ?? ((_, other) => void other.writeHead(404).end()))(request, response);
    };
    this.#scheme = identity === undefined ? 'http' : 'https';
    this.#server =
      identity === undefined
        ? createPlainServer(serve)
        : createServer(
            { key: identity.keyPem, cert: identity.chainPem, requestCert: true, rejectUnauthorized: false },
            serve,
          );
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      this.connections.push({
        resumed: socket.isSessionReused(),
        certified: socket.getPeerX509Certificate() !== undefined,
      });
    });
  }

  url(path: string, host = 'localhost'): string {
    return `${this.#scheme}://${host}:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  /** Answers `path` with these bytes and header fields. */
  offer(path: string, bytes: Uint8Array | string, headers: Readonly<Record<string, string>> = {}): void {
    this.answers.set(path, (_, response) => void response.writeHead(200, headers).end(bytes));
  }

  status(path: string, status: number, headers: Readonly<Record<string, string>> = {}): void {
    this.answers.set(path, (_, response) => void response.writeHead(status, headers).end('made by the test'));
  }

  async start(context: TestContext): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    context.after(async () => {
      const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
      this.#server.closeAllConnections();
      await closed;
    });
    return this;
  }
}

/** A certificate for a host name, as the web has them, and the authority that issued it. */
export function webIdentity(dnsName = 'localhost'): { readonly issued: Issued; readonly authorityPem: string } {
  const authority = createAuthority({ trustDomain: 'web.test' });
  const issued = authority.issue({ uris: [], dnsNames: [dnsName], subject: dnsName });
  return { issued, authorityPem: authority.bundlePem };
}
