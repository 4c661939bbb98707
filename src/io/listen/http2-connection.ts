import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';

import { fault, type Fault } from '../../core/model/faults.ts';
import type { Limits } from '../../core/model/limits.ts';
import { FloodGuard } from './flood-guard.ts';
import { headerListSize } from './header-size.ts';
import { faultOfSession } from './http2-faults.ts';
import { Http2Exchange } from './http2-exchange.ts';
import { OpenConnection } from './open-connection.ts';
import { UnseenStreams } from './unseen-streams.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM: ENHANCE_YOUR_CALM } = constants;

/** Heads refused by nghttp2 that get a record each; more are a flood. */
const MAX_UNSEEN = 100;

/** An HTTP/2 connection: node:http2's session on a socket that has been admitted. */
export class Http2Connection extends OpenConnection {
  readonly guard: FloodGuard;
  readonly #session: ServerHttp2Session;
  readonly #unseen = new UnseenStreams();
  #unseenCount = 0;
  #hasSettings = false;
  readonly #openedAtMs: number;
  /** Set while a PING of ours tells whether the peer is in the middle of a header block. */
  #probedAtMs: number | undefined = undefined;
  #clearedBytes = 0;
  #servedAtProbe = 0;
  /** We ended it, or told that it broke: what the session still says is of no interest. It says so after the socket has closed. */
  #isCut = false;
  #sweepsSinceCut = 0;
  /** The end of the session was told by the exchanges that it ended. */
  #brokeStreams = false;

  constructor(...facts: ConstructorParameters<typeof OpenConnection>) {
    super(...facts);
    const { limits, clock } = this.host;
    this.#openedAtMs = clock.monotonicMs();
    this.guard = new FloodGuard(this.#openedAtMs);
    // A reset connection destroys the session before the socket closes, and with it what it knows of streams. So before the session hears of it.
    this.socket.once('error', () => this.#countUnseen());
    this.#session = performServerHandshake(this.socket, sessionOptions(limits));
    this.#session.setLocalWindowSize(limits.connectionWindowBytes);
    this.#session.on('stream', (stream, _headers, flags, rawHeaders) => this.#stream(stream, flags, rawHeaders));
    this.#session.on('error', (error) => this.#failed(error));
    this.#session.on('ping', () => this.#control());
    this.#session.on('remoteSettings', () => {
      this.#hasSettings = true;
      this.#control();
    });
  }

  /** What ended a stream that had no answer yet: the end of the whole session, or a reset. */
  faultOfStream(rstCode: number, error: Error | undefined): Fault {
    const ofSession = error === undefined ? undefined : faultOfSession(error, this.#isExcessive());
    if (ofSession !== undefined) this.#brokeStreams = true;
    return ofSession ?? fault('peer_aborted', `RST_STREAM ${rstCode}`);
  }

  /** A stream was ended by the peer before its answer. */
  streamReset(openedAtMs: number): void {
    const flood = this.guard.reset(this.host.clock.monotonicMs() - openedAtMs);
    if (flood !== undefined) this.#flood(flood);
  }

  /** No further requests; open ones finish (GOAWAY, RFC 9113 section 6.8). */
  closeAfterOpenStreams(): void {
    if (this.#isLive()) this.#session.close();
  }

  /** A request already on its way is refused by identifier, so that the peer knows it can be sent again (RFC 9113 section 6.8). */
  override drain(): void {
    this.closeAfterOpenStreams();
  }

  override retire(): void {
    this.closeAfterOpenStreams();
  }

  override sweep(nowMs: number): void {
    // A write that never ends (its peer is gone) keeps the session from closing its socket.
    if (this.#isCut) this.#sweepsSinceCut += 1;
    if (this.#sweepsSinceCut > 1) this.socket.destroy();
    const flood = this.guard.sweep(this.socket.bytesRead, nowMs);
    if (flood !== undefined) this.#flood(flood);
    else this.#sweepHead(nowMs);
    if (this.#session.closed && this.held.size === 0) this.linger();
    super.sweep(nowMs);
  }

  override gone(error: Error | undefined): void {
    this.#countUnseen();
    super.gone(error);
  }

  protected override kill(reason: Fault): void {
    this.#isCut = true;
    this.linger();
    // A session that was closing waits for the peer to close; we do not, once what it had to say is out.
    if (this.socket.writableFinished) this.socket.destroy();
    else this.socket.once('finish', () => this.socket.destroy());
    // After the resets of its streams, which go out with this turn of the event loop.
    if (reason.code === 'flood') setImmediate(() => this.#session.destroy(new Error(reason.code), ENHANCE_YOUR_CALM));
    else setImmediate(() => this.#session.destroy());
  }

  #isLive(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  #stream(stream: ServerHttp2Stream, flags: number, rawHeaders: string[]): void {
    const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    this.guard.streamOpened();
    this.guard.explainHead(headerListSize(rawHeaders));
    this.#report(this.#unseen.seen(stream.id ?? 0));
    const exchange = new Http2Exchange(this, stream, rawHeaders, endStream);
    if (this.isEnding) exchange.cut(fault('draining', 'the connection is ending'));
    else this.take(exchange, () => this.host.handler.exchange(exchange));
  }

  #control(): void {
    const flood = this.guard.control();
    if (flood !== undefined) this.#flood(flood);
  }

  #flood(detail: string): void {
    if (!this.isEnding) this.cut(fault('flood', detail), true);
  }

  /** The session broke. What was open has heard it from its streams; a flood has a record of its own. */
  #failed(error: Error): void {
    const reason = this.#isCut ? undefined : faultOfSession(error, this.#isExcessive());
    if (reason === undefined) return;
    this.#isCut = true;
    this.linger();
    if (reason.code === 'flood') this.guarded(() => this.host.handler.refused(this.facts, reason, this.peer));
    else if (!this.#brokeStreams) this.#unreadable(reason);
  }

  #unreadable(reason: Fault): void {
    this.served += 1;
    this.guarded(() => this.host.handler.unreadable(this.facts, this.peer, reason));
  }

  #isExcessive(): boolean {
    return this.guard.isExcessive(this.socket.bytesRead);
  }

  #countUnseen(): void {
    if (!this.#isLive()) return;
    this.#report(this.#unseen.begun(this.#session.state.lastProcStreamID));
  }

  #report(missing: number): void {
    for (let i = 0; i < missing; i++) {
      if (this.isEnding) return;
      this.#unseenCount += 1;
      if (this.#unseenCount > MAX_UNSEEN) {
        this.#flood(`more than ${MAX_UNSEEN} malformed heads`);
        return;
      }
      this.#unreadable(fault('request_malformed', 'the HTTP/2 library refused the head'));
    }
  }

  /**
   * Slow heads. A peer in the middle of a header block can send nothing else (RFC 9113 section 6.10), so it cannot answer a PING. Asked only
   * when bytes came that made no request; an answer means that whatever head they were is complete, and if it was not seen, refused.
   */
  #sweepHead(nowMs: number): void {
    const { headTimeoutMs } = this.host.limits;
    if (!this.#hasSettings) {
      if (nowMs - this.#openedAtMs >= headTimeoutMs) this.#late();
      return;
    }
    if (this.#probedAtMs !== undefined) {
      if (nowMs - this.#probedAtMs >= headTimeoutMs) this.#late();
      return;
    }
    const isQuiet = this.held.size === 0 && this.served === this.#servedAtProbe;
    this.#servedAtProbe = this.served;
    if (!isQuiet || this.socket.bytesRead === this.#clearedBytes || !this.#isLive()) return;
    this.#probedAtMs = nowMs;
    this.#session.ping(() => {
      this.#probedAtMs = undefined;
      this.#clearedBytes = this.socket.bytesRead;
      this.#countUnseen();
    });
  }

  #late(): void {
    if (this.isEnding) return;
    const isSilent = this.socket.bytesRead === 0;
    const reason = isSilent
      ? fault('connection_idle_timeout', 'not a byte in time for a head')
      : fault('request_timeout', 'a head did not arrive in time');
    if (!isSilent) this.#unreadable(reason);
    this.cut(reason);
  }
}

function sessionOptions(limits: Limits): Parameters<typeof performServerHandshake>[1] {
  return {
    settings: {
      maxConcurrentStreams: limits.concurrentStreams,
      initialWindowSize: limits.streamWindowBytes,
      maxHeaderListSize: limits.headerBytes,
      enableConnectProtocol: false,
    },
    // Past this nghttp2 refuses by itself (`UnseenStreams`); up to it the handler sees that there are too many.
    maxHeaderListPairs: 4 * limits.headerCount,
    maxSessionInvalidFrames: 100,
    // What the agent answers twice is not ours to refuse; HTTP/1.1 passes it as well.
    strictSingleValueFields: false,
    maxSendHeaderBlockLength: 262_144,
  };
}
