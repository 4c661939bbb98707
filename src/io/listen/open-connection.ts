import type { Socket } from 'node:net';

import type { Clock } from '../../core/kernel/clock.ts';
import type { Connection } from '../../core/model/connection.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { AdmittedPeer, ListenHandler, PresentedChain } from './handler.ts';

/** What a connection needs of its listener. */
export type ConnectionHost = {
  readonly handler: ListenHandler;
  readonly clock: Clock;
  readonly limits: Limits;
  /** A handler threw: for the log. */
  readonly problem: (error: unknown) => void;
};

/** What a connection holds open: an HTTP exchange or the bytes of a TCP connection. */
export interface Held {
  /** Ends it from our side and tells its owner. */
  cut(reason: Fault): void;
  transportGone(reason: Fault): void;
  sweep(nowMs: number, limits: Limits): void;
}

/** A closed connection whose peer neither closes nor reads is destroyed after this long (RFC 9112 section 9.6: lingering close). */
const LINGER_MS = 2_000;

/**
 * An admitted connection from admission to close. It holds what is open on it, ends it on deadlines, drain and withdrawn trust, and sees to it
 * that an end of our doing is told once: to whatever is open, or else, when no request ever was, to `refused`.
 */
export abstract class OpenConnection {
  readonly facts: Connection;
  readonly presented: PresentedChain;
  readonly host: ConnectionHost;
  peer: AdmittedPeer;
  protected readonly socket: Socket;
  protected readonly held = new Set<Held>();
  /** Requests taken so far. */
  protected served = 0;
  #isEnding = false;
  #lingeringSinceMs: number | undefined = undefined;
  #servedAtSweep = 0;
  #idleSinceMs: number;

  constructor(host: ConnectionHost, facts: Connection, presented: PresentedChain, peer: AdmittedPeer, socket: Socket) {
    this.host = host;
    this.facts = facts;
    this.presented = presented;
    this.peer = peer;
    this.socket = socket;
    this.#idleSinceMs = host.clock.monotonicMs();
  }

  /** True once it takes no further requests: ended by us, or closing. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Wall clock, milliseconds; from then on the peer has to be judged again. */
  get validUntilMs(): number {
    return this.peer.kind === 'identified' ? this.peer.validUntilMs : Infinity;
  }

  /** Begins to read; called once, when the listener knows it. */
  begin(): void {
    // HTTP readers begin with their making.
  }

  /** An exchange has ended, one way or the other. */
  release(held: Held): void {
    this.held.delete(held);
  }

  /**
   * Ends the connection at once. What is open on it hears `reason`; when nothing is and no request ever was, `refused` does.
   * `always`: `refused` hears in any case.
   */
  cut(reason: Fault, always = false): void {
    if (this.#isEnding) {
      this.kill(reason);
      return;
    }
    this.#isEnding = true;
    const isToldAnyway = this.held.size > 0 || this.served > 0;
    for (const held of this.held) held.cut(reason);
    if (always || !isToldAnyway) this.guarded(() => this.host.handler.refused(this.facts, reason, this.peer));
    this.kill(reason);
  }

  /** The socket has closed. */
  gone(error: Error | undefined): void {
    this.#isEnding = true;
    const code = error !== undefined && 'code' in error ? String(error.code) : undefined;
    const reason = fault('peer_aborted', code ?? 'the peer closed the connection');
    for (const held of this.held) held.transportGone(reason);
  }

  /** Deadlines of the connection and of what is open on it. */
  sweep(nowMs: number): void {
    if (this.#lingeringSinceMs !== undefined && nowMs - this.#lingeringSinceMs >= LINGER_MS) this.socket.destroy();
    if (this.socket.destroyed) return;
    for (const held of this.held) held.sweep(nowMs, this.host.limits);
    if (this.held.size > 0 || this.served !== this.#servedAtSweep) {
      this.#servedAtSweep = this.served;
      this.#idleSinceMs = nowMs;
    } else if (nowMs - this.#idleSinceMs >= this.host.limits.idleTimeoutMs) this.idle();
  }

  /** Takes nothing new, finishes what is open, closes. */
  abstract drain(): void;

  /** Tells the peer to go elsewhere, without losing what it is about to send. May be called again and again. */
  retire(): void {
    // Bytes have no way to say so.
  }

  /** Ends the transport at once. */
  protected abstract kill(reason: Fault): void;

  protected idle(): void {
    this.cut(fault('connection_idle_timeout', `no request for ${this.host.limits.idleTimeoutMs} ms`));
  }

  /** No further requests; the socket closes when what was written is out and the peer has closed too, or after a short while. */
  protected linger(): void {
    this.#isEnding = true;
    this.#lingeringSinceMs ??= this.host.clock.monotonicMs();
  }

  /** Hands a new exchange to the handler. */
  protected take(held: Held, give: () => void): void {
    this.held.add(held);
    this.served += 1;
    try {
      give();
    } catch (error) {
      this.host.problem(error);
      held.cut(fault('internal_error', 'the handler failed'));
    }
  }

  /** Runs a call into the handler: a fault of ours may cost this connection, never the process. */
  protected guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.host.problem(error);
    }
  }
}
