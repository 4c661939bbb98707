/** `total`: connections in all; `perAddress`: from one address. */
export type WaitingRoomLimits = { readonly total: number; readonly perAddress: number };

/** A connection (Node's `Socket` is one). */
export interface Visitor {
  readonly remoteAddress?: string | undefined;
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
}

/**
 * Bounds connections so that strangers cannot keep the kubelet out: an address has its own share, and where that, or all of the room, is taken, whoever of it has waited
 * longest without a complete request gives way to who comes. Of the same address too: behind address translation strangers may have the kubelet's.
 */
export class WaitingRoom {
  readonly #limits: WaitingRoomLimits;
  /** All that are here, with their address. */
  readonly #present = new Map<Visitor, string>();
  /** Those without a complete request, whoever waits longest first. */
  readonly #silent = new Set<Visitor>();
  readonly #perAddress = new Map<string, number>();

  constructor(limits: WaitingRoomLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#present.size;
  }

  /** Takes a new connection in, or ends it. */
  enter(visitor: Visitor): void {
    const address = visitor.remoteAddress ?? '';
    const { total, perAddress } = this.#limits;
    const isFullFor = this.#of(address) >= perAddress && !this.#makeRoom(address);
    if (isFullFor || (this.#present.size >= total && !this.#makeRoom(undefined))) {
      visitor.destroy();
      return;
    }
    this.#present.set(visitor, address);
    this.#perAddress.set(address, this.#of(address) + 1);
    this.#silent.add(visitor);
    visitor.once('close', () => this.#leave(visitor));
  }

  /** A request of this connection is complete. */
  spoke(visitor: Visitor): void {
    this.#silent.delete(visitor);
  }

  /** It was answered, and the connection waits for another request. */
  rests(visitor: Visitor): void {
    if (this.#present.has(visitor)) this.#silent.add(visitor);
  }

  #of(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }

  /** Shows the one out that has waited longest, of `address` where one is named; false where nobody waits. */
  #makeRoom(address: string | undefined): boolean {
    for (const visitor of this.#silent) {
      if (address !== undefined && this.#present.get(visitor) !== address) continue;
      // Its place is free at once, not when the system is done with it.
      this.#leave(visitor);
      visitor.destroy();
      return true;
    }
    return false;
  }

  #leave(visitor: Visitor): void {
    const address = this.#present.get(visitor);
    if (address === undefined) return;
    this.#present.delete(visitor);
    this.#silent.delete(visitor);
    const left = this.#of(address) - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }
}
