/** A pair of joined connections that goes on until one side ends it. */
export interface Tunnel {
  /** Ends both sides at once; its outcome is `aborted` by us. */
  cut(): void;
}

/** The tunnels of one forwarder, so that it can wait for them when it stops, and end those that go on. */
export class OpenTunnels {
  readonly #open = new Set<Tunnel>();
  readonly #waiting: (() => void)[] = [];

  add(tunnel: Tunnel): void {
    this.#open.add(tunnel);
  }

  delete(tunnel: Tunnel): void {
    this.#open.delete(tunnel);
    if (this.#open.size === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when none is open. */
  whenNone(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#open.size === 0) resolve();
    else this.#waiting.push(resolve);
    return promise;
  }

  cutAll(): void {
    for (const tunnel of this.#open) tunnel.cut();
  }
}
