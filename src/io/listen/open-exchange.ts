import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';

import type { CollectedBody, Enough, RefusalAnswer } from '../../core/gate/exchange.ts';
import type { HeaderList } from '../../core/kernel/headers.ts';
import type { Connection } from '../../core/model/connection.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import type { RawHead } from '../../core/model/request.ts';
import { BodyCollector } from './body-collector.ts';
import { BodyListener } from './body-listener.ts';
import type { ClosedBy, DownstreamBody, HttpExchange } from './downstream.ts';
import type { AdmittedPeer } from './handler.ts';
import type { OpenConnection } from './open-connection.ts';
import { ProgressWatch } from './progress-watch.ts';

const NO_BYTES = new Uint8Array(0);

/** How an exchange ended before its answer was out. */
export type Ending = { readonly fault: Fault; readonly by: ClosedBy };

/**
 * What HTTP/1.1 and HTTP/2 exchanges share: collecting the body, and the one-way life `open` -> `sent` or `closed`, of which exactly one
 * party hears exactly once (the collector's `done`, the refusal's `done`, or the forwarder's `onSent`/`onClosed`).
 */
export abstract class OpenExchange implements HttpExchange {
  readonly connection: Connection;
  readonly peer: AdmittedPeer;
  readonly head: RawHead;
  readonly receivedAtMs: number;
  readonly receivedMonotonicMs: number;
  body: DownstreamBody;
  onDrain: (() => void) | undefined = undefined;
  onSent: (() => void) | undefined = undefined;
  bytesIn = 0;
  bytesOut = 0;
  protected readonly home: OpenConnection;
  protected status = 0;
  #phase: 'open' | 'sent' | 'closed' = 'open';
  #ending: Ending | undefined = undefined;
  /** The body broke off while nobody was listening. */
  #bodyFault: Ending | undefined = undefined;
  #collector: BodyCollector | undefined = undefined;
  #listener: BodyListener | undefined = undefined;
  #refusal: { readonly answer: RefusalAnswer; readonly done: (outcome: Outcome) => void } | undefined = undefined;
  #onClosed: ((fault: Fault, by: ClosedBy) => void) | undefined = undefined;
  readonly #progress: ProgressWatch;

  constructor(home: OpenConnection, head: RawHead, body: DownstreamBody) {
    this.home = home;
    this.connection = home.facts;
    this.peer = home.peer;
    this.head = head;
    this.body = body;
    const { clock } = home.host;
    this.receivedAtMs = clock.wallMs();
    this.receivedMonotonicMs = clock.monotonicMs();
    this.#progress = new ProgressWatch(this.receivedMonotonicMs);
  }

  get onClosed(): ((fault: Fault, by: ClosedBy) => void) | undefined {
    return this.#onClosed;
  }

  set onClosed(listener: ((fault: Fault, by: ClosedBy) => void) | undefined) {
    this.#onClosed = listener;
    if (listener === undefined) return;
    if (this.#ending !== undefined) process.nextTick(listener, this.#ending.fault, this.#ending.by);
    else if (this.#bodyFault !== undefined) process.nextTick(endLate, this, this.#bodyFault);
  }

  collectBody(limit: number, enough: Enough | undefined, done: (body: CollectedBody | Fault) => void): void {
    const broken = this.#ending ?? this.#bodyFault;
    if (broken !== undefined) done(broken.fault);
    else if (this.body.kind === 'none') done({ bytes: NO_BYTES, complete: true });
    else if (this.body.kind === 'bytes') done({ bytes: this.body.bytes, complete: true });
    else this.#collect(this.body.stream, limit, enough, done);
  }

  #collect(
    stream: Readable,
    limit: number,
    enough: Enough | undefined,
    done: (body: CollectedBody | Fault) => void,
  ): void {
    this.sendContinue();
    this.#collector = new BodyCollector(stream, limit, enough, (result) => {
      this.#collector = undefined;
      if ('complete' in result && result.complete) this.body = { kind: 'bytes', bytes: result.bytes };
      done(result);
    });
  }

  overhearBody(limit: number, enough: Enough | undefined, done: (body: CollectedBody) => void): void {
    if (this.body.kind === 'none') done({ bytes: NO_BYTES, complete: true });
    else if (this.body.kind === 'bytes') done({ bytes: this.body.bytes, complete: true });
    else if (this.isOpen && this.bytesIn === 0) this.#listener = new BodyListener(limit, enough, done);
  }

  refuse(answer: RefusalAnswer, done: (outcome: Outcome) => void): void {
    if (this.#ending !== undefined) {
      done(this.#aborted(this.#ending));
      return;
    }
    this.#refusal = { answer, done };
    if (answer.status !== 0) this.writeRefusal(answer);
    else {
      this.settleSent();
      this.kill(fault('request_malformed', 'closed without an answer'));
    }
  }

  cut(reason: Fault): void {
    this.end(reason, 'us');
  }

  /** Ends it before its answer is out. */
  end(reason: Fault, by: ClosedBy): void {
    if (this.settleClosed(reason, by)) this.kill(reason);
  }

  abort(reason: Fault): void {
    if (this.#phase !== 'open') return;
    this.#onClosed = undefined;
    this.settleClosed(reason, 'us');
    this.kill(reason);
  }

  abstract requestTrailers(): HeaderList;
  abstract informational(status: number, headers: HeaderList): void;
  abstract sendContinue(): void;
  abstract respondWhole(
    status: number,
    headers: HeaderList,
    body: Uint8Array | undefined,
    trailers: HeaderList | undefined,
  ): void;
  abstract respondHead(status: number, headers: HeaderList): void;
  abstract respondData(chunk: Uint8Array): boolean;
  abstract respondEnd(trailers: HeaderList | undefined, lastChunk: Uint8Array | undefined): void;

  upgrade(): { readonly socket: Duplex; readonly request: IncomingMessage; readonly head: Buffer } | undefined {
    return undefined;
  }

  /** True until the answer is out or the exchange has ended. */
  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** The transport is gone. Whatever is not out by now never will be. */
  transportGone(reason: Fault): void {
    if (this.isDelivered()) this.settleSent();
    else this.settleClosed(reason, 'peer');
  }

  /**
   * The body broke off, but an answer can still be written: before forwarding the gate hears of it and refuses, afterwards the exchange ends.
   */
  bodyFailed(reason: Fault, by: ClosedBy): void {
    if (this.#phase !== 'open' || this.#refusal !== undefined || this.#bodyFault !== undefined) return;
    this.#bodyFault = { fault: reason, by };
    if (this.#collector !== undefined) this.#collector.fail(reason);
    else if (this.#onClosed !== undefined) this.end(reason, by);
  }

  /** Deadlines; called with every sweep. */
  sweep(nowMs: number, limits: Limits): void {
    const pending = this.pendingOut();
    const moved = this.bytesIn + this.bytesOut - pending;
    const stalled = this.#progress.check(moved, pending, nowMs, limits.streamIdleTimeoutMs);
    if (stalled !== undefined) this.cut(stalled);
  }

  /** Bytes written but not yet taken by the kernel or the peer's flow control. */
  protected abstract pendingOut(): number;
  /** True when the whole answer was handed over. */
  protected abstract isDelivered(): boolean;
  protected abstract writeRefusal(answer: RefusalAnswer): void;
  /** Ends the transport of this exchange without ceremony. */
  protected abstract kill(reason: Fault): void;

  /** Counts body bytes as they arrive and holds them to `Limits.bodyBytes`. */
  received(chunk: Uint8Array): void {
    this.bytesIn += chunk.length;
    this.#listener?.hear(chunk);
    const limit = this.home.host.limits.bodyBytes;
    if (limit > 0 && this.bytesIn > limit) this.bodyFailed(fault('body_too_large', `more than ${limit} bytes`), 'us');
  }

  /** The last byte of the body has arrived. */
  receivedAll(): void {
    this.#listener?.end();
  }

  protected settleSent(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'sent';
    const refusal = this.#refusal;
    if (refusal === undefined) this.onSent?.();
    else refusal.done({ kind: 'refused', status: refusal.answer.status, grpcStatus: refusal.answer.grpcStatus });
    this.#over();
  }

  protected settleClosed(reason: Fault, by: ClosedBy): boolean {
    if (this.#phase !== 'open') return false;
    this.#phase = 'closed';
    const ending: Ending = { fault: reason, by };
    this.#ending = ending;
    if (this.#collector !== undefined) this.#collector.fail(reason);
    else if (this.#refusal !== undefined) this.#refusal.done(this.#aborted(ending));
    else this.#onClosed?.(reason, by);
    this.#over();
    return true;
  }

  /** Node's objects outlive the exchange by a while (a socket keeps its last write); what hangs on it should not. */
  #over(): void {
    this.onDrain = undefined;
    this.onSent = undefined;
    this.#onClosed = undefined;
    this.#refusal = undefined;
    this.#listener = undefined;
    this.home.release(this);
  }

  /** Node refused to write what it was given: a field that cannot stand on the wire. */
  protected unwritable(error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    this.cut(fault('upstream_protocol_error', `the answer cannot be written: ${detail}`));
  }

  #aborted({ fault: reason, by }: Ending): Outcome {
    return {
      kind: 'aborted',
      by,
      fault: reason,
      status: this.status,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
    };
  }
}

function endLate(exchange: OpenExchange, { fault: reason, by }: Ending): void {
  exchange.end(reason, by);
}
