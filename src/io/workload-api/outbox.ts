import { constants } from 'node:http2';

import { frame } from './framing.ts';
import { statusFields } from './grpc-status.ts';

import type { ServerHttp2Stream } from 'node:http2';
import type { GrpcStatus } from './grpc-status.ts';

const GRPC_HEAD = { ':status': 200, 'content-type': 'application/grpc' } as const;

/**
 * The answers to one caller, who may read slowly or not at all: as every message is the whole state, only the newest one waits, so that no caller can
 * make more be held than one message.
 */
export class Outbox {
  readonly #stream: ServerHttp2Stream;
  #waiting: Uint8Array | undefined;
  #isOver = false;

  constructor(stream: ServerHttp2Stream) {
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
      this.#stream.respond({ ...GRPC_HEAD, ...statusFields(status) }, { endStream: true });
      // The caller may not have ended its request, and need not (RFC 9113 8.1).
      this.#stream.close(constants.NGHTTP2_NO_ERROR);
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
