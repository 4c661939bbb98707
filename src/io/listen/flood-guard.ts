/**
 * HTTP/2 floods: frames that cost us work and the peer nothing. nghttp2 and node:http2 stop some by themselves (more than 8 CONTINUATION frames,
 * acknowledgements that pile up unread, 1,000 empty DATA frames, PRIORITY and unknown types, streams opened past the limit); this guard counts the rest.
 *
 * The bytes never pass through JavaScript, which would cost 4-5 us a request, so frames are not counted one by one. Instead every byte read must be
 * explained: a header block by its decoded size, which is never smaller; DATA by its length. What is left is control frames. They may come in a burst, at a
 * steady rate, and in proportion to the frames we send (window updates and RTT probes answer those).
 */

/** About 5,000 WINDOW_UPDATE frames. */
const BURST_BYTES = 65_536;
const BYTES_PER_SECOND = 8_192;
/** Ten WINDOW_UPDATE frames for each DATA frame sent, as Envoy allows. */
const BYTES_PER_FRAME_SENT = 130;
const FRAME_SENT_BYTES = 16_384;
/** Frame heads of HEADERS and CONTINUATION, padding. */
const HEAD_FRAMING_BYTES = 512;
/** Frame head and the most padding a DATA frame may have (RFC 9113 section 6.1). */
const DATA_FRAMING_BYTES = 265;
/** PING and SETTINGS, which node:http2 shows one by one, between two sweeps; one more for each frame sent. */
const CONTROL_FRAMES = 1_000;
/** Rapid reset (CVE-2023-44487), as Envoy counts it: after so many streams, no more than half may be reset within a second of their start. */
const RESET_STREAMS = 500;
const PREMATURE_MS = 1_000;

/** Counts one connection. Methods that can find a flood give its description, or undefined. */
export class FloodGuard {
  #explained = 0;
  #unexplained = 0;
  #tokens = BURST_BYTES;
  #framesSent = 0;
  #control = 0;
  #streams = 0;
  #prematureResets = 0;
  #sweptAtMs: number;

  constructor(nowMs: number) {
    this.#sweptAtMs = nowMs;
  }

  /** A header block: the request's head, or its trailers. */
  explainHead(listSize: number): void {
    this.#explained += listSize + HEAD_FRAMING_BYTES;
  }

  explainData(length: number): void {
    this.#explained += length + DATA_FRAMING_BYTES;
  }

  /** A body that we stopped reading: what was in flight for it comes all the same, and nobody sees it. */
  explainAbandoned(windowBytes: number): void {
    this.#explained += windowBytes + DATA_FRAMING_BYTES;
  }

  streamOpened(): void {
    this.#streams += 1;
  }

  sent(length: number): void {
    this.#framesSent += 1 + Math.floor(length / FRAME_SENT_BYTES);
  }

  /** PING or SETTINGS. */
  control(): string | undefined {
    this.#control += 1;
    return this.#control > CONTROL_FRAMES + this.#framesSent ? `${this.#control} PING or SETTINGS frames` : undefined;
  }

  /** A stream that the peer ended, by RST_STREAM or by making us reset it, before it was answered. */
  reset(ageMs: number): string | undefined {
    if (ageMs >= PREMATURE_MS) return undefined;
    this.#prematureResets += 1;
    const isFlood = this.#streams >= RESET_STREAMS && 2 * this.#prematureResets > this.#streams;
    return isFlood ? `${this.#prematureResets} of ${this.#streams} streams reset within a second` : undefined;
  }

  /** `bytesRead`: all decrypted bytes of the connection so far. */
  sweep(bytesRead: number, nowMs: number): string | undefined {
    const seconds = (nowMs - this.#sweptAtMs) / 1_000;
    const earned = seconds * BYTES_PER_SECOND + this.#framesSent * BYTES_PER_FRAME_SENT;
    const unexplained = Math.max(this.#unexplained, bytesRead - this.#explained);
    const spent = unexplained - this.#unexplained;
    this.#tokens = Math.min(BURST_BYTES, this.#tokens + earned) - spent;
    this.#unexplained = unexplained;
    this.#sweptAtMs = nowMs;
    this.#framesSent = 0;
    this.#control = 0;
    return this.#tokens < 0 ? `${unexplained} bytes of control frames` : undefined;
  }

  /** True when the connection died with more control frames than any use has: tells floods that nghttp2 found from other protocol errors. */
  isExcessive(bytesRead: number): boolean {
    const sinceSweep = bytesRead - this.#explained - this.#unexplained;
    return sinceSweep + BURST_BYTES - this.#tokens > CONTROL_FRAMES * 9;
  }
}
