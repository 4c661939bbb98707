import { Client } from 'undici';

import type { ProvenServer } from '../../core/model/destination.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import type { Dial, Dialled } from './dial.ts';
import { IDLE_MS } from './http1-upstream.ts';
import { ConnectionFault } from './upstream-faults.ts';

/** Handshakes at once with one destination: those who wait are served by whatever connection is free first. */
const MAX_DIALLING = 32;

/** Someone who wants to send a request. Exactly one of the two is called, later or at once, unless it was forgotten before. */
export interface Http1Opener {
  onConnection(lease: Http1Lease): void;
  onNoConnection(reason: Fault): void;
}

/** The right to one request on a connection; given back once. */
export class Http1Lease {
  readonly client: Client;
  readonly server: ProvenServer | undefined;
  readonly #giveBack: (usable: boolean) => void;
  #held = true;

  constructor({ client, server }: Held, giveBack: (usable: boolean) => void) {
    this.client = client;
    this.server = server;
    this.#giveBack = giveBack;
  }

  /** The request is over; the connection may take another, if it still stands. */
  release(): void {
    this.#return(true);
  }

  /** The request was given up: the connection cannot be used any more. */
  discard(): void {
    this.#return(false);
  }

  #return(usable: boolean): void {
    if (!this.#held) return;
    this.#held = false;
    this.#giveBack(usable);
  }
}

type Held = Dialled & { readonly client: Client; used: boolean };

/**
 * HTTP/1.1 connections to one destination, one request at a time on each. Each is an undici `Client` over a connection that was made and proven before;
 * it never makes another by itself.
 */
export class Http1Pool {
  readonly #dial: Dial;
  readonly #origin: string;
  readonly #limits: Limits;
  readonly #most: number;
  /** Last used last, and used first: what is not needed goes idle and closes. */
  readonly #idle: Held[] = [];
  readonly #all = new Set<Held>();
  readonly #waiting = new Set<Http1Opener>();
  readonly #dialling = new Set<() => void>();
  #closed = false;
  readonly #emptied = Promise.withResolvers<void>();

  constructor(dial: Dial, host: string, limits: Limits, most: number) {
    this.#dial = dial;
    this.#origin = `http://${host.includes(':') ? `[${host}]` : host}`;
    this.#limits = limits;
    this.#most = most;
  }

  open(opener: Http1Opener): void {
    if (this.#closed) {
      opener.onNoConnection(fault('draining', 'the forwarder is stopped'));
      return;
    }
    const free = this.#takeIdle();
    if (free !== undefined) {
      opener.onConnection(this.#lease(free));
      return;
    }
    this.#waiting.add(opener);
    this.#dialIfWorthwhile();
  }

  /** Takes someone out of the line. */
  forget(opener: Http1Opener): void {
    this.#waiting.delete(opener);
  }

  /** Takes a connection that was made elsewhere. */
  adopt(dialled: Dialled): void {
    if (this.#closed) dialled.socket.destroy();
    else this.#offer(this.#hold(dialled));
  }

  /** Takes no more requests and gives back those who wait, to be served elsewhere. */
  retire(): readonly Http1Opener[] {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#closed = true;
    for (const stop of this.#dialling) stop();
    this.#dialling.clear();
    for (const held of this.#idle.splice(0)) this.#drop(held);
    return waiting;
  }

  /** Takes no more requests; resolves when those under way have ended. */
  async close(): Promise<void> {
    const reason = fault('draining', 'the forwarder is stopped');
    for (const opener of this.retire()) opener.onNoConnection(reason);
    if (this.#all.size > 0) await this.#emptied.promise;
  }

  /** Ends everything at once. */
  destroy(): void {
    void this.close();
    for (const held of this.#all) this.#drop(held);
  }

  #takeIdle(): Held | undefined {
    for (;;) {
      const held = this.#idle.pop();
      if (held === undefined || isGood(held)) return held;
      this.#drop(held);
    }
  }

  #lease(held: Held): Http1Lease {
    held.used = true;
    return new Http1Lease(held, (usable) => {
      if (!usable) this.#drop(held);
      // undici closes the connection, where the answer asks for it, right after it has told of the answer's end.
      else process.nextTick(() => this.#offer(held));
    });
  }

  /** A connection is free. */
  #offer(held: Held): void {
    if (this.#closed || !isGood(held) || !this.#all.has(held)) {
      this.#drop(held);
      return;
    }
    const [opener] = this.#waiting;
    if (opener === undefined) this.#rest(held);
    else {
      this.#waiting.delete(opener);
      opener.onConnection(this.#lease(held));
    }
  }

  /** undici closes what is idle too long, once it has had a request; what came too late for one is ours to close. */
  #rest(held: Held): void {
    this.#idle.push(held);
    if (held.used) return;
    const timer = setTimeout(() => {
      if (!held.used) this.#drop(held);
    }, IDLE_MS);
    held.socket.once('close', () => clearTimeout(timer));
  }

  #dialIfWorthwhile(): void {
    const needed = this.#waiting.size > this.#dialling.size;
    const room = this.#dialling.size < MAX_DIALLING && this.#all.size + this.#dialling.size < this.#most;
    if (!needed || !room || this.#closed) return;
    const giveUp = this.#dial((dialled) => {
      this.#dialling.delete(giveUp);
      if (dialled.ok) this.#offer(this.#hold(dialled.value));
      else this.#notDialled(dialled.error);
      this.#dialIfWorthwhile();
    });
    this.#dialling.add(giveUp);
  }

  #notDialled(reason: Fault): void {
    const hopeless = this.#dialling.size === 0 && this.#all.size === 0;
    const failing = [...this.#waiting].slice(0, hopeless ? this.#waiting.size : 1);
    for (const opener of failing) this.#waiting.delete(opener);
    for (const opener of failing) opener.onNoConnection(reason);
  }

  #hold(dialled: Dialled): Held {
    let made = false;
    const client = new Client(this.#origin, {
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      // Deadlines are the answer's.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: this.#limits.headerBytes,
      connect: (_options, done) => {
        // Not at once: undici would not notice, in the middle of its own turn.
        process.nextTick(() => {
          if (made || dialled.socket.destroyed) done(new ConnectionFault(CLOSED), null);
          else done(null, dialled.socket);
          made = true;
        });
      },
    });
    const held = { ...dialled, client, used: false };
    this.#all.add(held);
    dialled.socket.once('close', () => this.#drop(held));
    return held;
  }

  #drop(held: Held): void {
    if (!this.#all.delete(held)) return;
    const index = this.#idle.indexOf(held);
    if (index >= 0) this.#idle.splice(index, 1);
    void held.client.destroy();
    held.socket.destroy();
    if (this.#closed && this.#all.size === 0) this.#emptied.resolve();
    this.#dialIfWorthwhile();
  }
}

/** True while a connection may take a request. */
function isGood({ socket, used, isFresh }: Held): boolean {
  return !socket.destroyed && (!used || isFresh());
}

const CLOSED = fault('upstream_aborted', 'the connection was closed before the request was written');
