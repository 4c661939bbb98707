import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';

import type { Exchange, RawExchange } from '../../core/gate/exchange.ts';
import type { HeaderList } from '../../core/kernel/headers.ts';
import type { Fault } from '../../core/model/faults.ts';

/**
 * The request body as the forwarder finds it. `bytes`: complete and in memory. `stream`: to be read; it first yields what was collected,
 * and it may be paused, so call `resume()` after attaching (`pipe` does). It never emits an unhandled `error`: a body that breaks off
 * is told by `onClosed`. `pause`/`resume` are the back-pressure.
 */
export type DownstreamBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'stream'; readonly stream: Readable };

/** Who ended an exchange before its answer was out. */
export type ClosedBy = 'peer' | 'us';

/**
 * What a forwarder may do with an exchange. Header lists are flat `[name, value, …]` without hop-by-hop fields: framing
 * (`transfer-encoding`, `connection`, `date` where absent, END_STREAM) is written here. Bodies of answers to HEAD, of 204 and of 304 are
 * dropped here. No method throws; after the exchange has ended all of them do nothing.
 */
export interface Downstream {
  readonly body: DownstreamBody;
  /** Trailer fields of the request, names as received; to be read after the body ended. */
  requestTrailers(): HeaderList;
  /** A 1xx other than 100 and 101. Not sent to HTTP/1.0 peers (RFC 9110 section 15.2). */
  informational(status: number, headers: HeaderList): void;
  /** 100 (Continue), where the peer waits for it and it was not sent yet; otherwise nothing. */
  sendContinue(): void;
  /** Head, body and trailers in one write. */
  respondWhole(
    status: number,
    headers: HeaderList,
    body: Uint8Array | undefined,
    trailers: HeaderList | undefined,
  ): void;
  /** Head alone; on the wire at the end of this tick at the latest. */
  respondHead(status: number, headers: HeaderList): void;
  /** False: stop until `onDrain`. */
  respondData(chunk: Uint8Array): boolean;
  /** `lastChunk` carries END_STREAM where there are no trailers. */
  respondEnd(trailers: HeaderList | undefined, lastChunk: Uint8Array | undefined): void;
  /** The agent failed after the head was sent: resets the stream or closes the connection, so that the peer sees a broken answer. */
  abort(fault: Fault): void;
  /** Set by the forwarder. */
  onDrain: (() => void) | undefined;
  /**
   * Set by the forwarder. Called at most once, when the exchange ends before its answer is out: the peer went away, a deadline passed, we cut it.
   * Setting it on an exchange that has already ended calls it at the next tick. Not called after `abort`.
   */
  onClosed: ((fault: Fault, by: ClosedBy) => void) | undefined;
  /** Set by the forwarder. Called at most once, when the whole answer was handed to the kernel. */
  onSent: (() => void) | undefined;
  /** Body bytes received so far, collected ones included; after `upgrade`, bytes of the tunnel. */
  readonly bytesIn: number;
  /** Body bytes written so far. */
  readonly bytesOut: number;
  /**
   * The untouched socket of a WebSocket handshake, for the forwarder to keep: from then on the exchange writes nothing. Undefined for any other
   * request, after the exchange has ended, and when the peer sent bytes before it was answered (which ends the exchange).
   */
  upgrade(): { readonly socket: Duplex; readonly request: IncomingMessage; readonly head: Buffer } | undefined;
}

/** One HTTP request under way: for the gate and for the forwarder. */
export type HttpExchange = Exchange & Downstream;

/** One TCP connection under way. The forwarder reads and writes `socket` as it likes; it was not read from before. */
export interface TcpExchange extends RawExchange {
  /** Decrypted bytes. Its errors are handled; it ends (`end`, `close`) like any socket. Half-open is allowed: whoever holds it ends it. */
  readonly socket: Duplex;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Set by the forwarder. Called at most once, when we cut the connection or the peer reset it. Same rule for late setting as above. */
  onClosed: ((fault: Fault, by: ClosedBy) => void) | undefined;
  /** The agent's side failed: closes at once. */
  abort(fault: Fault): void;
}
