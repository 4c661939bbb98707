import { ServerResponse } from 'node:http';

import type { RefusalAnswer } from '../../core/gate/exchange.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import { type Arrival, Http1Exchange } from './http1-exchange.ts';
import { faultOfParser, isEndOfInput, plainAnswer } from './http1-faults.ts';
import { type Http1Request, requestBody } from './http1-request.ts';
import { type Held, OpenConnection } from './open-connection.ts';

/** Pipelined requests that may wait for their turn. Reading stops at the end of the turn that the first of them came in. */
const MAX_WAITING = 1_024;

/** How much of an unwanted body is read away to keep the connection, rather than closing it. */
const MAX_DISCARD_BYTES = 65_536;

/**
 * An HTTP/1.x connection. Requests are taken one at a time, in order (RFC 9112 section 9.3.2); pipelined ones wait unread by anybody, and one
 * whose turn never comes was not begun.
 */
export class Http1Connection extends OpenConnection {
  #current: Http1Exchange | undefined = undefined;
  readonly #waiting: Http1Exchange[] = [];
  /** The exchange after whose answer the connection closes. */
  #last: Http1Exchange | undefined = undefined;
  #isDraining = false;
  #hasFailed = false;
  /** The answer to an unreadable request behind `#current`. */
  #owed: RefusalAnswer | undefined = undefined;
  #discardFrom: number | undefined = undefined;

  constructor(...facts: ConstructorParameters<typeof OpenConnection>) {
    super(...facts);
    // Node destroys the socket after a last answer, which can reset it under the peer's eyes (RFC 9112 section 9.6).
    this.socket.destroySoon = () => this.endGently();
  }

  /** A complete head; `response` is its place in the order of answers. */
  request(request: Http1Request, response: ServerResponse, arrival: Arrival): void {
    if (this.isEnding || this.#owed !== undefined) return;
    this.#discardFrom = undefined;
    const exchange = new Http1Exchange(this, request, response, arrival);
    if (request.asksForUpgrade && !this.#isAllThatCame(request)) this.#last = exchange;
    if (this.#current === undefined) this.#begin(exchange);
    else {
      this.#waiting.push(exchange);
      // Not now: Node resumes the socket at the end of every message that it parses, a tick later.
      if (this.#waiting.length === 1) setImmediate(stopReading, this);
      if (this.#waiting.length > MAX_WAITING) this.cut(fault('flood', `${MAX_WAITING} pipelined requests`), true);
    }
  }

  /** A WebSocket handshake or CONNECT: Node has let go of the socket, and `early` are bytes that came with the head. */
  leftHttp(request: Http1Request, early: Buffer, arrival: 'websocket' | 'connect'): void {
    if (this.isEnding || this.#owed !== undefined) return;
    if (this.#current !== undefined || (arrival === 'websocket' && early.length > 0)) {
      const detail =
        early.length > 0 ? 'bytes before the answer to the handshake' : 'a handshake behind other requests';
      this.#unreadable(fault('upgrade_refused', detail));
      return;
    }
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(this.socket);
    const exchange = new Http1Exchange(this, request, response, arrival);
    this.#last = exchange;
    this.#begin(exchange);
  }

  /** Node could not parse what came, or it did not come in time. */
  failed(error: Error): void {
    const reason = faultOfParser(error);
    if (reason === undefined) {
      this.socket.destroy();
      return;
    }
    if (this.#hasFailed || this.isEnding) return;
    this.#hasFailed = true;
    const current = this.#waiting.at(-1) ?? this.#current;
    if (current !== undefined && !current.isComplete) {
      this.#last = current;
      if (isEndOfInput(error)) current.end(fault('peer_aborted', 'the body broke off'), 'peer');
      else current.bodyFailed(reason, reason.code === 'request_timeout' ? 'us' : 'peer');
    } else if (this.socket.bytesRead === 0) this.cut(fault('connection_idle_timeout', 'not a byte in time for a head'));
    else this.#unreadable(reason);
  }

  /** The connection ends with the answer to `exchange`. */
  closeAfter(exchange: Http1Exchange): void {
    this.#last = exchange;
  }

  closesAfter(exchange: Http1Exchange): boolean {
    return this.#last === exchange || this.#isDraining || exchange.bytesToCome > MAX_DISCARD_BYTES;
  }

  override release(held: Held): void {
    super.release(held);
    if (held !== this.#current) return;
    const ended = this.#current;
    this.#current = undefined;
    if (this.isEnding || this.socket.destroyed) return;
    if (this.#owed !== undefined) this.#writeOwed(this.#owed);
    else if (this.closesAfter(ended)) this.endGently();
    else {
      if (!ended.isComplete) this.#discard(ended);
      this.#next();
    }
  }

  override sweep(nowMs: number): void {
    const from = this.#discardFrom;
    if (from !== undefined && this.socket.bytesRead - from > MAX_DISCARD_BYTES) this.endGently();
    super.sweep(nowMs);
  }

  override drain(): void {
    this.#isDraining = true;
    if (this.#current === undefined) this.endGently();
  }

  /** An idle connection stays: a request may be on its way, and closing now would leave its sender not knowing whether it was taken (RFC 9112 9.6). */
  override retire(): void {
    this.#isDraining = true;
  }

  /** Reads no further requests while some are waiting. */
  stopReading(): void {
    if (this.#waiting.length > 0 && !this.isEnding) this.socket.pause();
  }

  /** Half-closes, goes on reading so that the last answer is not lost to a reset, and closes when the peer does. */
  endGently(): void {
    if (this.socket.destroyed) return;
    this.linger();
    this.socket.end();
    this.socket.resume();
  }

  destroy(): void {
    this.socket.destroy();
  }

  protected override kill(): void {
    this.socket.destroy();
  }

  /**
   * Node loses what came behind a request whose upgrade is ignored, in the same piece: were the connection to go on, bytes in the middle of a lost request would
   * be taken for one. Clients that offer HTTP/2 do so once, with a bodiless request first on its connection, and keep theirs.
   */
  #isAllThatCame(request: Http1Request): boolean {
    return this.served === 0 && requestBody(request).kind === 'none' && this.socket.bytesRead === headLength(request);
  }

  #begin(exchange: Http1Exchange): void {
    this.#current = exchange;
    this.take(exchange, () => this.host.handler.exchange(exchange));
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) this.#begin(next);
    if (this.#waiting.length === 0 && !this.isEnding) this.socket.resume();
  }

  #discard(ended: Http1Exchange): void {
    this.#discardFrom = this.socket.bytesRead;
    ended.discardBody();
  }

  #unreadable(reason: Fault): void {
    this.served += 1;
    this.guarded(() => {
      const answer = this.host.handler.unreadable(this.facts, this.peer, reason);
      if (this.#current === undefined) this.#writeOwed(answer);
      else this.#owed = answer;
    });
  }

  #writeOwed(answer: RefusalAnswer): void {
    if (answer.status === 0) this.socket.destroy();
    else {
      this.socket.write(plainAnswer(answer, this.host.clock.wallMs()), 'utf8');
      this.endGently();
    }
  }
}

/** Bytes of a head in its usual spelling: one space behind each colon, nothing before the request line. */
function headLength({ method = '', url = '', rawHeaders }: Http1Request): number {
  const fields = rawHeaders.reduce((bytes, part) => bytes + part.length + ': '.length, 0);
  return `${method} ${url} HTTP/1.1\r\n\r\n`.length + fields;
}

function stopReading(connection: Http1Connection): void {
  connection.stopReading();
}
