import { constants, type ClientHttp2Stream, type IncomingHttpStatusHeader } from 'node:http2';
import { addAbortSignal, Duplex } from 'node:stream';

import type { HeaderList } from '../../core/kernel/headers.ts';
import type { Fault } from '../../core/model/faults.ts';
import type { AnswerSink, Progress } from './answer-sink.ts';
import type { Lease } from './http2-pool.ts';
import { faultOfError, faultOfReset } from './upstream-faults.ts';

/** How long an agent that has answered may leave the rest of a request unread before its stream is reset. */
const LINGER_MS = 5_000;

/** Destroying a stream by a signal is the one way to have node:http2 send CANCEL and nothing before it. */
const ABORTED = AbortSignal.abort();

const ATTEMPT = Symbol('attempt');

/** The way back from a stream's events to its attempt, without a closure for each. */
type Stream = ClientHttp2Stream & { [ATTEMPT]?: Http2Attempt | undefined };

const NO_TRAILERS: HeaderList = [];

export type AttemptEnd =
  | { readonly kind: 'complete'; readonly trailers: HeaderList }
  | {
      readonly kind: 'failed';
      readonly reason: Fault;
      /** How far it had got; `refused` also for a GOAWAY whose last stream is lower. */
      readonly progress: Exclude<Progress, 'unconnected' | 'unsent'>;
    };

/** Who opened a stream, and hears what it brings. */
export interface AttemptOwner {
  readonly answer: AnswerSink;
  /** The stream is over; not called for one that was reset by us. */
  ended(end: AttemptEnd): void;
}

/** One stream to the agent and what it brings. */
export class Http2Attempt {
  readonly stream: ClientHttp2Stream;
  readonly #lease: Lease;
  /** Let go at the end: node:http2's native half keeps the stream, and all it can reach, until the next full collection. */
  #owner: AttemptOwner | undefined;
  #trailers = NO_TRAILERS;
  #answered = false;
  #endSeen = false;
  #error: Error | undefined = undefined;

  constructor(stream: ClientHttp2Stream, lease: Lease, owner: AttemptOwner) {
    this.stream = stream;
    this.#lease = lease;
    this.#owner = owner;
    (stream as Stream)[ATTEMPT] = this;
    stream.push = watchedPush;
    stream.on('response', onResponse);
    stream.on('headers', onInterim);
    stream.on('data', onData);
    stream.on('trailers', onTrailers);
    stream.on('end', onEnd);
    stream.on('error', onError);
    stream.on('close', onClose);
  }

  /**
   * Resets the stream with CANCEL (no longer wanted) where it is still open, and reports nothing any more. Not by `close`: that ends the writable
   * side first, and the END_STREAM it sends makes a request that broke off a complete one for the agent.
   */
  reset(): void {
    this.#owner = undefined;
    if (!this.stream.closed && !this.stream.destroyed) addAbortSignal(ABORTED, this.stream);
  }

  /** The answer is complete: what is left of the request is no longer wanted (RFC 9113 section 8.1). */
  finish(): void {
    const { stream } = this;
    if (!stream.writableEnded) this.reset();
    else if (!stream.writableFinished) stream.setTimeout(LINGER_MS, () => this.reset());
  }

  interim(status: number, raw: readonly string[]): void {
    this.#owner?.answer.interim(status, fieldsOf(raw));
  }

  head(status: number, raw: readonly string[]): void {
    this.#answered = true;
    this.#owner?.answer.head(status, fieldsOf(raw));
  }

  data(chunk: Uint8Array): void {
    this.#owner?.answer.data(chunk);
  }

  trailers(raw: readonly string[]): void {
    this.#trailers = fieldsOf(raw);
  }

  /** END_STREAM was received; what came before it may still have to be read. */
  endSeen(): void {
    this.#endSeen = true;
  }

  ended(): void {
    if (this.#endSeen) this.#finish({ kind: 'complete', trailers: this.#trailers });
  }

  failed(error: Error): void {
    this.#error = error;
  }

  closed(): void {
    (this.stream as Stream)[ATTEMPT] = undefined;
    this.#lease.release();
    if (this.#owner === undefined) return;
    const { rstCode, id } = this.stream;
    const lastProcessed = this.#lease.lastProcessedStream;
    const beyondGoaway = lastProcessed !== undefined && (id === undefined || id > lastProcessed);
    const refused = !this.#answered && (rstCode === constants.NGHTTP2_REFUSED_STREAM || beyondGoaway);
    const progress = refused ? 'refused' : this.#answered ? 'answered' : 'sent';
    this.#finish({ kind: 'failed', reason: this.#reason(rstCode), progress });
  }

  #reason(rstCode: number): Fault {
    const error: NodeJS.ErrnoException | undefined = this.#error;
    return error === undefined || error.code === 'ERR_HTTP2_STREAM_ERROR' ? faultOfReset(rstCode) : faultOfError(error);
  }

  #finish(end: AttemptEnd): void {
    const owner = this.#owner;
    this.#owner = undefined;
    this.#trailers = NO_TRAILERS;
    owner?.ended(end);
  }
}

/**
 * Tells of END_STREAM. node:http2 emits `end`, and no error, also where a stream is reset with NO_ERROR or CANCEL and where the
 * connection closes under it, so `end` alone cannot be taken for the end of an answer. In those cases it marks the stream closed before it pushes the
 * end of data; on END_STREAM it pushes first. Shared by all streams.
 */
function watchedPush(this: ClientHttp2Stream, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk === null && !this.closed) (this as Stream)[ATTEMPT]?.endSeen();
  return Duplex.prototype.push.call(this, chunk, encoding);
}

function onResponse(this: ClientHttp2Stream, headers: IncomingHttpStatusHeader, _flags: number, raw: string[]): void {
  (this as Stream)[ATTEMPT]?.head(headers[':status'] ?? 0, raw);
}

function onInterim(this: ClientHttp2Stream, headers: IncomingHttpStatusHeader, _flags: number, raw: string[]): void {
  (this as Stream)[ATTEMPT]?.interim(headers[':status'] ?? 0, raw);
}

function onData(this: ClientHttp2Stream, chunk: Buffer): void {
  (this as Stream)[ATTEMPT]?.data(chunk);
}

function onTrailers(this: ClientHttp2Stream, _headers: unknown, _flags: number, raw: string[]): void {
  (this as Stream)[ATTEMPT]?.trailers(raw);
}

function onEnd(this: ClientHttp2Stream): void {
  (this as Stream)[ATTEMPT]?.ended();
}

function onError(this: ClientHttp2Stream, error: Error): void {
  (this as Stream)[ATTEMPT]?.failed(error);
}

function onClose(this: ClientHttp2Stream): void {
  (this as Stream)[ATTEMPT]?.closed();
}

/** Without pseudo-header fields. */
function fieldsOf(raw: readonly string[]): HeaderList {
  let start = 0;
  while (start < raw.length && (raw[start] as string).startsWith(':')) start += 2;
  return start === 0 ? raw : raw.slice(start);
}
