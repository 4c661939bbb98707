import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

import type { ConnectionId } from '../../core/kernel/brand.ts';
import { fault, type Fault, type FaultCode } from '../../core/model/faults.ts';
import { acceptedFacts, type Accepted } from './connection-facts.ts';

const CODES: Readonly<Record<string, FaultCode>> = {
  ERR_TLS_HANDSHAKE_TIMEOUT: 'tls_handshake_timeout',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'tls_protocol_refused',
};

/** Connections between accept and the end of their handshake. Their addresses are read at accept: a closed socket has none any more. */
export class Handshakes {
  readonly #facts = new WeakMap<Socket, Accepted>();
  readonly #pending = new Set<Socket>();
  readonly #describe: (socket: Socket | undefined) => Accepted;
  #onNone: (() => void) | undefined = undefined;

  constructor(listener: string, newId: () => ConnectionId, wallMs: () => number) {
    this.#describe = (socket) => acceptedFacts(socket, newId(), 'inbound', listener, wallMs());
  }

  accepted(socket: Socket): void {
    this.#facts.set(socket, this.#describe(socket));
    this.#pending.add(socket);
    socket.on('close', () => {
      // The TLS socket on top of it tells its failure later in the same turn.
      if (this.#pending.has(socket)) setImmediate(() => this.#over(socket));
    });
  }

  /** Ends the waiting for this one, whichever way it went. */
  ended(socket: TLSSocket): Accepted {
    const raw = wrapped(socket);
    if (raw !== undefined) this.#over(raw);
    return (raw === undefined ? undefined : this.#facts.get(raw)) ?? this.#describe(socket);
  }

  /** Destroys all that are still under way. Each is told as failed, and when all have been this settles. */
  giveUp(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onNone = resolve;
      for (const socket of this.#pending) socket.destroy();
    });
  }

  #over(socket: Socket): void {
    this.#pending.delete(socket);
    if (this.#pending.size === 0) this.#onNone?.();
  }
}

/** The accepted socket under a TLS socket. Node neither documents nor types it; without it a failed handshake has no address, nothing worse. */
function wrapped(socket: TLSSocket): Socket | undefined {
  const raw: unknown = Reflect.get(socket, '_parent');
  return raw instanceof Socket ? raw : undefined;
}

/** Why a handshake failed. The message is OpenSSL's or Node's and holds nothing of the peer's. */
export function handshakeFault(error: Error): Fault {
  const code = 'code' in error ? String(error.code) : '';
  return fault(CODES[code] ?? 'tls_handshake_failed', code === '' ? error.message : code);
}
