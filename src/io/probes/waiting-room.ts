import type { Socket } from 'node:net';

/** `total`: connections in all; `perAddress`: from one address. */
export type WaitingRoomLimits = { readonly total: number; readonly perAddress: number };

/**
 * Bounds connections so that strangers cannot keep the kubelet out: an address has its own share, and when all of the room is taken, whoever has waited longest
 * without a complete request gives way to who comes.
 */
export class WaitingRoom {
  readonly #limits: WaitingRoomLimits;
  /** Connections without a complete request, oldest first. */
  readonly #silent = new Set<Socket>();
  readonly #perAddress = new Map<string, number>();
  #open = 0;

  constructor(limits: WaitingRoomLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#open;
  }

  /** Takes a new connection in, or ends it. */
  enter(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (ofAddress >= this.#limits.perAddress || (this.#open >= this.#limits.total && !this.#makeRoom())) {
      socket.destroy();
      return;
    }
    this.#open += 1;
    this.#perAddress.set(address, ofAddress + 1);
    this.#silent.add(socket);
    socket.once('close', () => this.#leave(socket, address));
  }

  /** A request of this connection is complete. */
  spoke(socket: Socket): void {
    this.#silent.delete(socket);
  }

  /** Shows the one out that has waited longest; false where nobody waits. */
  #makeRoom(): boolean {
    const [oldest] = this.#silent;
    if (oldest === undefined) return false;
    this.#silent.delete(oldest);
    oldest.destroy();
    return true;
  }

  #leave(socket: Socket, address: string): void {
    this.#open -= 1;
    this.#silent.delete(socket);
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }
}
