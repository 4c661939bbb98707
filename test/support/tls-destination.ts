import { once } from 'node:events';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket, TlsOptions } from 'node:tls';

import { type WebSocket, WebSocketServer } from 'ws';

import type { Issued } from './pki.ts';

export type DestinationHandler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

export type TlsDestinationOptions = {
  /** PEM of those whose certificates its clients may have; none asked for where left out. */
  readonly ca?: string;
  readonly alpn?: readonly string[];
  readonly tls?: TlsOptions;
  /** Default: answers `ok`, with the serial number of the client's certificate in `x-client`. */
  readonly handler?: DestinationHandler;
  readonly host?: string;
  /** Default: any free one. */
  readonly port?: number;
};

/** An ordinary server over mutual TLS, HTTP/1.1 and HTTP/2 by ALPN, with a WebSocket echo; and what it saw. */
export class TlsDestination implements AsyncDisposable {
  readonly sockets = new Set<TLSSocket>();
  /** Request lines, in order. */
  readonly requests: string[] = [];
  /** Server names that clients sent (SNI). */
  readonly names: (string | undefined)[] = [];
  accepted = 0;
  port = 0;
  handler: DestinationHandler;
  /** Before their handshake too. */
  readonly #raw = new Set<Socket>();
  readonly #server: Http2SecureServer;
  readonly #webSockets = new WebSocketServer({ noServer: true });

  private constructor(identity: Issued, options: TlsDestinationOptions) {
    this.handler = options.handler ?? answerOk;
    this.#server = createSecureServer({
      allowHTTP1: true,
      cert: identity.chainPem,
      key: identity.keyPem,
      ALPNCallback: ({ protocols }) => (options.alpn ?? ['h2', 'http/1.1']).find((each) => protocols.includes(each)),
      minVersion: 'TLSv1.2',
      ...(options.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true, ca: options.ca }),
      ...options.tls,
    });
    this.#server.on('connection', (socket: Socket) => {
      this.accepted += 1;
      this.#raw.add(socket);
      socket.once('close', () => this.#raw.delete(socket));
    });
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      this.sockets.add(socket);
      this.names.push(typeof socket.servername === 'string' ? socket.servername : undefined);
      socket.on('error', () => {}).on('close', () => this.sockets.delete(socket));
    });
    this.#server.on('sessionError', () => {}).on('tlsClientError', () => {});
    this.#server.on('request', (request, response) => {
      this.requests.push(`${request.method} ${request.url} HTTP/${request.httpVersion}`);
      request.on('error', () => {});
      response.on('error', () => {});
      this.handler(request, response);
    });
    this.#server.on('upgrade', (request, socket, head) => {
      this.requests.push(`${request.method} ${request.url} upgrade`);
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
        webSocket.on('error', () => {});
        webSocket.on('message', (message, isBinary) => webSocket.send(message, { binary: isBinary }));
      });
    });
  }

  static async start(identity: Issued, options: TlsDestinationOptions = {}): Promise<TlsDestination> {
    const destination = new TlsDestination(identity, options);
    destination.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(destination.#server, 'listening');
    destination.port = (destination.#server.address() as AddressInfo).port;
    return destination;
  }

  /** Another certificate for new connections. */
  present(identity: Issued, more: SecureContextOptions = {}): void {
    this.#server.setSecureContext({ cert: identity.chainPem, key: identity.keyPem, ...more });
  }

  async close(): Promise<void> {
    this.#webSockets.close();
    this.#server.close();
    for (const socket of [...this.sockets, ...this.#raw]) socket.destroy();
    await once(this.#server, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The serial number of the certificate that a request's client showed. */
export function clientSerial(request: Http2ServerRequest): string {
  const socket = request.httpVersionMajor === 1 ? (request.socket as TLSSocket) : socketOf(request);
  return socket.getPeerX509Certificate()?.serialNumber ?? 'none';
}

function socketOf(request: Http2ServerRequest): TLSSocket {
  return request.stream.session?.socket as TLSSocket;
}

function answerOk(request: Http2ServerRequest, response: Http2ServerResponse): void {
  response.setHeader('x-client', clientSerial(request));
  request.resume();
  request.on('end', () => response.end('ok'));
}
