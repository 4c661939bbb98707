import { IncomingMessage } from 'node:http';

import type { HeaderList } from '../../core/kernel/headers.ts';
import type { RawHead } from '../../core/model/request.ts';
import type { DownstreamBody } from './downstream.ts';
import type { Http1Exchange } from './http1-exchange.ts';

/** Node's request, counted: body bytes are told to the exchange as the parser pushes them. */
export class Http1Request extends IncomingMessage {
  exchange: Http1Exchange | undefined = undefined;
  /** The parser saw `Connection: upgrade` with an `Upgrade` field, whatever became of it. */
  asksForUpgrade = false;

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk instanceof Uint8Array) this.exchange?.received(chunk);
    else if (chunk === null) this.exchange?.receivedAll();
    return super.push(chunk, encoding);
  }
}

/** The head exactly as received. `rawHeaders` is the parser's own array and changes no more. */
export function rawHead(request: Http1Request): RawHead {
  return {
    kind: 'http1',
    version: request.httpVersion,
    method: request.method ?? '',
    target: request.url ?? '',
    headers: request.rawHeaders,
    upgrade: request.asksForUpgrade,
  };
}

/** A request has a body if and only if its framing says so (RFC 9112 section 6.3). */
export function requestBody(request: Http1Request): DownstreamBody {
  const { headers } = request;
  const length = headers['content-length'];
  const isFramed = headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
  return isFramed ? { kind: 'stream', stream: request } : { kind: 'none' };
}

/**
 * Whether to leave HTTP for another protocol: a WebSocket handshake without a body. Any other request with `Upgrade` is read as the request it also
 * is, and the field ignored (RFC 9110 section 7.8).
 */
export function isWebSocketHandshake(request: Http1Request): boolean {
  request.asksForUpgrade = true;
  const { headers } = request;
  return (
    request.method === 'GET' &&
    request.httpVersion === '1.1' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    requestBody(request).kind === 'none'
  );
}

/** Flat list to the pairs that `addTrailers` takes. */
export function pairs(list: HeaderList): [string, string][] {
  const result: [string, string][] = [];
  for (let i = 0; i + 1 < list.length; i += 2) result.push([list[i] as string, list[i + 1] as string]);
  return result;
}
