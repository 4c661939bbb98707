import type { Peer } from '../model/peer.ts';

/**
 * How much each identity has open. Open requests hold room in the journal's queue, so without this one peer could hold all of it and have every other
 * peer refused. Counted by SPIFFE ID, whatever the number of its connections; anonymous peers count as one.
 */
export class OpenPerPeer {
  readonly #limit: number;
  readonly #open = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Counts one more; false when that is more than the limit. Counted all the same, so that each `enter` has its `leave`. */
  enter(peer: Peer): boolean {
    const open = (this.#open.get(nameOf(peer)) ?? 0) + 1;
    this.#open.set(nameOf(peer), open);
    return open <= this.#limit;
  }

  leave(peer: Peer): void {
    const open = (this.#open.get(nameOf(peer)) ?? 0) - 1;
    if (open > 0) this.#open.set(nameOf(peer), open);
    else this.#open.delete(nameOf(peer));
  }

  /** Identities that have something open. */
  get size(): number {
    return this.#open.size;
  }
}

function nameOf(peer: Peer): string {
  return peer.kind === 'identified' ? peer.spiffeId : '';
}
