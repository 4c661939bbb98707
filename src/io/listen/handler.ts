import type { Exchange, RefusalAnswer } from '../../core/gate/exchange.ts';
import type { Connection } from '../../core/model/connection.ts';
import type { Fault } from '../../core/model/faults.ts';
import type { Peer } from '../../core/model/peer.ts';
import type { HttpExchange, TcpExchange } from './downstream.ts';

/** A peer that was let in. */
export type AdmittedPeer = Exchange['peer'];

/** What the peer showed in the handshake; read once per connection. */
export type PresentedChain = {
  /**
   * DER, leaf first, as OpenSSL links what was sent, at most 16; without the anchor where it verified. Empty where none was sent. On a resumed
   * connection the leaf alone.
   */
  readonly chain: readonly Uint8Array[];
  /** OpenSSL's opinion and its reason: never the decision, always a condition of it. */
  readonly authorized: boolean;
  readonly authorizationError: string | undefined;
};

/**
 * Who decides. The listener calls it in this order: `admit`, then any number of `exchange`/`unreadable` or one `raw`, at most one `refused`.
 * No method may throw; one that does costs its connection, never the process.
 */
export interface ListenHandler {
  /** Judges a new connection before a byte of a request is parsed. A rejected peer is closed and told to `refused`. */
  admit(connection: Connection, presented: PresentedChain): Peer;
  /** Judges an open connection again: trust changed, or the verdict's `validUntilMs` passed. */
  readmit(connection: Connection, presented: PresentedChain): Peer;
  /**
   * A connection that ended by our doing without a request to tell it: handshake failed, a limit, a rejected peer, no request in time,
   * withdrawn trust, drain. And every HTTP/2 flood, whatever came before. At most once per connection. `peer` where it had been admitted.
   */
  refused(connection: Connection, fault: Fault, peer: AdmittedPeer | undefined): void;
  /**
   * A request that no parser could read or that did not arrive in time. Once each. The answer is written where the protocol still
   * allows one (HTTP/1.1).
   */
  unreadable(connection: Connection, peer: AdmittedPeer, fault: Fault): RefusalAnswer;
  /** A request whose head is complete; WebSocket handshakes and CONNECT too. */
  exchange(exchange: HttpExchange): void;
  /** A connection of a `tcp` listener. */
  raw(exchange: TcpExchange): void;
}
