import { connect, constants, type ClientHttp2Session, type ClientSessionOptions, type Settings } from 'node:http2';
import type { Socket } from 'node:net';

import type { ProvenServer } from '../../core/model/destination.ts';
import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import { ready, type Dial, type Dialled } from './dial.ts';
import { faultOfError } from './upstream-faults.ts';

/** Connections to one agent at a time; calls beyond what they take together wait in line, within their deadline. */
const MAX_SESSIONS = 64;

/** An idle connection is closed after this long. */
const IDLE_MS = 60_000;

/** Memory one session may hold, in MB, before node:http2 refuses streams; its default of 10 is less than 100 streams with full windows. */
const SESSION_MEMORY_MB = 64;

/** Someone who wants to open a stream. Exactly one of the two is called, later or at once, unless it was forgotten before. */
export interface Opener {
  onSession(lease: Lease): void;
  onNoSession(reason: Fault): void;
}

/** Where openers get their streams. */
export interface Sessions {
  open(opener: Opener): void;
  /** Takes someone out of the line. */
  forget(opener: Opener): void;
}

/** The right to one stream of a session; given back once, by `release`. */
export class Lease {
  readonly session: ClientHttp2Session;
  readonly #slot: Slot;
  #held = true;

  constructor(slot: Slot, session: ClientHttp2Session) {
    this.#slot = slot;
    this.session = session;
  }

  /** Who proved to be at the other end, where that was asked. */
  get server(): ProvenServer | undefined {
    return this.#slot.server;
  }

  /** Highest stream that the agent said it would process, when it said goodbye (RFC 9113 section 6.8); undefined before. */
  get lastProcessedStream(): number | undefined {
    return this.#slot.lastProcessed;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#slot.returned();
  }
}

/**
 * Sessions to one agent or destination: h2c with prior knowledge (RFC 9113 section 3.3), or HTTP/2 over whatever `dial` gives. One session serves all
 * until it carries as many streams as the other side allows; a session that is going away gets no new streams. A session counts as open from the other
 * side's first SETTINGS: a server that speaks something else is found out before a request is written to it.
 */
export class Http2Pool implements Sessions {
  readonly #dial: Dial;
  readonly #limits: Limits;
  readonly #slots = new Set<Slot>();
  readonly #waiting = new Set<Opener>();
  #closed = false;

  constructor(dial: Dial, limits: Limits) {
    this.#dial = dial;
    this.#limits = limits;
  }

  open(opener: Opener): void {
    if (this.#closed) {
      opener.onNoSession(fault('draining', 'the forwarder is stopped'));
      return;
    }
    const free = this.#freeSlot();
    if (free !== undefined) {
      opener.onSession(free.lease());
      return;
    }
    this.#waiting.add(opener);
    this.#connectIfWorthwhile();
  }

  forget(opener: Opener): void {
    this.#waiting.delete(opener);
  }

  /** Takes a connection that was made elsewhere. */
  adopt(dialled: Dialled): void {
    if (this.#closed) dialled.socket.destroy();
    else this.#addSlot(ready(dialled));
  }

  /** Opens no more streams and gives back those who wait for one, to be served elsewhere. */
  retire(): readonly Opener[] {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#closed = true;
    return waiting;
  }

  /** Opens no more streams; resolves when those under way have ended. */
  async close(): Promise<void> {
    this.#stop();
    await Promise.all([...this.#slots].map((slot) => slot.close()));
  }

  /** Ends all sessions at once. */
  destroy(): void {
    this.#stop();
    for (const slot of this.#slots) slot.destroy();
  }

  #stop(): void {
    this.#closed = true;
    this.#failWaiting(fault('draining', 'the forwarder is stopped'));
  }

  #freeSlot(): Slot | undefined {
    for (const slot of this.#slots) if (slot.free) return slot;
    return undefined;
  }

  #connectIfWorthwhile(): void {
    for (const slot of this.#slots) if (slot.connecting) return;
    if (this.#slots.size < MAX_SESSIONS) this.#addSlot(this.#dial);
  }

  #addSlot(dial: Dial): void {
    const slot = new Slot(this.#limits, {
      roomier: () => this.#serveWaiting(),
      failed: (reason) => this.#failWaiting(reason),
      closed: () => this.#gone(slot),
    });
    this.#slots.add(slot);
    slot.open(dial);
  }

  #serveWaiting(): void {
    for (const opener of this.#waiting) {
      const free = this.#freeSlot();
      if (free === undefined) break;
      this.#waiting.delete(opener);
      opener.onSession(free.lease());
    }
    if (this.#waiting.size > 0) this.#connectIfWorthwhile();
  }

  #gone(slot: Slot): void {
    this.#slots.delete(slot);
    this.#serveWaiting();
  }

  #failWaiting(reason: Fault): void {
    const openers = [...this.#waiting];
    this.#waiting.clear();
    for (const opener of openers) opener.onNoSession(reason);
  }
}

type SlotEvents = {
  /** The session takes streams from now on, or there is room for more than before. */
  readonly roomier: () => void;
  /** It never did, or closed without having allowed a stream. */
  readonly failed: (reason: Fault) => void;
  readonly closed: () => void;
};

/** One session: `connecting`, `open`, then `leaving` (streams under way may end) until it closes. */
class Slot {
  server: ProvenServer | undefined;
  lastProcessed: number | undefined;
  readonly #limits: Limits;
  readonly #events: SlotEvents;
  #session: ClientHttp2Session | undefined;
  #giveUpDialling: (() => void) | undefined;
  #connectTimer: NodeJS.Timeout | undefined;
  #state: 'connecting' | 'open' | 'leaving' = 'connecting';
  #closing = false;
  #isUsed = false;
  #isFresh = (): boolean => true;
  #streams = 0;
  #capacity = 0;
  /** It opened, and allows no stream. */
  #isBarren = false;
  #error: Error | undefined;

  constructor(limits: Limits, events: SlotEvents) {
    this.#limits = limits;
    this.#events = events;
  }

  /** Starts it; to be called once. */
  open(dial: Dial): void {
    this.#giveUpDialling = dial((dialled) => {
      this.#giveUpDialling = undefined;
      if (dialled.ok) this.#begin(dialled.value);
      else this.#notDialled(dialled.error);
    });
  }

  #begin({ socket, server, isFresh }: Dialled): void {
    const session = connect('http://upstream', sessionOptions(socket, this.#limits));
    this.server = server;
    this.#isFresh = isFresh;
    this.#session = session;
    this.#connectTimer = setTimeout(() => this.#connectTimedOut(session), this.#limits.upstreamConnectTimeoutMs);
    session.on('connect', () => session.setLocalWindowSize(this.#limits.connectionWindowBytes));
    session.on('remoteSettings', (settings) => this.#settled(settings));
    session.on('goaway', (_code, lastStream) => this.#leave(lastStream));
    session.on('error', (error) => (this.#error = error));
    session.on('close', () => this.#gone());
    session.setTimeout(IDLE_MS, () => this.#idle());
  }

  #notDialled(reason: Fault): void {
    this.#giveUp(reason);
    this.#events.closed();
  }

  get connecting(): boolean {
    return this.#state === 'connecting';
  }

  get free(): boolean {
    const session = this.#session;
    if (this.#state !== 'open' || this.#streams >= this.#capacity || session === undefined) return false;
    return !session.closed && !session.destroyed && (!this.#isUsed || this.#isFresh());
  }

  /** To be called only while it is `free`. */
  lease(): Lease {
    if (this.#session === undefined) throw new TypeError('there is no session yet');
    this.#streams += 1;
    this.#isUsed = true;
    return new Lease(this, this.#session);
  }

  /** A stream of this session is over. */
  returned(): void {
    this.#streams -= 1;
    const isOver = this.#closing || !this.#isFresh();
    if (isOver && this.#streams === 0) this.#session?.close();
    this.#events.roomier();
  }

  /**
   * Takes no more streams and closes when those under way have ended, not before: nghttp2 sends a GOAWAY ahead of requests that are still in its queue,
   * and the other side then refuses them.
   */
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const session = this.#session;
    this.#closing = true;
    if (session === undefined) this.destroy();
    if (session === undefined || session.destroyed) resolve();
    else {
      session.once('close', resolve);
      if (this.#streams === 0) session.close();
    }
    return promise;
  }

  destroy(): void {
    if (this.#session !== undefined) this.#session.destroy();
    else if (this.#giveUpDialling !== undefined) {
      this.#giveUpDialling();
      this.#giveUpDialling = undefined;
      this.#notDialled(fault('draining', 'the forwarder is stopped'));
    }
  }

  #settled(settings: Settings): void {
    this.#capacity = settings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
    if (this.#state === 'leaving') return;
    this.#isBarren = this.#capacity === 0 && (this.#isBarren || this.#state === 'connecting');
    this.#state = 'open';
    clearTimeout(this.#connectTimer);
    this.#events.roomier();
  }

  #leave(lastStream: number): void {
    this.lastProcessed = lastStream;
    this.#giveUp(fault('upstream_aborted', 'GOAWAY before SETTINGS'));
  }

  /** One that never allowed a stream is a failure for those who wait: they would otherwise connect again and again, without a pause. */
  #gone(): void {
    const early = fault('upstream_aborted', this.#isBarren ? 'allows no stream' : 'closed before SETTINGS');
    const reason = this.#error === undefined ? early : faultOfError(this.#error);
    this.#giveUp(reason);
    if (this.#isBarren) this.#events.failed(reason);
    this.#events.closed();
  }

  /** No more streams; `reason` is for those who waited, where there never was one. */
  #giveUp(reason: Fault): void {
    clearTimeout(this.#connectTimer);
    const neverOpened = this.#state === 'connecting';
    this.#state = 'leaving';
    if (neverOpened) this.#events.failed(reason);
  }

  #connectTimedOut(session: ClientHttp2Session): void {
    const error: NodeJS.ErrnoException = new Error('no HTTP/2 connection in time');
    error.code = 'ETIMEDOUT';
    session.destroy(error, constants.NGHTTP2_CANCEL);
  }

  #idle(): void {
    if (this.#streams === 0) this.#session?.close();
  }
}

function sessionOptions(socket: Socket, limits: Limits): ClientSessionOptions {
  const options: ClientSessionOptions & { strictSingleValueFields: boolean } = {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: limits.streamWindowBytes },
    maxSessionMemory: SESSION_MEMORY_MB,
    // Which fields may stand once was judged before; here it would only make `request` throw.
    strictSingleValueFields: false,
  };
  return options;
}
