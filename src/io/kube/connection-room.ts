/** As much of a socket as is looked at here. */
type Held = { readonly remoteAddress?: string | undefined };

/**
 * Room for connections, shared fairly by the addresses that they come from. The API server proves nothing to a webhook, so that everybody in the cluster may
 * connect; whoever takes all the room must not keep the API server out, which would keep every pod out. Where there are too many, the address that holds
 * most loses one: the newcomer where it comes from there, else its oldest, which is the likeliest to be idle.
 */
export class ConnectionRoom<T extends Held> {
  readonly #limit: number;
  readonly #byAddress = new Map<string, Set<T>>();
  /** A socket that is closed forgets its address. */
  readonly #addresses = new Map<T, string>();

  /** `limit`: connections of all together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes a connection in. Undefined, or the one that has to be closed for it, which counts no more. */
  enter(connection: T): T | undefined {
    const address = connection.remoteAddress ?? '';
    const own = this.#byAddress.get(address) ?? new Set<T>();
    this.#byAddress.set(address, own.add(connection));
    this.#addresses.set(connection, address);
    if (this.#addresses.size <= this.#limit) return undefined;
    const most = [...this.#byAddress.values()].reduce((a, b) => (b.size > a.size ? b : a), own);
    const [oldest = connection] = most;
    const leaving = most === own ? connection : oldest;
    this.leave(leaving);
    return leaving;
  }

  /** It is closed. */
  leave(connection: T): void {
    const address = this.#addresses.get(connection) ?? '';
    const own = this.#byAddress.get(address);
    this.#addresses.delete(connection);
    own?.delete(connection);
    if (own?.size === 0) this.#byAddress.delete(address);
  }
}
