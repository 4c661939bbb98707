import type { Socket } from 'node:net';

import { fault, type Fault } from '../../core/model/faults.ts';
import type { Peer } from '../../core/model/peer.ts';
import type { AdmittedPeer } from './handler.ts';
import type { ConnectionHost, OpenConnection } from './open-connection.ts';

/** Connections judged again in one go; path validation takes up to half a millisecond each. */
const RECHECK_BATCH = 32;

/** Tells cheaply who will probably not be accepted any more: thousands of others to be judged must not give him seconds. */
export type IsSuspect = (peer: AdmittedPeer) => boolean;

const nobody: IsSuspect = () => false;

/** All open connections of a listener. */
export class ConnectionTable {
  readonly #open = new Map<Socket, OpenConnection>();
  #onEmpty: (() => void) | undefined = undefined;

  get size(): number {
    return this.#open.size;
  }

  get(socket: Socket): OpenConnection | undefined {
    return this.#open.get(socket);
  }

  add(socket: Socket, connection: OpenConnection): void {
    this.#open.set(socket, connection);
  }

  remove(socket: Socket): void {
    this.#open.delete(socket);
    if (this.#open.size === 0) this.#onEmpty?.();
  }

  /** Deadlines of all connections, and peers whose verdict has run out. */
  sweep(host: ConnectionHost): void {
    const nowMs = host.clock.monotonicMs();
    const wallMs = host.clock.wallMs();
    for (const connection of this.#open.values()) {
      try {
        if (wallMs >= connection.validUntilMs) judgeAgain(host, connection);
        connection.sweep(nowMs);
      } catch (error) {
        host.problem(error);
      }
    }
  }

  /** Judges the peer of every open connection again, a few at a time so that others are served meanwhile; those whom `isSuspect` names before all others. */
  async recheck(host: ConnectionHost, isSuspect: IsSuspect = nobody): Promise<void> {
    const { suspect = [], other = [] } = Object.groupBy(this.#open.values(), ({ peer }) =>
      isSuspect(peer) ? 'suspect' : 'other',
    );
    const connections = [...suspect, ...other];
    for (let i = 0; i < connections.length; i += RECHECK_BATCH) {
      for (const connection of connections.slice(i, i + RECHECK_BATCH)) judgeAgain(host, connection);
      // oxlint-disable-next-line no-await-in-loop -- the pause is the purpose
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Asks the callers of all connections to leave, once each has had its answer. */
  retire(): void {
    for (const connection of this.#open.values()) connection.retire();
  }

  /** Settles when no connection is open; drains them now, and cuts with `reason` what is left after `deadlineMs`. */
  drain(deadlineMs: number, reason: Fault): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const connection of this.#open.values()) connection.cut(reason);
      }, deadlineMs);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
      for (const connection of this.#open.values()) connection.drain();
    });
  }
}

/** Asks the handler about an open connection; a rejected peer's connection ends, and what is open on it is told why. */
export function judgeAgain(host: ConnectionHost, connection: OpenConnection): void {
  if (connection.isEnding) return;
  const peer = readmitted(host, connection);
  if (peer.kind === 'rejected') connection.cut(peer.fault);
  else connection.peer = peer;
}

function readmitted(host: ConnectionHost, connection: OpenConnection): Peer {
  try {
    return host.handler.readmit(connection.facts, connection.presented);
  } catch (error) {
    host.problem(error);
    return { kind: 'rejected', fault: fault('internal_error', 'the handler failed'), claimedId: undefined };
  }
}
