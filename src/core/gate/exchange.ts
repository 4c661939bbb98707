import type { Connection } from '../model/connection.ts';
import type { HeaderList } from '../kernel/headers.ts';
import type { Fault } from '../model/faults.ts';
import type { Outcome } from '../model/outcome.ts';
import type { IdentifiedPeer, Peer } from '../model/peer.ts';
import type { RawHead } from '../model/request.ts';

/** A refusal, ready to be written as it is: protocol writers add nothing and choose nothing. */
export type RefusalAnswer = {
  /** 0: write nothing, close. */
  readonly status: number;
  readonly grpcStatus: number | undefined;
  /** Lower-case names; `content-length` included. For gRPC this is a trailers-only answer (gRPC over HTTP2, "Responses"). */
  readonly headers: HeaderList;
  readonly body: string;
  /** True: no further request on this connection. */
  readonly close: boolean;
};

/** When a collected body is enough: given the bytes so far, the number of bytes wanted in all, or undefined for "until the end". */
export type Enough = (soFar: Uint8Array) => number | undefined;

/** What was read of a body before the decision. `complete` is true when the body ended within the limit. */
export type CollectedBody = { readonly bytes: Uint8Array; readonly complete: boolean };

/**
 * One request under way, as the gate sees it; HTTP/1.1, HTTP/2 and WebSocket look the same from here. Implemented by `io/listen`.
 * No method throws; `done` callbacks are called exactly once.
 */
export interface Exchange {
  readonly connection: Connection;
  /** The peer as judged when the connection was admitted. */
  readonly peer: IdentifiedPeer | Extract<Peer, { kind: 'anonymous' }>;
  readonly head: RawHead;
  /** Clock readings when the head was complete. */
  readonly receivedAtMs: number;
  readonly receivedMonotonicMs: number;
  /**
   * Reads the body into memory until it ends, `enough` is reached or `limit` bytes are there. What was read is still delivered to the forwarder.
   * Fails with `request_timeout`, `peer_aborted` or `request_malformed` (framing broke).
   */
  collectBody(limit: number, enough: Enough | undefined, done: (body: CollectedBody | Fault) => void): void;
  /**
   * Hears the body as it goes by, without holding, asking for or delaying any of it, until it ends, `enough` is reached or `limit` bytes are there; to be called before
   * anybody reads it. `done` is called at most once: not at all where the body breaks off, or is not read before the exchange ends.
   */
  overhearBody(limit: number, enough: Enough | undefined, done: (body: CollectedBody) => void): void;
  /** Writes the refusal and ends the exchange. The outcome is `refused`, or `aborted` when the peer was gone. */
  refuse(answer: RefusalAnswer, done: (outcome: Outcome) => void): void;
  /** Ends the exchange at once from our side: resets the stream or closes the connection. Forwarding under way ends with outcome `aborted` by `us`. */
  cut(fault: Fault): void;
}

/** A connection whose bytes are forwarded unread (TCP), as the gate sees it. */
export interface RawExchange {
  readonly connection: Connection;
  readonly peer: Exchange['peer'];
  readonly receivedAtMs: number;
  readonly receivedMonotonicMs: number;
  /** Closes without forwarding a byte. */
  refuse(done: (outcome: Outcome) => void): void;
  cut(fault: Fault): void;
}
