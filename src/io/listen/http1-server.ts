import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';

import type { Limits } from '../../core/model/limits.ts';
import type { Http1Connection } from './http1-connection.ts';
import { Http1Request, isWebSocketHandshake } from './http1-request.ts';

/** The connection of a socket; undefined once it is gone. */
export type Lookup = (socket: Socket) => Http1Connection | undefined;

type Http1Server = Server<typeof Http1Request>;

/**
 * Node's HTTP/1 parser and response writer, fed with sockets that have been admitted (`emit('connection')`). Its deadlines work only after
 * one `emit('listening')`. What it would answer by itself (missing Host, bad Expect, CONNECT, Upgrade, parse errors) is left to the handler.
 */
export function createHttp1Server(limits: Limits, sweepMs: number, lookup: Lookup): Http1Server {
  const server = createServer({
    IncomingMessage: Http1Request,
    shouldUpgradeCallback: isWebSocketHandshake,
    requireHostHeader: false,
    insecureHTTPParser: false,
    // Where there is neither a length nor a coding nobody reads the body; its stream need not be ended, destroyed and closed, in three ticks.
    optimizeEmptyRequests: true,
    connectionsCheckingInterval: sweepMs,
    // Idle connections are swept; Node's own timer would be set and cleared with every request.
    keepAliveTimeout: 0,
  });
  applyHttp1Limits(server, limits);
  server.on('request', (request, response) => lookup(request.socket)?.request(request, response, 'plain'));
  // 417 is the handler's to give: the field is in the head.
  server.on('checkExpectation', (request, response) => lookup(request.socket)?.request(request, response, 'plain'));
  server.on('checkContinue', (request, response) =>
    lookup(request.socket)?.request(request, response, 'expects-continue'),
  );
  server.on('upgrade', (request, socket, early) => lookup(socket as Socket)?.leftHttp(request, early, 'websocket'));
  server.on('connect', (request, socket, early) => lookup(socket as Socket)?.leftHttp(request, early, 'connect'));
  server.on('clientError', (error, socket) => {
    const connection = lookup(socket as Socket);
    if (connection === undefined) socket.destroy();
    else connection.failed(error);
  });
  server.emit('listening');
  return server;
}

/** Limits that a reload may change; they hold for connections made after. */
export function applyHttp1Limits(server: Http1Server, limits: Limits): void {
  const { headTimeoutMs, requestTimeoutMs } = limits;
  server.headersTimeout = requestTimeoutMs > 0 ? Math.min(headTimeoutMs, requestTimeoutMs) : headTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  // The parser refuses more (HPE_HEADER_OVERFLOW; Node before 26.10 dropped them without a word). One more than allowed, so that even
  // a parser that drops lets the handler see that there were too many.
  server.maxHeadersCount = limits.headerCount + 1;
  // llhttp counts less a field than HPACK does, so that the handler refuses first; this is what stops reading for good.
  Object.assign(server, { maxHeaderSize: limits.headerBytes + limits.targetBytes });
}
