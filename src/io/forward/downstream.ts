import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';

import type { RefusalAnswer } from '../../core/gate/exchange.ts';
import type { HeaderList } from '../../core/kernel/headers.ts';
import type { Fault } from '../../core/model/faults.ts';
import type { Outcome } from '../../core/model/outcome.ts';
import type { RawHead } from '../../core/model/request.ts';

/** What is left to read of a request's body. `bytes` is a body that was held because the policy read it. */
export type RequestBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'stream'; readonly stream: Readable };

/** Who ended an exchange early, and why. */
export type OnClosed = (fault: Fault, by: 'peer' | 'us') => void;

/**
 * The peer's side of one allowed request, as forwarding needs it. The listener's exchange has this shape; it is declared here, by its user.
 * No method throws; after the exchange has ended they do nothing. Framing (`connection`, `transfer-encoding`, END_STREAM) is written by it.
 */
export interface Downstream {
  /** What the peer speaks: names of fields are lower case, and cookies may come in crumbs, where it is HTTP/2. */
  readonly head: { readonly kind: RawHead['kind'] };
  readonly body: RequestBody;
  /** Sends an interim answer (RFC 9110 section 15.2), where the peer may get one. */
  informational(status: number, headers: HeaderList): void;
  /** Sends `100 (Continue)`. */
  sendContinue(): void;
  /** The whole answer in one write. `body` undefined: there is none. */
  respondWhole(
    status: number,
    headers: HeaderList,
    body: Uint8Array | undefined,
    trailers: HeaderList | undefined,
  ): void;
  respondHead(status: number, headers: HeaderList): void;
  /** False: the peer reads too slowly; hold back until `onDrain`. */
  respondData(chunk: Uint8Array): boolean;
  respondEnd(trailers: HeaderList | undefined, lastChunk: Uint8Array | undefined): void;
  onDrain: (() => void) | undefined;
  /** The peer went away, or the exchange was cut by us; called at the next tick where that was before it is set. Not called after `abort`. */
  onClosed: OnClosed | undefined;
  /** The last byte of the answer was handed to the system. */
  onSent: (() => void) | undefined;
  /** Ends the exchange in a way that the peer cannot take for a complete answer: RST_STREAM, or the connection closed. */
  abort(fault: Fault): void;
  refuse(answer: RefusalAnswer, done: (outcome: Outcome) => void): void;
  /**
   * The socket of an upgrade request, with what was read past its head; undefined for other requests, and once the exchange has ended.
   * From then on the exchange writes nothing, and `refuse` cannot be used.
   */
  upgrade(): { readonly socket: Duplex; readonly request: IncomingMessage; readonly head: Buffer } | undefined;
  /** Bytes of the request's body read, and of the answer's body written, so far. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The peer's side of a connection whose bytes are forwarded unread. */
export interface RawDownstream {
  /** Paused: nothing was read of it. It lets the two directions end one after the other (`allowHalfOpen`) where the listener does. */
  readonly socket: Duplex;
  onClosed: OnClosed | undefined;
  abort(fault: Fault): void;
}

/** The upstream side of one request, as the answering side steers it. */
export interface UpstreamCall {
  /** Holds the answer back. What was read already may still come. */
  pause(): void;
  resume(): void;
  /** Gives the request up; whatever the upstream still says is ignored. Safe to call at any time. */
  cancel(): void;
}
