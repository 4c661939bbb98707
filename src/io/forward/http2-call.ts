import type { ClientHttp2Stream } from 'node:http2';

import type { PermittedRequest } from '../../core/gate/permit.ts';
import type { HeaderList } from '../../core/kernel/headers.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Shared } from './answer.ts';
import type { AnswerSink } from './answer-sink.ts';
import type { Downstream, UpstreamCall } from './downstream.ts';
import { Http2Attempt, type AttemptEnd, type AttemptOwner } from './http2-attempt.ts';
import type { Lease, Opener, Sessions } from './http2-pool.ts';
import { RequestPump } from './request-pump.ts';

/** Decides whether a stream that has ended is opened again. */
export interface Repeater {
  /** In how many milliseconds, 0 being at once; undefined where not. `replayable`: what was sent of the body is still at hand. */
  repeatsIn(end: AttemptEnd, replayable: boolean, attempts: number): number | undefined;
}

/**
 * Once more, at once, and only where the other side provably did not process the call: RST_STREAM with REFUSED_STREAM, or a GOAWAY whose last stream is
 * lower (RFC 9113 section 8.7), no part of an answer came, and what was sent of the body is still at hand.
 */
const ONCE_MORE: Repeater = {
  repeatsIn(end, replayable, attempts) {
    return end.kind === 'failed' && end.progress === 'refused' && attempts === 1 && replayable ? 0 : undefined;
  },
};

/** How one side is spoken to. */
export type Http2Route = {
  readonly sessions: Sessions;
  readonly scheme: 'http' | 'https';
  readonly repeater?: Repeater;
};

/** Sends one request and lets `answer` hear what comes of it. */
export function sendHttp2(
  route: Http2Route,
  shared: Shared,
  request: PermittedRequest,
  downstream: Downstream,
  answer: AnswerSink,
): void {
  const call = new Http2Call(route, shared, request, downstream, answer);
  answer.begin(call);
  call.start();
}

/** One call under way. */
class Http2Call implements UpstreamCall, Opener, AttemptOwner {
  readonly answer: AnswerSink;
  readonly #sessions: Sessions;
  readonly #scheme: Http2Route['scheme'];
  readonly #repeater: Repeater;
  readonly #request: PermittedRequest;
  readonly #downstream: Downstream;
  readonly #pump: RequestPump | undefined;
  #attempt: Http2Attempt | undefined;
  #attempts = 0;
  #pauseTimer: NodeJS.Timeout | undefined;
  #cancelled = false;

  constructor(
    { sessions, scheme, repeater = ONCE_MORE }: Http2Route,
    shared: Shared,
    request: PermittedRequest,
    downstream: Downstream,
    answer: AnswerSink,
  ) {
    this.#sessions = sessions;
    this.#scheme = scheme;
    this.#repeater = repeater;
    this.#request = request;
    this.#downstream = downstream;
    this.answer = answer;
    const { body } = downstream;
    this.#pump = body.kind === 'stream' ? new RequestPump(body.stream, shared, answer) : undefined;
  }

  start(): void {
    this.#sessions.open(this);
  }

  onNoSession(reason: Fault): void {
    this.answer.fail(reason, 'unconnected');
  }

  onSession(lease: Lease): void {
    if (this.#cancelled) {
      lease.release();
      return;
    }
    this.#attempts += 1;
    this.answer.connected?.(lease.server);
    const { body } = this.#downstream;
    const hasBody = body.kind === 'stream' || (body.kind === 'bytes' && body.bytes.length > 0);
    let stream: ClientHttp2Stream;
    try {
      stream = lease.session.request(wireHeaders(this.#request, this.#scheme), { endStream: !hasBody });
    } catch (error) {
      lease.release();
      this.answer.fail(fault('internal_error', `node:http2 refused the request head: ${String(error)}`), 'answered');
      return;
    }
    this.#attempt = new Http2Attempt(stream, lease, this);
    if (body.kind === 'bytes' && hasBody) stream.end(body.bytes);
    if (this.#pump === undefined) return;
    if (this.#request.expectContinue && this.#attempts === 1) this.#downstream.sendContinue();
    this.#pump.attach(stream);
  }

  pause(): void {
    this.#attempt?.stream.pause();
  }

  resume(): void {
    this.#attempt?.stream.resume();
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    clearTimeout(this.#pauseTimer);
    this.#sessions.forget(this);
    this.#pump?.release();
    this.#attempt?.reset();
  }

  ended(end: AttemptEnd): void {
    if (this.#cancelled) return;
    const pauseMs = this.#repeater.repeatsIn(end, this.#pump?.replayable ?? true, this.#attempts);
    if (pauseMs !== undefined) this.#again(end, pauseMs);
    else if (end.kind === 'failed') this.answer.fail(end.reason, end.progress);
    else this.#complete(end.trailers);
  }

  #again(end: AttemptEnd, pauseMs: number): void {
    this.#pump?.detach();
    if (end.kind === 'complete') this.#attempt?.finish();
    this.#attempt = undefined;
    if (pauseMs === 0) this.#sessions.open(this);
    else this.#pauseTimer = setTimeout(() => this.#sessions.open(this), pauseMs);
  }

  #complete(trailers: HeaderList): void {
    this.#cancelled = true;
    // The other side needs no more of the request (RFC 9113 section 8.1).
    this.#pump?.release();
    this.#attempt?.finish();
    this.answer.end(trailers);
  }
}

function wireHeaders(request: PermittedRequest, scheme: Http2Route['scheme']): string[] {
  return [
    ':method',
    request.method,
    ':scheme',
    scheme,
    ':authority',
    request.authority,
    ':path',
    request.target,
    ...request.headers,
  ];
}
