import type { ClientHttp2Stream } from 'node:http2';

import type { PermittedRequest } from '../../core/gate/permit.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Answer, Shared } from './answer.ts';
import type { UpstreamAddress } from './address.ts';
import type { Downstream, UpstreamCall } from './downstream.ts';
import { Http2Attempt, type AttemptEnd, type AttemptOwner } from './http2-attempt.ts';
import { Http2Pool, type Lease, type Opener } from './http2-pool.ts';
import { RequestPump } from './request-pump.ts';

/** The agent over HTTP/2 without TLS: gRPC, and whatever else speaks h2c. */
export class Http2Upstream {
  readonly #pool: Http2Pool;
  readonly #shared: Shared;

  constructor(address: UpstreamAddress, shared: Shared) {
    this.#shared = shared;
    this.#pool = new Http2Pool(address, shared.limits);
  }

  /** Sends one request and lets `answer` hear what comes of it. */
  send(request: PermittedRequest, downstream: Downstream, answer: Answer): void {
    const call = new Http2Call(this.#pool, this.#shared, request, downstream, answer);
    answer.begin(call);
    call.start();
  }

  /** Lets calls under way end, then closes. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** Ends everything at once. */
  destroy(): void {
    this.#pool.destroy();
  }
}

/**
 * One call under way. It is sent a second time, once, only where the agent provably did not process it: RST_STREAM with REFUSED_STREAM, or a GOAWAY
 * whose last stream is lower (RFC 9113 section 8.7), no part of an answer came, and what was sent of the body is still at hand.
 */
class Http2Call implements UpstreamCall, Opener, AttemptOwner {
  readonly answer: Answer;
  readonly #pool: Http2Pool;
  readonly #request: PermittedRequest;
  readonly #downstream: Downstream;
  readonly #pump: RequestPump | undefined;
  #attempt: Http2Attempt | undefined;
  #attempts = 0;
  #cancelled = false;

  constructor(pool: Http2Pool, shared: Shared, request: PermittedRequest, downstream: Downstream, answer: Answer) {
    this.#pool = pool;
    this.#request = request;
    this.#downstream = downstream;
    this.answer = answer;
    const { body } = downstream;
    this.#pump = body.kind === 'stream' ? new RequestPump(body.stream, shared, answer) : undefined;
  }

  start(): void {
    this.#pool.open(this);
  }

  onNoSession(reason: Fault): void {
    this.answer.fail(reason);
  }

  onSession(lease: Lease): void {
    if (this.#cancelled) {
      lease.release();
      return;
    }
    this.#attempts += 1;
    const { body } = this.#downstream;
    const hasBody = body.kind === 'stream' || (body.kind === 'bytes' && body.bytes.length > 0);
    let stream: ClientHttp2Stream;
    try {
      stream = lease.session.request(wireHeaders(this.#request), { endStream: !hasBody });
    } catch (error) {
      lease.release();
      this.answer.fail(fault('internal_error', `node:http2 refused the request head: ${String(error)}`));
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
    this.#pool.forget(this);
    this.#pump?.release();
    this.#attempt?.reset();
  }

  drained(): void {
    this.#pump?.drained();
  }

  ended(ended: AttemptEnd): void {
    if (this.#cancelled) return;
    if (ended.kind === 'complete') {
      this.#cancelled = true;
      // The agent needs no more of the request (RFC 9113 section 8.1).
      this.#pump?.release();
      this.#attempt?.finish();
      this.answer.end(ended.trailers);
      return;
    }
    const again = ended.refused && this.#attempts === 1 && (this.#pump?.replayable ?? true);
    if (!again) {
      this.answer.fail(ended.reason);
      return;
    }
    this.#pump?.detach();
    this.#pool.open(this);
  }
}

function wireHeaders(request: PermittedRequest): string[] {
  return [
    ':method',
    request.method,
    ':scheme',
    'http',
    ':authority',
    request.authority,
    ':path',
    request.target,
    ...request.headers,
  ];
}
