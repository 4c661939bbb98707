import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { Duplex } from 'node:stream';

import type { RefusalAnswer } from '../../core/gate/exchange.ts';
import { firstHeader, type HeaderList } from '../../core/kernel/headers.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import { headerListSize } from './header-size.ts';
import type { Http2Connection } from './http2-connection.ts';
import { resetCode } from './http2-faults.ts';
import { OpenExchange } from './open-exchange.ts';

const { NGHTTP2_NO_ERROR: NO_ERROR } = constants;

const EXCHANGE = Symbol('exchange');

/** The way back from a stream's events to its exchange, without a closure for each. */
type Stream = ServerHttp2Stream & { [EXCHANGE]?: Http2Exchange | undefined };

const NO_TRAILERS: HeaderList = [];

/**
 * How long a peer that was answered before its request was over may take to end it, milliseconds. A client of Node's that gets RST_STREAM right behind
 * the answer never shows the answer (grpc-js: INTERNAL instead of the status), so it is given the time to see it and to end the stream itself.
 */
const EARLY_ANSWER_GRACE_MS = 1_000;

/** One HTTP/2 request and its answer, on the stream interface (the compatibility interface costs 10 us a request more). */
export class Http2Exchange extends OpenExchange {
  readonly #stream: ServerHttp2Stream;
  readonly #connection: Http2Connection;
  #requestTrailers: HeaderList = NO_TRAILERS;
  #hasEnded = false;
  #hasSentContinue = false;
  #hasDrainListener = false;
  /** The head promised that the last DATA frame is not the end: `wantTrailers` will come. */
  #trailsAfterData = false;
  #trailers: HeaderList = NO_TRAILERS;
  #error: Error | undefined = undefined;

  constructor(connection: Http2Connection, stream: ServerHttp2Stream, headers: HeaderList, endStream: boolean) {
    super(connection, { kind: 'http2', headers, endStream }, endStream ? { kind: 'none' } : { kind: 'stream', stream });
    this.#connection = connection;
    this.#stream = stream;
    (stream as Stream)[EXCHANGE] = this;
    stream.on('error', onError);
    stream.on('close', onClose);
    if (!endStream) {
      stream.on('trailers', onTrailers);
      stream.push = countedPush;
    }
  }

  override requestTrailers(): HeaderList {
    return this.#requestTrailers;
  }

  override informational(status: number, headers: HeaderList): void {
    if (!this.#canBegin()) return;
    try {
      this.#stream.additionalHeaders({ ':status': status, ...fieldMap(headers) });
    } catch (error) {
      this.unwritable(error);
    }
  }

  override sendContinue(): void {
    if (this.#hasSentContinue || !this.#expectsContinue()) return;
    this.#hasSentContinue = true;
    this.informational(constants.HTTP_STATUS_CONTINUE, NO_TRAILERS);
  }

  override respondWhole(
    status: number,
    headers: HeaderList,
    body: Uint8Array | undefined,
    trailers: HeaderList | undefined,
  ): void {
    if (!this.#canBegin()) return;
    const isTrailed = trailers !== undefined && trailers.length > 0;
    const isBare = !isTrailed && (body === undefined || body.length === 0);
    this.#begin(status, headers, isBare, isTrailed);
    this.respondEnd(trailers, body);
  }

  override respondHead(status: number, headers: HeaderList): void {
    if (this.#canBegin()) this.#begin(status, headers, false, mayTrail(headers));
  }

  override respondData(chunk: Uint8Array): boolean {
    if (!this.isOpen || this.#hasEnded || chunk.length === 0 || this.#stream.writableEnded) return true;
    this.#count(chunk.length);
    if (this.#stream.write(chunk)) return true;
    if (!this.#hasDrainListener) {
      this.#hasDrainListener = true;
      this.#stream.on('drain', onDrain);
    }
    return false;
  }

  override respondEnd(trailers: HeaderList | undefined, lastChunk: Uint8Array | undefined): void {
    if (!this.isOpen || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#trailers = trailers ?? NO_TRAILERS;
    const stream = this.#stream;
    if (!this.isComplete && !this.#trailsAfterData) {
      if (stream.writableFinished) setImmediate(answeredEarly, this);
      else stream.once('finish', onFinishEarly);
    }
    // HEAD, 204 and 304: Node ended the stream with the head.
    if (stream.writableEnded) return;
    if (lastChunk === undefined || lastChunk.length === 0) stream.end();
    else {
      this.#count(lastChunk.length);
      stream.end(lastChunk);
    }
  }

  /** True when the last byte of the request is here. */
  get isComplete(): boolean {
    return this.body.kind !== 'stream' || this.#stream.readableEnded;
  }

  override sweep(nowMs: number, limits: Limits): void {
    const { requestTimeoutMs } = limits;
    const isLate = requestTimeoutMs > 0 && nowMs - this.receivedMonotonicMs >= requestTimeoutMs;
    if (isLate && !this.isComplete && !this.#isLongStream())
      this.bodyFailed(fault('request_timeout', `the body took more than ${requestTimeoutMs} ms`), 'us');
    super.sweep(nowMs, limits);
  }

  /** All DATA was taken: the moment to send trailers. */
  dataTaken(): void {
    try {
      this.#stream.sendTrailers(fieldMap(this.#trailers));
      this.#trailsAfterData = false;
      // Node sends them in an immediate of its own, queued just now; ours comes after.
      if (!this.isComplete) setImmediate(answeredEarly, this);
    } catch (error) {
      this.unwritable(error);
    }
  }

  trailersReceived(trailers: HeaderList): void {
    this.#connection.guard.explainHead(headerListSize(trailers));
    const { headerBytes, headerCount } = this.home.host.limits;
    if (trailers.length <= 2 * headerCount && headerListSize(trailers) <= headerBytes) this.#requestTrailers = trailers;
    else this.cut(fault('headers_too_large', 'trailers'));
  }

  override received(chunk: Uint8Array): void {
    this.#connection.guard.explainData(chunk.length);
    super.received(chunk);
  }

  /**
   * The answer is out before the request is over: the rest of it is not wanted and thrown away, at last by RST_STREAM with NO_ERROR (RFC 9113
   * section 8.1).
   */
  answeredEarly(): void {
    const stream = this.#stream;
    this.settleSent();
    if (stream.closed || stream.destroyed) return;
    stream.removeAllListeners('data');
    stream.resume();
    const timer = setTimeout(closeEarly, EARLY_ANSWER_GRACE_MS, stream).unref();
    stream.once('close', () => clearTimeout(timer));
  }

  streamFailed(error: Error): void {
    this.#error = error;
  }

  /** The stream is gone: finished, reset by either side, or with its connection. */
  streamClosed(): void {
    (this.#stream as Stream)[EXCHANGE] = undefined;
    if (!this.isComplete) this.#connection.guard.explainAbandoned(this.home.host.limits.streamWindowBytes);
    if (!this.isOpen) return;
    if (this.isDelivered()) this.settleSent();
    else {
      const reason = this.#connection.faultOfStream(this.#stream.rstCode, this.#error);
      this.settleClosed(reason, 'peer');
      this.#connection.streamReset(this.receivedMonotonicMs);
    }
  }

  protected override pendingOut(): number {
    return this.#stream.writableLength;
  }

  protected override isDelivered(): boolean {
    if (!this.#hasEnded || this.#trailsAfterData) return false;
    const { writableFinished, writableEnded, writableLength, rstCode } = this.#stream;
    // Where the request ended before its answer, Node closes the stream with END_STREAM and never emits `finish`: what is left to write tells.
    return writableFinished || (writableEnded && writableLength === 0 && rstCode === NO_ERROR);
  }

  protected override writeRefusal(answer: RefusalAnswer): void {
    if (answer.close) this.#connection.closeAfterOpenStreams();
    const body = answer.body === '' ? undefined : Buffer.from(answer.body);
    this.respondWhole(answer.status, answer.headers, body, undefined);
  }

  protected override kill(reason: Fault): void {
    const stream = this.#stream;
    if (stream.closed || stream.destroyed) return;
    // `close` ends the writable side before it resets: an answer that has begun would look complete. Only an error resets alone, as INTERNAL_ERROR.
    if (stream.headersSent) stream.destroy(new Error(reason.code));
    else stream.close(resetCode(reason));
  }

  #canBegin(): boolean {
    return this.isOpen && !this.#stream.headersSent && !this.#stream.closed && !this.#stream.destroyed;
  }

  #begin(status: number, headers: HeaderList, endStream: boolean, waitForTrailers: boolean): void {
    this.status = status;
    const isHead = firstHeader(this.head.headers, ':method') === 'HEAD';
    const isBodiless = status === 204 || status === 304 || isHead;
    this.#trailsAfterData = waitForTrailers && !isBodiless;
    this.#connection.guard.sent(0);
    try {
      // A list of our own: Node adds `date` to it.
      this.#stream.respond([':status', String(status), ...headers], {
        endStream: endStream || isBodiless,
        waitForTrailers: this.#trailsAfterData,
      });
      if (this.#trailsAfterData) this.#stream.on('wantTrailers', onWantTrailers);
    } catch (error) {
      this.unwritable(error);
    }
  }

  #count(length: number): void {
    this.bytesOut += length;
    this.#connection.guard.sent(length);
  }

  #expectsContinue(): boolean {
    return firstHeader(this.head.headers, 'expect')?.toLowerCase() === '100-continue';
  }

  /** gRPC streams live as long as both sides like (`Limits.requestTimeoutMs`). */
  #isLongStream(): boolean {
    return firstHeader(this.head.headers, 'content-type')?.startsWith('application/grpc') ?? false;
  }
}

function onError(this: ServerHttp2Stream, error: Error): void {
  (this as Stream)[EXCHANGE]?.streamFailed(error);
}

function onClose(this: ServerHttp2Stream): void {
  (this as Stream)[EXCHANGE]?.streamClosed();
}

function onDrain(this: ServerHttp2Stream): void {
  (this as Stream)[EXCHANGE]?.onDrain?.();
}

function onWantTrailers(this: ServerHttp2Stream): void {
  (this as Stream)[EXCHANGE]?.dataTaken();
}

function onTrailers(this: ServerHttp2Stream, _headers: unknown, _flags: number, rawHeaders: string[]): void {
  (this as Stream)[EXCHANGE]?.trailersReceived(rawHeaders);
}

function onFinishEarly(this: ServerHttp2Stream): void {
  (this as Stream)[EXCHANGE]?.answeredEarly();
}

function answeredEarly(exchange: Http2Exchange): void {
  exchange.answeredEarly();
}

function closeEarly(stream: ServerHttp2Stream): void {
  if (!stream.closed && !stream.destroyed) stream.close(NO_ERROR);
}

/** Counts what arrives before it is buffered. Shared by all streams. */
function countedPush(this: ServerHttp2Stream, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk instanceof Uint8Array) (this as Stream)[EXCHANGE]?.received(chunk);
  // A stream that was reset is ended by Node too, once it is closed.
  else if (chunk === null && !this.closed) (this as Stream)[EXCHANGE]?.receivedAll();
  return Duplex.prototype.push.call(this, chunk, encoding);
}

/** An answer with a length is over with its last byte, unless it says otherwise; gRPC and streamed answers may have trailers. */
function mayTrail(headers: HeaderList): boolean {
  return firstHeader(headers, 'content-length') === undefined || firstHeader(headers, 'trailer') !== undefined;
}

/** Flat list to the map that node:http2 wants for 1xx and trailers; duplicates become arrays. */
function fieldMap(list: HeaderList): OutgoingHttpHeaders {
  const map: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i] as string;
    const value = list[i + 1] as string;
    const before = map[name];
    if (before === undefined) map[name] = value;
    else map[name] = typeof before === 'string' ? [before, value] : [...before, value];
  }
  return map;
}
