import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

import type { RefusalAnswer } from '../../core/gate/exchange.ts';
import { firstHeader, type HeaderList } from '../../core/kernel/headers.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { Http1Connection } from './http1-connection.ts';
import { type Http1Request, pairs, rawHead, requestBody } from './http1-request.ts';
import { OpenExchange } from './open-exchange.ts';

/** How the request came to us. */
export type Arrival = 'plain' | 'expects-continue' | 'websocket' | 'connect';

/** One HTTP/1.x request and its answer. */
export class Http1Exchange extends OpenExchange {
  readonly #request: Http1Request;
  readonly #response: ServerResponse;
  readonly #connection: Http1Connection;
  readonly #arrival: Arrival;
  #owesContinue: boolean;
  #hasDrainListener = false;
  #tunnel: { readonly socket: Duplex; readonly readBefore: number; readonly writtenBefore: number } | undefined;

  constructor(connection: Http1Connection, request: Http1Request, response: ServerResponse, arrival: Arrival) {
    super(connection, rawHead(request), arrival === 'connect' ? { kind: 'none' } : requestBody(request));
    this.#connection = connection;
    this.#request = request;
    this.#response = response;
    this.#arrival = arrival;
    this.#owesContinue = arrival === 'expects-continue';
    this.#tunnel = undefined;
    request.exchange = this;
    if (this.body.kind === 'stream') request.on('error', ignore);
    response.on('error', ignore);
    response.on('finish', onFinish);
  }

  /** True when the last byte of the request is here. */
  get isComplete(): boolean {
    return this.body.kind !== 'stream' || this.#request.complete;
  }

  /** Bytes of the body that are announced and not here yet; 0 where nothing is announced (chunked). */
  get bytesToCome(): number {
    if (this.isComplete) return 0;
    const announced = Number(this.#request.headers['content-length'] ?? this.bytesIn);
    return announced - this.bytesIn;
  }

  override requestTrailers(): HeaderList {
    return this.#request.rawTrailers;
  }

  override informational(status: number, headers: HeaderList): void {
    if (!this.#canBegin() || this.#request.httpVersionMinor === 0) return;
    try {
      this.#response.writeInformation(status, headers);
    } catch (error) {
      this.unwritable(error);
    }
  }

  override sendContinue(): void {
    if (!this.#owesContinue || !this.#canBegin()) return;
    this.#owesContinue = false;
    this.#response.writeContinue();
  }

  override respondWhole(
    status: number,
    headers: HeaderList,
    body: Uint8Array | undefined,
    trailers: HeaderList | undefined,
  ): void {
    if (!this.#canBegin()) return;
    const isTrailed = trailers !== undefined && trailers.length > 0;
    const needsLength = !isTrailed && this.#hasBody(status) && !hasField(headers, 'content-length');
    this.#begin(status, needsLength ? [...headers, 'content-length', String(body?.length ?? 0)] : headers);
    this.#end(trailers, body, body === undefined ? undefined : asOneWrite(body));
  }

  override respondHead(status: number, headers: HeaderList): void {
    if (!this.#canBegin()) return;
    this.#begin(status, headers);
    process.nextTick(flushHead, this.#response);
  }

  override respondData(chunk: Uint8Array): boolean {
    if (!this.isOpen || chunk.length === 0) return true;
    const response = this.#response;
    if (response.writableEnded) return true;
    this.#count(chunk.length);
    if (response.write(chunk)) return true;
    if (!this.#hasDrainListener) {
      this.#hasDrainListener = true;
      response.on('drain', onDrain);
    }
    return false;
  }

  override respondEnd(trailers: HeaderList | undefined, lastChunk: Uint8Array | undefined): void {
    this.#end(trailers, lastChunk, lastChunk);
  }

  /** `written`: what is handed to Node for the bytes of `last`. */
  #end(trailers: HeaderList | undefined, last: Uint8Array | undefined, written: Uint8Array | string | undefined): void {
    if (!this.isOpen || this.#response.writableEnded) return;
    try {
      if (trailers !== undefined && trailers.length > 0) this.#response.addTrailers(pairs(trailers));
      if (last === undefined || last.length === 0) this.#response.end();
      else {
        this.#count(last.length);
        this.#response.end(written, 'latin1');
      }
    } catch (error) {
      this.unwritable(error);
    }
  }

  override upgrade():
    | { readonly socket: Duplex; readonly request: IncomingMessage; readonly head: Buffer }
    | undefined {
    if (this.#arrival !== 'websocket' || !this.#canBegin() || this.#tunnel !== undefined) return undefined;
    const socket = this.#request.socket;
    if (socket.readableLength > 0) {
      this.end(fault('upgrade_refused', 'bytes before the answer to the handshake'), 'peer');
      return undefined;
    }
    this.#response.detachSocket(socket);
    this.#tunnel = { socket, readBefore: socket.bytesRead, writtenBefore: socket.bytesWritten };
    return { socket, request: this.#request, head: Buffer.alloc(0) };
  }

  /** The response was handed to the kernel. */
  finished(): void {
    this.settleSent();
    this.#request.exchange = undefined;
  }

  /** The answer is out and the rest of the body is of no use: reads it away, so that the next request can be read. */
  discardBody(): void {
    this.#request.removeAllListeners('data');
    this.#request.resume();
  }

  override sweep(nowMs: number, limits: Limits): void {
    this.#countTunnel();
    super.sweep(nowMs, limits);
  }

  override transportGone(reason: Fault): void {
    this.#countTunnel();
    super.transportGone(reason);
  }

  protected override pendingOut(): number {
    return this.#tunnel === undefined ? this.#response.writableLength : this.#tunnel.socket.writableLength;
  }

  protected override isDelivered(): boolean {
    return this.#response.writableFinished || this.#tunnel !== undefined;
  }

  protected override writeRefusal(answer: RefusalAnswer): void {
    if (answer.close) this.#connection.closeAfter(this);
    this.#begin(answer.status, answer.headers);
    const body = Buffer.from(answer.body);
    this.#end(undefined, body, asOneWrite(body));
  }

  protected override kill(): void {
    this.#connection.destroy();
  }

  /** Answers are begun once; not after the socket was given away. */
  #canBegin(): boolean {
    return this.isOpen && !this.#response.headersSent && this.#tunnel === undefined;
  }

  #begin(status: number, headers: HeaderList): void {
    this.status = status;
    if (this.#connection.closesAfter(this)) this.#response.shouldKeepAlive = false;
    try {
      this.#response.writeHead(status, this.#writable(status, headers) as string[]);
    } catch (error) {
      this.unwritable(error);
    }
  }

  /** Takes out what cannot stand: a length with 204 (RFC 9110 section 8.6), `trailer` where nothing can trail. */
  #writable(status: number, headers: HeaderList): HeaderList {
    const isBare = status === 204;
    if (isBare) return without(without(headers, 'content-length'), 'trailer');
    const canTrail =
      this.#hasBody(status) && this.#request.httpVersionMinor > 0 && !hasField(headers, 'content-length');
    return canTrail ? headers : without(headers, 'trailer');
  }

  #hasBody(status: number): boolean {
    return status !== 204 && status !== 304 && this.#request.method !== 'HEAD';
  }

  #count(length: number): void {
    if (this.#hasBody(this.status)) this.bytesOut += length;
  }

  #countTunnel(): void {
    const tunnel = this.#tunnel;
    if (tunnel === undefined) return;
    const { socket } = this.#request;
    this.bytesIn = socket.bytesRead - tunnel.readBefore;
    this.bytesOut = socket.bytesWritten - tunnel.writtenBefore;
  }
}

/** Up to this size a body that leaves with its head is copied, bytes. */
const ONE_WRITE_BYTES = 16_384;

/**
 * A body in the form in which Node writes it together with its head: a string, of which each character is a byte. Bytes would be a second piece, and two pieces
 * a list with an object for each.
 */
function asOneWrite(body: Uint8Array): Uint8Array | string {
  if (body.length > ONE_WRITE_BYTES) return body;
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
}

function ignore(): void {
  // Errors of a request or response follow from the end of its socket, which its connection hears of.
}

function onFinish(this: ServerResponse): void {
  (this.req as Http1Request).exchange?.finished();
}

function onDrain(this: ServerResponse): void {
  (this.req as Http1Request).exchange?.onDrain?.();
}

/** A head whose body comes later goes out by itself; one whose body came in the same tick went with it. */
function flushHead(response: ServerResponse): void {
  if (!response.writableEnded && response.socket !== null) response.flushHeaders();
}

function hasField(list: HeaderList, name: string): boolean {
  return firstHeader(list, name) !== undefined;
}

function without(list: HeaderList, name: string): HeaderList {
  if (!hasField(list, name)) return list;
  const kept: string[] = [];
  for (let i = 0; i + 1 < list.length; i += 2) {
    if (list[i] !== name) kept.push(list[i] as string, list[i + 1] as string);
  }
  return kept;
}
