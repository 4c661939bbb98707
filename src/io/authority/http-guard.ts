import type { Server as HttpServer, ServerOptions } from 'node:http';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';

import type { ServiceAddress, ServiceLimits } from './http-settings.ts';
import { sourceOf } from './rate-limit-source.ts';

/** How often Node looks for connections that are too slow, milliseconds. */
const CHECK_MS = 500;
/** Fields of a head that are read; a request here needs a handful. */
const MAX_FIELDS = 32;

/** Bounds of Node's HTTP server: what is slower or larger is answered 408 or 431 and closed, before any of our code runs. */
export function boundedOptions(limits: ServiceLimits): ServerOptions {
  return {
    maxHeaderSize: limits.headBytes,
    headersTimeout: limits.headTimeoutMs,
    requestTimeout: limits.headTimeoutMs + limits.requestTimeoutMs,
    connectionsCheckingInterval: CHECK_MS,
    noDelay: true,
    requireHostHeader: true,
    rejectNonStandardBodyWrites: true,
  };
}

/** Bounds of connections: how many, how many of one source, and one request on each. Gives the connections that are open. */
export function guard(server: HttpServer, limits: ServiceLimits): ReadonlySet<Socket> {
  const open = new Map<string, number>();
  const sockets = new Set<Socket>();
  server.maxConnections = limits.connections;
  server.maxRequestsPerSocket = 1;
  server.maxHeadersCount = MAX_FIELDS;
  // Under TLS too this is the connection before its handshake.
  server.on('connection', (socket: Socket) => {
    const source = sourceOf(socket.remoteAddress);
    const count = (open.get(source) ?? 0) + 1;
    if (count > limits.connectionsPerSource) {
      socket.destroy();
      return;
    }
    open.set(source, count);
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      const others = (open.get(source) ?? 1) - 1;
      if (others === 0) open.delete(source);
      else open.set(source, others);
    });
  });
  return sockets;
}

/** Binds; rejects where the address cannot be had. */
export function listen(server: NetServer, { host, port }: ServiceAddress): Promise<ServiceAddress> {
  const { promise, resolve, reject } = Promise.withResolvers<ServiceAddress>();
  server.once('error', reject);
  server.listen(port, host, () => {
    server.off('error', reject);
    const bound = server.address() as AddressInfo;
    resolve({ host: bound.address, port: bound.port });
  });
  return promise;
}

/**
 * Stops accepting; requests under way may take `graceMs`. Then every connection of `sockets` ends: Node's `closeAllConnections` does not know one whose handshake
 * is not over, and once the server is closed no deadline of Node's ends one that then says nothing.
 */
export function close(
  server: HttpServer,
  sockets: ReadonlySet<Socket>,
  graceMs: number,
  timer: (ms: number, action: () => void) => () => void,
): Promise<void> {
  if (!server.listening) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = timer(graceMs, () => {
    for (const socket of sockets) socket.destroy();
  });
  server.close(() => {
    cancel();
    resolve();
  });
  server.closeIdleConnections();
  return promise;
}
