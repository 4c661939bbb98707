import type { Socket } from 'node:net';

import type { PresentedChain } from '../../core/identity/presented-chain.ts';
import type { SpiffeId } from '../../core/kernel/brand.ts';
import type { Clock } from '../../core/kernel/clock.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { JudgeServer } from './server-verdict.ts';
import { serverVerdict } from './server-verdict.ts';
import { ConnectionFault } from './upstream-faults.ts';

/** How often the ends of verdicts are looked for: promise 6 gives a second. */
const LOOK_MS = 250;

/** A connection whose server was judged and may be written to. */
export type ServerConnection = {
  readonly socket: Socket;
  readonly presented: PresentedChain;
  readonly expected: readonly SpiffeId[];
  /** Wall clock, milliseconds: until when the verdict on the server holds. */
  readonly validUntilMs: number;
  /** Likewise, our own certificate of this connection. */
  readonly ownValidUntilMs: number;
};

/**
 * All open connections to destinations, of whatever pool. Their servers are judged again when trust changes and when a verdict ends; one that fails is cut
 * at once, and every request on it hears the fault.
 */
export class ServerConnections {
  readonly #judge: JudgeServer;
  readonly #clock: Clock;
  readonly #open = new Map<Socket, ServerConnection>();
  #timer: NodeJS.Timeout | undefined;

  constructor(judge: JudgeServer, clock: Clock) {
    this.#judge = judge;
    this.#clock = clock;
  }

  get size(): number {
    return this.#open.size;
  }

  /** From now to its end. */
  add(connection: ServerConnection): void {
    const { socket } = connection;
    this.#open.set(socket, connection);
    // Whoever uses the socket hears of its errors too; before and after, nobody else does.
    socket.on('error', () => {});
    socket.once('close', () => this.#gone(socket));
    this.#timer ??= setInterval(() => this.#lookAt(), LOOK_MS).unref();
  }

  /** Trust has changed: judges every server again. */
  recheck(): void {
    for (const connection of this.#open.values()) this.#judgeAgain(connection);
  }

  #lookAt(): void {
    const nowMs = this.#clock.wallMs();
    for (const connection of this.#open.values()) {
      if (nowMs >= connection.ownValidUntilMs) {
        this.#cut(connection, fault('identity_unavailable', 'our certificate of this connection has expired'));
      } else if (nowMs >= connection.validUntilMs) this.#judgeAgain(connection);
    }
  }

  #judgeAgain(connection: ServerConnection): void {
    const { presented, expected, socket } = connection;
    const verdict = serverVerdict(presented, this.#judge(presented.chain, false), expected);
    if (!verdict.ok) this.#cut(connection, verdict.error);
    else this.#open.set(socket, { ...connection, validUntilMs: verdict.value.validUntilMs });
  }

  #cut({ socket }: ServerConnection, reason: Fault): void {
    this.#gone(socket);
    socket.destroy(new ConnectionFault(reason));
  }

  #gone(socket: Socket): void {
    this.#open.delete(socket);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
