import { constants } from 'node:http2';

import { frame } from './framing.ts';
import { statusFields } from './grpc-status.ts';

import type { Timer } from '../../core/kernel/clock.ts';
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { GrpcStatus } from './grpc-status.ts';

const GRPC_HEAD = { ':status': 200, 'content-type': 'application/grpc' } as const;

/**
 * The answers to one caller, who may read slowly or not at all: as every message is the whole state, only the newest one waits, so that no caller can
 * make more be held than one message.
 */
export class Outbox {
  readonly #stream: ServerHttp2Stream;
  readonly #timer: Timer;
  #waiting: Uint8Array | undefined;
  #isOver = false;

  constructor(stream: ServerHttp2Stream, timer: Timer) {
    this.#timer = timer;
    this.#stream = stream;
    stream.on('drain', () => this.#drain());
  }

  /** Sends a message, or keeps it until the caller has read the ones before. */
  send(message: Uint8Array): void {
    if (this.#isOver || this.#stream.destroyed || this.#stream.closed) return;
    if (!this.#stream.headersSent) this.#stream.respond(GRPC_HEAD, { waitForTrailers: true });
    if (this.#stream.writableNeedDrain) this.#waiting = message;
    else this.#stream.write(frame(message));
  }

  /** Ends the stream with a status; in the head alone where nothing was sent (gRPC over HTTP2, "Trailers-Only"). */
  end(status: GrpcStatus): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = undefined;
    if (this.#stream.destroyed || this.#stream.closed) return;
    if (!this.#stream.headersSent) {
      answerInHead(this.#stream, { ...GRPC_HEAD, ...statusFields(status) }, this.#timer);
      return;
    }
    this.#stream.once('wantTrailers', () => this.#stream.sendTrailers(statusFields(status)));
    this.#stream.end();
  }

  #drain(): void {
    const message = this.#waiting;
    this.#waiting = undefined;
    if (message !== undefined) this.send(message);
  }
}

/** How long a caller may go on sending after an answer that did not wait for it, milliseconds. A reset at once would overtake the answer. */
const GRACE_MS = 1_000;

/** An answer of a head only. The caller may not have ended its request, and need not any more (RFC 9113 8.1). */
export function answerInHead(stream: ServerHttp2Stream, head: OutgoingHttpHeaders, timer: Timer): void {
  stream.resume();
  stream.once(
    'close',
    timer(GRACE_MS, () => stream.close(constants.NGHTTP2_NO_ERROR)),
  );
  stream.respond(head, { endStream: true });
}
