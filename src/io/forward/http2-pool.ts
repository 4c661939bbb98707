import { connect, constants, type ClientHttp2Session, type ClientSessionOptions, type Settings } from 'node:http2';

import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import { connectTo, type UpstreamAddress } from './address.ts';
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

/** The right to one stream of a session; given back once, by `release`. */
export class Lease {
  readonly #slot: Slot;
  #held = true;

  constructor(slot: Slot) {
    this.#slot = slot;
  }

  get session(): ClientHttp2Session {
    return this.#slot.session;
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
 * Sessions to one agent over h2c with prior knowledge (RFC 9113 section 3.3). One session serves all until it carries as many streams as the
 * agent allows; a session that is going away gets no new streams. A session counts as open from the agent's first SETTINGS: a server that
 * speaks something else is found out before a request is written to it.
 */
export class Http2Pool {
  readonly #address: UpstreamAddress;
  readonly #limits: Limits;
  readonly #slots = new Set<Slot>();
  readonly #waiting = new Set<Opener>();
  #closed = false;

  constructor(address: UpstreamAddress, limits: Limits) {
    this.#address = address;
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

  /** Takes someone out of the line. */
  forget(opener: Opener): void {
    this.#waiting.delete(opener);
  }

  /** Opens no more streams; resolves when those under way have ended. */
  async close(): Promise<void> {
    this.#stop();
    await Promise.all([...this.#slots].map((slot) => slot.close()));
  }

  /** Ends all sessions at once. */
  destroy(): void {
    this.#stop();
    for (const slot of this.#slots) slot.session.destroy();
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
    if (this.#slots.size >= MAX_SESSIONS) return;
    const slot = new Slot(this.#address, this.#limits, {
      roomier: () => this.#serveWaiting(),
      failed: (reason) => this.#failWaiting(reason),
      closed: () => this.#gone(slot),
    });
    this.#slots.add(slot);
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
  /** It never did. */
  readonly failed: (reason: Fault) => void;
  readonly closed: () => void;
};

/** One session: `connecting`, `open`, then `leaving` (streams under way may end) until it closes. */
class Slot {
  readonly session: ClientHttp2Session;
  lastProcessed: number | undefined;
  readonly #events: SlotEvents;
  readonly #connectTimer: NodeJS.Timeout;
  #state: 'connecting' | 'open' | 'leaving' = 'connecting';
  #streams = 0;
  #capacity = 0;
  #error: Error | undefined;

  constructor(address: UpstreamAddress, limits: Limits, events: SlotEvents) {
    this.#events = events;
    const session = connect('http://upstream', sessionOptions(address, limits));
    this.session = session;
    this.#connectTimer = setTimeout(() => this.#connectTimedOut(), limits.upstreamConnectTimeoutMs);
    session.on('connect', () => session.setLocalWindowSize(limits.connectionWindowBytes));
    session.on('remoteSettings', (settings) => this.#settled(settings));
    session.on('goaway', (_code, lastStream) => this.#leave(lastStream));
    session.on('error', (error) => (this.#error = error));
    session.on('close', () => this.#gone());
    session.setTimeout(IDLE_MS, () => this.#idle());
  }

  get connecting(): boolean {
    return this.#state === 'connecting';
  }

  get free(): boolean {
    return this.#state === 'open' && this.#streams < this.#capacity && !this.session.closed && !this.session.destroyed;
  }

  lease(): Lease {
    this.#streams += 1;
    return new Lease(this);
  }

  /** A stream of this session is over. */
  returned(): void {
    this.#streams -= 1;
    this.#events.roomier();
  }

  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.session.destroyed) resolve();
    else this.session.once('close', resolve).close();
    return promise;
  }

  #settled(settings: Settings): void {
    this.#capacity = settings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
    if (this.#state === 'leaving') return;
    this.#state = 'open';
    clearTimeout(this.#connectTimer);
    this.#events.roomier();
  }

  #leave(lastStream: number): void {
    this.lastProcessed = lastStream;
    this.#giveUp(fault('upstream_aborted', 'GOAWAY before SETTINGS'));
  }

  #gone(): void {
    this.#giveUp(
      this.#error === undefined ? fault('upstream_aborted', 'closed before SETTINGS') : faultOfError(this.#error),
    );
    this.#events.closed();
  }

  /** No more streams; `reason` is for those who waited, where there never was one. */
  #giveUp(reason: Fault): void {
    clearTimeout(this.#connectTimer);
    const neverOpened = this.#state === 'connecting';
    this.#state = 'leaving';
    if (neverOpened) this.#events.failed(reason);
  }

  #connectTimedOut(): void {
    const error: NodeJS.ErrnoException = new Error('no HTTP/2 connection in time');
    error.code = 'ETIMEDOUT';
    this.session.destroy(error, constants.NGHTTP2_CANCEL);
  }

  #idle(): void {
    if (this.#streams === 0) this.session.close();
  }
}

function sessionOptions(address: UpstreamAddress, limits: Limits): ClientSessionOptions {
  const options: ClientSessionOptions & { strictSingleValueFields: boolean } = {
    createConnection: () => connectTo(address, false),
    settings: { enablePush: false, initialWindowSize: limits.streamWindowBytes },
    maxSessionMemory: SESSION_MEMORY_MB,
    // Which fields may stand once was judged before; here it would only make `request` throw.
    strictSingleValueFields: false,
  };
  return options;
}
