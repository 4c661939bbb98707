import type { Result } from '../../core/kernel/result.ts';
import type { Destination } from '../../core/model/destination.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { Dialer, Proven } from './dialer.ts';
import { Http1Pool, type Http1Opener } from './http1-pool.ts';
import { Http2Pool, type Opener } from './http2-pool.ts';

/** Someone who wants to know which HTTP version a destination prefers. Exactly one of the two is called, unless it was forgotten before. */
export interface Asker {
  onVersion(version: 'http1' | 'http2'): void;
  onNoVersion(reason: Fault): void;
}

/** Those who wait for something of one generation, when it is over. */
export type Waiting = {
  readonly http1: readonly Http1Opener[];
  readonly http2: readonly Opener[];
  readonly askers: readonly Asker[];
};

/** All connections to one destination that were made with one identity of ours. */
export class PoolGeneration {
  readonly revision: string | undefined;
  readonly http1: Http1Pool;
  readonly http2: Http2Pool;
  readonly #dialer: Dialer;
  readonly #askers = new Set<Asker>();
  #stopAsking: (() => void) | undefined;

  constructor(
    revision: string | undefined,
    { address }: Destination,
    dialer: Dialer,
    limits: Limits,
    connections: number,
  ) {
    this.revision = revision;
    this.#dialer = dialer;
    this.http1 = new Http1Pool(dialer.offering('http/1.1'), address.host, limits, connections);
    this.http2 = new Http2Pool(dialer.offering('h2'), limits);
  }

  /** Offers both versions on one connection, which is then used, and tells all who ask meanwhile what became of it. */
  ask(asker: Asker): void {
    this.#askers.add(asker);
    this.#stopAsking ??= this.#dialer.dial(['h2', 'http/1.1'], (proven) => this.#told(proven));
  }

  /** Takes someone out of the line. */
  forgetAsker(asker: Asker): void {
    this.#askers.delete(asker);
  }

  /** Takes no more requests; those who wait are to be served elsewhere. What is under way goes on: see `close`. */
  retire(): Waiting {
    return { http1: this.http1.retire(), http2: this.http2.retire(), askers: this.#retireAskers() };
  }

  /** Resolves when what is under way has ended and all connections are closed. */
  async close(): Promise<void> {
    for (const asker of this.#retireAskers()) asker.onNoVersion(fault('draining', 'the forwarder is stopped'));
    await Promise.all([this.http1.close(), this.http2.close()]);
  }

  /** Ends everything at once. */
  destroy(): void {
    this.http1.destroy();
    this.http2.destroy();
  }

  #retireAskers(): readonly Asker[] {
    this.#stopAsking?.();
    this.#stopAsking = undefined;
    const askers = [...this.#askers];
    this.#askers.clear();
    return askers;
  }

  #told(proven: Result<Proven, Fault>): void {
    this.#stopAsking = undefined;
    const askers = [...this.#askers];
    this.#askers.clear();
    if (!proven.ok) {
      for (const asker of askers) asker.onNoVersion(proven.error);
      return;
    }
    const isHttp2 = proven.value.alpn === 'h2';
    if (isHttp2) this.http2.adopt(proven.value);
    else this.http1.adopt(proven.value);
    for (const asker of askers) asker.onVersion(isHttp2 ? 'http2' : 'http1');
  }
}
