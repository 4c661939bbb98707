import type { Dispatcher } from 'undici';

import type { PermittedRequest } from '../../core/gate/permit.ts';
import { allHeaders, type HeaderList } from '../../core/kernel/headers.ts';
import type { ProvenServer } from '../../core/model/destination.ts';
import { fault } from '../../core/model/faults.ts';
import type { RawHead } from '../../core/model/request.ts';
import type { Shared } from './answer.ts';
import type { AnswerSink } from './answer-sink.ts';
import type { Downstream, UpstreamCall } from './downstream.ts';
import { RequestBodyStream } from './request-body.ts';
import { faultOfHttp1Error } from './upstream-faults.ts';

/** Sends one request by `dispatcher` and lets `answer` hear what comes of it. `server`: who proved to be at the other end. */
export function dispatchHttp1(
  dispatcher: Dispatcher,
  request: PermittedRequest,
  downstream: Downstream,
  answer: AnswerSink,
  shared: Shared,
  server?: ProvenServer,
): void {
  const call = new Http1Call(request, downstream, answer, server);
  answer.begin(call);
  if (request.target === '*') {
    answer.fail(fault('target_invalid', 'OPTIONS * cannot be forwarded over HTTP/1.1'), 'answered');
    return;
  }
  const options = {
    method: request.method,
    path: request.target,
    headers: wireHeaders(request, downstream.head.kind),
    body: bodyOf(downstream, answer, shared),
  };
  dispatcher.dispatch(options, call);
}

function bodyOf({ body }: Downstream, answer: AnswerSink, shared: Shared): Uint8Array | RequestBodyStream | null {
  if (body.kind === 'none') return null;
  if (body.kind === 'bytes') return body.bytes;
  return new RequestBodyStream(body.stream, shared.limits.bufferBytes, shared.flushes, answer);
}

const GIVEN_UP = new Error('given up');

/** One request under way: undici's handler on one side, what steers it on the other. */
class Http1Call implements Dispatcher.DispatchHandler, UpstreamCall {
  readonly #request: PermittedRequest;
  readonly #downstream: Downstream;
  readonly #answer: AnswerSink;
  readonly #server: ProvenServer | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #started = false;
  #answered = false;
  #cancelled = false;
  #paused = false;

  constructor(request: PermittedRequest, downstream: Downstream, answer: AnswerSink, server: ProvenServer | undefined) {
    this.#request = request;
    this.#downstream = downstream;
    this.#answer = answer;
    this.#server = server;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#started = true;
    this.#answer.connected?.(this.#server);
    if (this.#cancelled) controller.abort(GIVEN_UP);
    // A connection to the agent is open and the body is about to be read (RFC 9110 10.1.1: an intermediary may answer 100 by itself).
    else if (this.#request.expectContinue && this.#downstream.body.kind === 'stream') this.#downstream.sendContinue();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    const headers = fieldsOf(controller.rawHeaders);
    if (status < 200) {
      this.#answer.interim(status, headers);
      return;
    }
    this.#answered = true;
    if (isOtherwiseCoded(headers))
      this.#answer.fail(fault('upstream_protocol_error', 'a transfer coding other than chunked'), 'answered');
    else this.#answer.head(status, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#answer.data(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#controller = undefined;
    this.#answer.end(fieldsOf(controller.rawTrailers));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#controller = undefined;
    const progress = this.#answered ? 'answered' : this.#started ? 'sent' : 'unsent';
    this.#answer.fail(faultOfHttp1Error(error, this.#answered), progress);
  }

  pause(): void {
    this.#paused = true;
    this.#controller?.pause();
  }

  resume(): void {
    this.#paused = false;
    // Not now: `resume` runs undici's parser, and we may stand inside a call of it.
    process.nextTick(resumeIfWanted, this);
  }

  cancel(): void {
    this.#cancelled = true;
    this.#controller?.abort(GIVEN_UP);
  }

  resumeNow(): void {
    if (!this.#paused && !this.#cancelled) this.#controller?.resume();
  }
}

function resumeIfWanted(call: Http1Call): void {
  call.resumeNow();
}

/**
 * Fields in the order decided on. `te` is about one connection and would need a `Connection` option (RFC 9110 10.1.4), which undici does not send.
 * Cookie crumbs of HTTP/2 become one field (RFC 9113 8.2.3).
 */
function wireHeaders(request: PermittedRequest, peerSpeaks: RawHead['kind']): string[] {
  const wire = ['host', request.authority];
  const { headers } = request;
  const crumbs = peerSpeaks === 'http2' ? allHeaders(headers, 'cookie') : [];
  let cookieSent = false;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name === 'te' || (name === 'cookie' && cookieSent)) continue;
    const joined = name === 'cookie' && crumbs.length > 1;
    if (joined) cookieSent = true;
    wire.push(name, joined ? crumbs.join('; ') : (headers[i + 1] as string));
  }
  return wire;
}

/** undici gives names and values as bytes. */
function fieldsOf(raw: Dispatcher.DispatchController['rawHeaders']): HeaderList {
  const fields: string[] = [];
  if (!Array.isArray(raw)) return fields;
  for (const part of raw) fields.push(typeof part === 'string' ? part : part.toString('latin1'));
  return fields;
}

/**
 * True where the answer has a transfer coding that nobody asked for (we never send `te`). undici takes `gzip` without `chunked` for a body that
 * ends with the connection, and would hand out its bytes still coded.
 */
function isOtherwiseCoded(headers: HeaderList): boolean {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 17 || name.toLowerCase() !== 'transfer-encoding') continue;
    if ((headers[i + 1] as string).toLowerCase() !== 'chunked') return true;
  }
  return false;
}
