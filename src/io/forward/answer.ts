import type { PermittedRequest } from '../../core/gate/permit.ts';
import { refusalAnswer } from '../../core/gate/refusal.ts';
import type { DecisionId } from '../../core/kernel/brand.ts';
import { firstHeader, type HeaderList } from '../../core/kernel/headers.ts';
import { err, type Result } from '../../core/kernel/result.ts';
import { fault, FAULTS, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import { answerHeaders, answerTrailers } from '../../core/request/answer-headers.ts';
import type { Downstream, UpstreamCall } from './downstream.ts';
import type { Flushable, FlushQueue } from './flush-queue.ts';

/** Interim answers passed on for one request; more is no use but a way to fill the peer's pipe (RFC 9110 section 15.2 sets no bound). */
export const MAX_INTERIM_ANSWERS = 16;

/** Longest delay of a Node timer; a gRPC deadline beyond it (25 days) is left to the two ends. */
const MAX_TIMER_MS = 2_147_483_647;

/** One allowed request, as those who forward it are given it. */
export type Assignment = {
  readonly decisionId: DecisionId;
  readonly request: PermittedRequest;
  readonly downstream: Downstream;
  readonly done: (outcome: Outcome) => void;
};

/** What all requests of a forwarder share. */
export type Shared = { readonly limits: Limits; readonly flushes: FlushQueue };

/**
 * `waiting` for a head; `held`: a head came and is held back, in case the body comes with it; `streaming`: the peer has the head;
 * `ended`: the whole answer was handed over; `failing`: an error answer is on its way; `given-up`: the peer's body broke off, the listener
 * is about to say why; `settled`: the outcome was reported.
 */
type Phase = 'waiting' | 'held' | 'streaming' | 'ended' | 'failing' | 'given-up' | 'settled';

/**
 * The answer to one request on its way to the peer, whatever protocol it came by: passes it on with as few writes as its arrival allows,
 * turns failures into what the peer may see, and reports the outcome exactly once.
 */
export class Answer implements Flushable {
  readonly #shared: Shared;
  #work: Assignment | undefined;
  #call: UpstreamCall | undefined;
  #phase: Phase = 'waiting';
  #status = 0;
  #headers: HeaderList = [];
  #chunk: Uint8Array | undefined;
  #grpcStatus: number | undefined;
  #interimAnswers = 0;
  #flushDue = false;
  #timer: NodeJS.Timeout | undefined;
  #failure: Fault | undefined;

  constructor(assignment: Assignment, shared: Shared) {
    this.#work = assignment;
    this.#shared = shared;
  }

  /** What is being answered; let go once the outcome was reported, after which no phase lets anybody ask. */
  get #assignment(): Assignment {
    if (this.#work === undefined) throw new TypeError('the answer is settled');
    return this.#work;
  }

  /** True while the upstream's answer is still wanted. */
  get open(): boolean {
    return this.#phase === 'waiting' || this.#phase === 'held' || this.#phase === 'streaming';
  }

  /** Ties the answer to the call that will bring it, and starts the deadline. */
  begin(call: UpstreamCall): void {
    this.#call = call;
    const { downstream } = this.#assignment;
    downstream.onClosed = (reason, by) => this.#closed(reason, by);
    downstream.onSent = () => this.#sent();
    this.#startDeadline();
  }

  /** A part of the request's body was passed on: the time for the head of the answer counts from the last of them. */
  progressed(): void {
    if (this.#phase === 'waiting' && this.#assignment.request.style !== 'grpc') this.#timer?.refresh();
  }

  /** Passes on an interim answer (RFC 9110 section 15.2: a proxy must, except for those it asked for itself). */
  interim(status: number, rawHeaders: HeaderList): void {
    if (this.#phase !== 'waiting' || status === 100) return;
    this.#interimAnswers += 1;
    const { downstream } = this.#assignment;
    const headers = this.#fieldsFor(rawHeaders);
    if (!headers.ok) this.fail(headers.error);
    else if (this.#interimAnswers > MAX_INTERIM_ANSWERS)
      this.fail(fault('upstream_protocol_error', `more than ${MAX_INTERIM_ANSWERS} interim answers`));
    else downstream.informational(status, headers.value);
  }

  /** Takes the head of the final answer. */
  head(status: number, rawHeaders: HeaderList): void {
    if (this.#phase !== 'waiting') return;
    const { request } = this.#assignment;
    const headers = this.#fieldsFor(rawHeaders);
    if (!headers.ok) {
      this.fail(headers.error);
      return;
    }
    const added = request.responseHeadersToAdd;
    this.#phase = 'held';
    this.#status = status;
    this.#headers = added.length === 0 ? headers.value : [...headers.value, ...added];
    if (request.style === 'grpc') this.#grpcStatus = grpcStatusOf(headers.value);
    else this.#stopDeadline();
    // A body of known length is worth waiting for: it mostly comes in the very next segment, and then head and body are one write.
    if (!expectsBody(headers.value)) this.#flushSoon();
  }

  /** Takes a piece of the body. */
  data(chunk: Uint8Array): void {
    if (this.#phase !== 'held' && this.#phase !== 'streaming') return;
    if (this.#chunk !== undefined) this.#passOn();
    this.#chunk = chunk;
    this.#flushSoon();
  }

  /** Takes the end of the answer. To be called only where the protocol said that it is complete. */
  end(rawTrailers: HeaderList): void {
    if (this.#phase !== 'held' && this.#phase !== 'streaming') return;
    const { downstream, request } = this.#assignment;
    const checked = rawTrailers.length === 0 ? undefined : answerTrailers(rawTrailers, true);
    if (checked?.ok === false) {
      this.fail(checked.error);
      return;
    }
    const trailers = checked === undefined || checked.value.length === 0 ? undefined : checked.value;
    const wasHeld = this.#phase === 'held';
    const last = this.#chunk;
    this.#phase = 'ended';
    this.#chunk = undefined;
    this.#stopDeadline();
    if (request.style === 'grpc' && trailers !== undefined)
      this.#grpcStatus = grpcStatusOf(trailers) ?? this.#grpcStatus;
    if (wasHeld) downstream.respondWhole(this.#status, this.#headers, last, trailers);
    else downstream.respondEnd(trailers, last);
  }

  /** The upstream gave no usable answer. Before its head was passed on the peer gets a refusal, after that an end that cannot be mistaken for a complete answer. */
  fail(reason: Fault): void {
    if (!this.open) return;
    const toldStatus = this.#phase === 'streaming' ? this.#status : undefined;
    this.#phase = 'failing';
    this.#failure = reason;
    this.#stopDeadline();
    this.#call?.cancel();
    if (toldStatus === undefined) this.#refuse(reason);
    else if (this.#assignment.request.style === 'grpc') this.#endWithStatus(reason);
    else {
      this.#assignment.downstream.abort(reason);
      this.#settleFailed(reason, toldStatus, undefined);
    }
  }

  /**
   * The request's body ended without its end. The upstream must not take it for complete; why it broke off, the listener knows and tells
   * by `onClosed`. Should it not, the peer is taken to have gone.
   */
  requestBroken(): void {
    if (!this.open) return;
    const status = this.#phase === 'streaming' ? this.#status : 0;
    this.#phase = 'given-up';
    this.#status = status;
    this.#stopDeadline();
    this.#call?.cancel();
    setImmediate(() => {
      if (this.#phase !== 'given-up') return;
      const reason = fault('peer_aborted', 'the body of the request broke off');
      this.#assignment.downstream.abort(reason);
      this.#settleAborted(reason, 'peer', status);
    });
  }

  /** For the flush queue: the loop turn is over, so what is held back goes out. */
  flush(): void {
    this.#flushDue = false;
    if (this.#phase === 'held' || this.#phase === 'streaming') this.#passOn();
  }

  /** What the peer may see of a head, names in lower case; a fault where it is not sound or too large (undici bounds heads, node:http2 does not). */
  #fieldsFor(rawHeaders: HeaderList): Result<HeaderList, Fault> {
    let bytes = 0;
    for (const text of rawHeaders) bytes += text.length;
    const { headerBytes } = this.#shared.limits;
    if (bytes <= headerBytes) return answerHeaders(rawHeaders, true);
    return err(fault('upstream_protocol_error', `a head of more than ${headerBytes} bytes`));
  }

  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#shared.flushes.add(this);
  }

  #passOn(): void {
    const { downstream } = this.#assignment;
    const chunk = this.#chunk;
    if (this.#phase === 'held') {
      this.#phase = 'streaming';
      downstream.respondHead(this.#status, this.#headers);
    }
    if (chunk === undefined) return;
    this.#chunk = undefined;
    if (downstream.respondData(chunk)) return;
    downstream.onDrain = () => {
      downstream.onDrain = undefined;
      if (this.#phase === 'streaming') this.#call?.resume();
    };
    this.#call?.pause();
  }

  #startDeadline(): void {
    const { request } = this.#assignment;
    const ms = request.style === 'grpc' ? (request.grpcTimeoutMs ?? 0) : this.#shared.limits.upstreamTimeoutMs;
    const bounded = request.style === 'grpc' ? request.grpcTimeoutMs !== undefined : ms > 0;
    if (bounded && ms <= MAX_TIMER_MS) this.#timer = setTimeout(deadlinePassed, ms, this, ms);
  }

  #stopDeadline(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #refuse(reason: Fault): void {
    const { downstream, request, decisionId } = this.#assignment;
    downstream.onClosed = undefined;
    downstream.onSent = undefined;
    downstream.refuse(refusalAnswer(reason, request.style, decisionId), (outcome) => {
      const told = outcome.kind === 'refused' ? outcome : undefined;
      this.#settleFailed(reason, told?.status ?? 0, told?.grpcStatus);
    });
  }

  /** Messages that came before the failure are delivered, then the call ends with our status instead of the agent's. */
  #endWithStatus(reason: Fault): void {
    const { downstream, decisionId } = this.#assignment;
    const last = this.#chunk;
    this.#chunk = undefined;
    this.#grpcStatus = FAULTS[reason.code].grpc;
    const { headers } = refusalAnswer(reason, 'grpc', decisionId);
    const message = firstHeader(headers, 'grpc-message') ?? '';
    downstream.respondEnd(['grpc-status', String(this.#grpcStatus), 'grpc-message', message], last);
  }

  #sent(): void {
    if (this.#phase === 'failing' && this.#failure !== undefined) {
      this.#settleFailed(this.#failure, this.#status, this.#grpcStatus);
      return;
    }
    if (this.#phase !== 'ended') return;
    const { bytesIn, bytesOut } = this.#assignment.downstream;
    const status = this.#status;
    const grpcStatus = this.#grpcStatus;
    // Two literals, since an object spread into another costs more than the rest of this.
    if (grpcStatus === undefined) this.#settle({ kind: 'forwarded', status, bytesIn, bytesOut });
    else this.#settle({ kind: 'forwarded', status, grpcStatus, bytesIn, bytesOut });
  }

  #closed(reason: Fault, by: 'peer' | 'us'): void {
    if (this.#phase === 'settled') return;
    const told = this.#phase !== 'waiting' && this.#phase !== 'held';
    const failure = this.#phase === 'failing' ? this.#failure : undefined;
    this.#phase = 'given-up';
    this.#call?.cancel();
    if (failure !== undefined) this.#settleFailed(failure, told ? this.#status : 0, undefined);
    else this.#settleAborted(reason, by, told ? this.#status : 0);
  }

  #settleAborted(reason: Fault, by: 'peer' | 'us', status: number): void {
    if (this.#phase === 'settled') return;
    const { bytesIn, bytesOut } = this.#assignment.downstream;
    this.#settle({ kind: 'aborted', by, fault: reason, status, bytesIn, bytesOut });
  }

  #settleFailed(reason: Fault, status: number, grpcStatus: number | undefined): void {
    if (this.#phase === 'settled') return;
    const { bytesIn, bytesOut } = this.#assignment.downstream;
    const grpc = grpcStatus === undefined ? {} : { grpcStatus };
    this.#settle({ kind: 'upstream-failed', fault: reason, status, ...grpc, bytesIn, bytesOut });
  }

  #settle(outcome: Outcome): void {
    if (this.#phase === 'settled') return;
    this.#phase = 'settled';
    this.#stopDeadline();
    const { downstream, done } = this.#assignment;
    // What a finished request still points to is kept until the next full collection where V8 has moved it to the old generation, and each
    // young collection then copies it: a fifth of the CPU of a request.
    this.#work = undefined;
    this.#call = undefined;
    this.#headers = [];
    downstream.onClosed = undefined;
    downstream.onDrain = undefined;
    downstream.onSent = undefined;
    done(outcome);
  }
}

function deadlinePassed(answer: Answer, ms: number): void {
  answer.fail(fault('upstream_timeout', `no answer within ${ms} ms`));
}

/** True where the head announces a body of known length. */
function expectsBody(headers: HeaderList): boolean {
  return (firstHeader(headers, 'content-length') ?? '0') !== '0';
}

/** `grpc-status` as a number; undefined where it is missing or none. */
function grpcStatusOf(headers: HeaderList): number | undefined {
  const text = firstHeader(headers, 'grpc-status');
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : undefined;
}
