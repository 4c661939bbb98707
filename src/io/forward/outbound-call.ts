import { backOffMs } from '../../core/kernel/back-off.ts';
import type { Random } from '../../core/kernel/clock.ts';
import { firstHeader, type HeaderList } from '../../core/kernel/headers.ts';
import type { ProvenServer } from '../../core/model/destination.ts';
import type { Fault, FaultCode } from '../../core/model/faults.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import { Answer, type Assignment, type Shared } from './answer.ts';
import type { AnswerSink, Progress } from './answer-sink.ts';
import type { Admission, CallResult } from './circuit.ts';
import type { DestinationUpstream } from './destination-upstream.ts';
import type { UpstreamCall } from './downstream.ts';
import type { AttemptEnd } from './http2-attempt.ts';
import { dispatchHttp1 } from './http1-call.ts';
import type { Http1Lease, Http1Opener } from './http1-pool.ts';
import { sendHttp2, type Repeater } from './http2-call.ts';
import type { Asker } from './pool-generation.ts';
import type { Resilience } from './resilience.ts';
import { mayRepeat } from './retry-rule.ts';

/** Statuses by which a gateway says that what is behind it did not answer. */
const GATEWAY_FAILURES: ReadonlySet<number> = new Set([502, 503, 504]);

/** gRPC status UNAVAILABLE. */
const UNAVAILABLE = '14';

/** A request may be moved this often from a connection that could not take it to another, without counting as sent again. */
const MAX_MOVES = 3;

/** Failures that are ours, or the caller's: they say nothing about the destination. */
const NOT_ITS_FAULT: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'draining',
  'overloaded',
  'destination_overloaded',
  'internal_error',
  'identity_unavailable',
  'target_invalid',
]);

/** What calls of one forwarder share. */
export type OutboundShared = Shared & { readonly random: Random; readonly resilience: Resilience };

/**
 * One call of the agent to a destination, over as many attempts as its rules allow. It stands between the attempts and the one answer: nothing of an
 * attempt that is repeated reaches the caller, and the deadline of the answer goes on through all of them.
 */
export class OutboundCall implements AnswerSink, UpstreamCall, Repeater, Http1Opener, Asker {
  readonly #upstream: DestinationUpstream;
  readonly #assignment: Assignment;
  readonly #shared: OutboundShared;
  readonly #answer: Answer;
  /** The attempt under way, as the protocol's side of it wants to be steered. */
  #call: UpstreamCall | undefined;
  #lease: Http1Lease | undefined;
  #admission: Admission | undefined;
  #server: ProvenServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The HTTP version that the attempt relies on because the destination chose it before. */
  #chosen: 'http1' | 'http2' | undefined;
  #attempts = 0;
  #moves = 0;
  #entered = false;
  #waits = false;
  #repeating = false;
  #cancelled = false;
  #wasRefused = false;

  constructor(upstream: DestinationUpstream, assignment: Assignment, shared: OutboundShared) {
    this.#upstream = upstream;
    this.#assignment = assignment;
    this.#shared = shared;
    this.#answer = new Answer({ ...assignment, done: (outcome) => this.#settled(outcome) }, shared);
  }

  /** Sends it; to be called once. */
  start(): void {
    this.#answer.begin(this);
    const obstacle = this.#upstream.enter();
    this.#entered = obstacle === undefined;
    if (obstacle === undefined) this.#attempt();
    else this.#answer.fail(obstacle);
  }

  #attempt(): void {
    const obstacle = this.#admitted() ?? this.#startWaiting();
    if (obstacle === undefined) this.#send();
    else this.#answer.fail(obstacle);
  }

  /** Lets one more attempt out; a fault where the circuit is open. */
  #admitted(): Fault | undefined {
    const admission = this.#upstream.admit();
    if (admission.kind === 'fault') return admission;
    this.#admission = admission;
    this.#attempts += 1;
    return undefined;
  }

  #send(): void {
    const { style } = this.#assignment.request;
    const { protocol } = this.#upstream.destination;
    const version = protocol === 'auto' && style === 'grpc' ? 'http2' : this.#upstream.version;
    this.#chosen = protocol === 'auto' && style !== 'grpc' ? version : undefined;
    if (version === undefined) this.#upstream.ask(this);
    else if (version === 'http1') this.#upstream.openHttp1(this);
    else this.#sendHttp2();
  }

  #sendHttp2(): void {
    const { request, downstream } = this.#assignment;
    const route = { sessions: this.#upstream, scheme: 'https', repeater: this } as const;
    sendHttp2(route, this.#shared, request, downstream, this);
  }

  onVersion(version: 'http1' | 'http2'): void {
    this.#upstream.chose(version);
    this.#send();
  }

  onNoVersion(reason: Fault): void {
    this.fail(reason, 'unconnected');
  }

  onConnection(lease: Http1Lease): void {
    const { request, downstream } = this.#assignment;
    this.#lease = lease;
    dispatchHttp1(lease.client, request, downstream, this, this.#shared, lease.server);
  }

  onNoConnection(reason: Fault): void {
    this.fail(reason, 'unconnected');
  }

  begin(call: UpstreamCall): void {
    this.#call = call;
  }

  connected(server: ProvenServer | undefined): void {
    this.#server = server;
    this.#stopWaiting();
  }

  progressed(): void {
    this.#answer.progressed();
  }

  requestBroken(): void {
    this.#answer.requestBroken();
  }

  interim(status: number, rawHeaders: HeaderList): void {
    this.#answer.interim(status, rawHeaders);
  }

  head(status: number, rawHeaders: HeaderList): void {
    const isFailure = GATEWAY_FAILURES.has(status) || this.#saysUnavailable(rawHeaders);
    this.#report(isFailure ? 'failure' : 'success');
    this.#answer.head(status, rawHeaders);
  }

  data(chunk: Uint8Array): void {
    this.#answer.data(chunk);
  }

  end(rawTrailers: HeaderList): void {
    this.#release();
    this.#answer.end(rawTrailers);
  }

  fail(reason: Fault, progress: Progress): void {
    this.#release();
    if (this.#cancelled) return;
    if (this.#moves < MAX_MOVES && this.#mayMove(reason, progress)) {
      this.#moves += 1;
      this.#send();
      return;
    }
    this.#stopWaiting();
    this.#report(NOT_ITS_FAULT.has(reason.code) ? 'neutral' : 'failure');
    const { method, style } = this.#assignment.request;
    const failed = { progress, code: reason.code, method, style, body: this.#assignment.downstream.body.kind };
    // What was refused over HTTP/2 was put to `repeatsIn` before.
    const pauseMs = progress !== 'refused' && mayRepeat(failed) ? this.#pauseBeforeNext() : undefined;
    if (pauseMs === undefined) this.#answer.fail(reason);
    else this.#timer = setTimeout(() => this.#attemptAgain(reason), pauseMs);
  }

  /** The connection was gone, or the destination speaks another version than before: not a failure, and nothing was sent. */
  #mayMove(reason: Fault, progress: Progress): boolean {
    if (progress === 'unsent') return true;
    if (reason.code !== 'destination_protocol_refused' || this.#chosen === undefined) return false;
    this.#upstream.forgetVersion(this.#chosen);
    return true;
  }

  /**
   * For a call over HTTP/2 whose stream has ended: only it can send the body again. A first refusal (a GOAWAY of a server that drains, mostly of many
   * calls at once) moves the call to another connection at once and counts as no failure; further ones have their pause and their part of the budget.
   */
  repeatsIn(end: AttemptEnd, replayable: boolean): number | undefined {
    const refused = end.kind === 'failed' && end.progress === 'refused';
    if (!replayable || !refused) return undefined;
    if (!this.#wasRefused) {
      this.#wasRefused = true;
      return this.#startWaiting() === undefined ? 0 : undefined;
    }
    this.#report('failure');
    const pauseMs = this.#pauseBeforeNext();
    if (pauseMs === undefined || this.#admitted() !== undefined || this.#startWaiting() !== undefined) return undefined;
    return pauseMs;
  }

  pause(): void {
    this.#call?.pause();
  }

  resume(): void {
    this.#call?.resume();
  }

  /** Gives the call up, with what it waits for. */
  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    clearTimeout(this.#timer);
    this.#upstream.forgetHttp1(this);
    this.#upstream.forgetAsker(this);
    this.#call?.cancel();
    this.#lease?.discard();
    this.#lease = undefined;
  }

  /** The circuit may have opened during the pause: then what failed before is what the caller hears of. */
  #attemptAgain(before: Fault): void {
    const obstacle = this.#admitted() ?? this.#startWaiting();
    if (obstacle === undefined) this.#send();
    else this.#answer.fail(before);
  }

  /** How long to wait before one more attempt; undefined where there is to be none. */
  #pauseBeforeNext(): number | undefined {
    const { attempts, backOffMs: pause } = this.#shared.resilience;
    if (this.#attempts >= attempts) return undefined;
    if (!this.#repeating && !this.#upstream.budget.take(this.#upstream.underWay)) return undefined;
    this.#repeating = true;
    return backOffMs(this.#attempts, pause.first, pause.longest, this.#shared.random);
  }

  /**
   * A trailers-only gRPC answer (gRPC over HTTP/2, "Responses") that says that the service is unavailable. It counts against the destination, and is passed on:
   * what an application has done before it said so is not to be known here, so only the caller can say whether to try again.
   */
  #saysUnavailable(headers: HeaderList): boolean {
    return this.#assignment.request.style === 'grpc' && firstHeader(headers, 'grpc-status') === UNAVAILABLE;
  }

  #startWaiting(): Fault | undefined {
    const obstacle = this.#upstream.startWaiting();
    this.#waits = obstacle === undefined;
    return obstacle;
  }

  #stopWaiting(): void {
    if (!this.#waits) return;
    this.#waits = false;
    this.#upstream.stopWaiting();
  }

  #release(): void {
    this.#lease?.release();
    this.#lease = undefined;
  }

  #report(result: CallResult): void {
    const admission = this.#admission;
    this.#admission = undefined;
    if (admission !== undefined) this.#upstream.report(admission, result);
  }

  #settled(outcome: Outcome): void {
    this.cancel();
    this.#stopWaiting();
    this.#report(outcome.kind === 'upstream-failed' && !NOT_ITS_FAULT.has(outcome.fault.code) ? 'failure' : 'neutral');
    if (this.#repeating) this.#upstream.budget.give();
    if (this.#entered) this.#upstream.leave();
    this.#assignment.done(withServer(outcome, this.#server));
  }
}

/** Whom the last connection tried led to. */
export function withServer(outcome: Outcome, server: ProvenServer | undefined): Outcome {
  return server === undefined || outcome.kind === 'refused' ? outcome : { ...outcome, server };
}
