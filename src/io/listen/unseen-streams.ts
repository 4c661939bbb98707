/**
 * Requests whose head nghttp2 or node:http2 refused by itself (RST_STREAM PROTOCOL_ERROR for malformed fields, ENHANCE_YOUR_CALM for far too many):
 * JavaScript is never told, but a record is owed for each. They show as gaps in the stream identifiers, which every client in use takes in order
 * (RFC 9113 section 5.1.1 only asks that they increase).
 */
export class UnseenStreams {
  #last = -1;

  /** A stream that was seen. Gives how many before it were not. */
  seen(streamId: number): number {
    const missing = this.#missingBefore(streamId);
    this.#last = Math.max(this.#last, streamId);
    return missing;
  }

  /**
   * The highest stream that nghttp2 has begun to read (0: none), seen or not. Gives how many up to it were not. To be asked only when no header block
   * is half read.
   */
  begun(lastStreamId: number | undefined): number {
    if (lastStreamId === undefined || lastStreamId <= Math.max(0, this.#last)) return 0;
    const missing = this.#missingBefore(lastStreamId) + 1;
    this.#last = lastStreamId;
    return missing;
  }

  #missingBefore(streamId: number): number {
    return Math.max(0, (streamId - this.#last) / 2 - 1);
  }
}
