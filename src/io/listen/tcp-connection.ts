import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { Fault } from '../../core/model/faults.ts';
import type { Connection } from '../../core/model/connection.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import type { ClosedBy, TcpExchange } from './downstream.ts';
import type { AdmittedPeer } from './handler.ts';
import { type Held, OpenConnection } from './open-connection.ts';
import { ProgressWatch } from './progress-watch.ts';

/** A connection of a `tcp` listener: one exchange, for as long as it lasts. */
export class TcpConnection extends OpenConnection {
  /** Hands the bytes over. */
  override begin(): void {
    const exchange = new BytesExchange(this, this.socket);
    this.take(exchange, () => this.host.handler.raw(exchange));
  }

  /** Bytes have no end that we could wait for: they go on until the deadline of the drain. */
  override drain(): void {
    if (this.held.size === 0) this.socket.end();
  }

  protected override kill(): void {
    this.socket.destroy();
  }
}

class BytesExchange implements TcpExchange, Held {
  readonly connection: Connection;
  readonly peer: AdmittedPeer;
  readonly receivedAtMs: number;
  readonly receivedMonotonicMs: number;
  readonly #home: OpenConnection;
  readonly #socket: Socket;
  #isOpen = true;
  #ending: { readonly fault: Fault; readonly by: ClosedBy } | undefined = undefined;
  #onClosed: ((fault: Fault, by: ClosedBy) => void) | undefined = undefined;
  readonly #progress: ProgressWatch;

  constructor(home: OpenConnection, socket: Socket) {
    this.#home = home;
    this.#socket = socket;
    this.connection = home.facts;
    this.peer = home.peer;
    this.receivedAtMs = home.host.clock.wallMs();
    this.receivedMonotonicMs = home.host.clock.monotonicMs();
    this.#progress = new ProgressWatch(this.receivedMonotonicMs);
  }

  get socket(): Duplex {
    return this.#socket;
  }

  get bytesIn(): number {
    return this.#socket.bytesRead;
  }

  get bytesOut(): number {
    return this.#socket.bytesWritten;
  }

  get onClosed(): ((fault: Fault, by: ClosedBy) => void) | undefined {
    return this.#onClosed;
  }

  set onClosed(listener: ((fault: Fault, by: ClosedBy) => void) | undefined) {
    this.#onClosed = listener;
    if (listener !== undefined && this.#ending !== undefined)
      process.nextTick(listener, this.#ending.fault, this.#ending.by);
  }

  refuse(done: (outcome: Outcome) => void): void {
    const wasOpen = this.#close();
    if (!wasOpen && this.#ending !== undefined) {
      const { fault: reason, by } = this.#ending;
      done({ kind: 'aborted', by, fault: reason, status: 0, bytesIn: 0, bytesOut: 0 });
    } else done({ kind: 'refused', status: 0 });
    this.#socket.destroy();
  }

  cut(reason: Fault): void {
    if (this.#tell(reason, 'us')) this.#socket.destroy();
  }

  abort(): void {
    this.#close();
    this.#socket.destroy();
  }

  /** A socket that closed without an error tells its end itself. */
  transportGone(reason: Fault): void {
    if (this.#socket.errored === null && this.#onClosed !== undefined) this.#close();
    else this.#tell(reason, 'peer');
  }

  sweep(nowMs: number, limits: Limits): void {
    const pending = this.#socket.writableLength;
    const moved = this.bytesIn + this.bytesOut - pending;
    const stalled = this.#progress.check(moved, pending, nowMs, limits.streamIdleTimeoutMs);
    if (stalled !== undefined) this.cut(stalled);
  }

  #tell(reason: Fault, by: ClosedBy): boolean {
    if (!this.#close()) return false;
    this.#ending = { fault: reason, by };
    this.#onClosed?.(reason, by);
    return true;
  }

  #close(): boolean {
    if (!this.#isOpen) return false;
    this.#isOpen = false;
    this.#home.release(this);
    return true;
  }
}
