import type { DecisionId } from '../kernel/brand.ts';
import type { HeaderList } from '../kernel/headers.ts';
import type { Connection } from '../model/connection.ts';
import type { Destination } from '../model/destination.ts';
import type { CanonicalRequest } from '../model/request.ts';

/** What may be forwarded: the request that was decided on, with the obligations of the decision applied to it. */
export type PermittedRequest = {
  readonly style: CanonicalRequest['style'];
  readonly method: string;
  readonly authority: string;
  /** Path and query for the agent. */
  readonly target: string;
  /** Lower-case names; no `host`, no hop-by-hop fields but `te: trailers` (HTTP/2) and `upgrade: websocket`; `content-length` as the peer sent it. */
  readonly headers: HeaderList;
  readonly body: CanonicalRequest['body'];
  readonly grpcTimeoutMs: number | undefined;
  readonly expectContinue: boolean;
  /** Appended to the answer. */
  readonly responseHeadersToAdd: HeaderList;
};

const MINT = Symbol('mint');

/**
 * The right to forward one request, or the bytes of one connection. Forwarders ask for it and check `isGenuine`; only the gate makes one
 * (promise 1; `test/architecture.test.ts` refuses any other caller of `mint`).
 */
export class Permit {
  readonly decisionId: DecisionId;
  readonly connection: Connection;
  /** Undefined for a connection whose bytes are forwarded unread. */
  readonly request: PermittedRequest | undefined;
  /** Where an outbound call goes; undefined for an inbound one, which goes to the agent. */
  readonly destination: Destination | undefined;
  readonly #genuine = true;

  private constructor(
    token: symbol,
    decisionId: DecisionId,
    connection: Connection,
    request: PermittedRequest | undefined,
    destination: Destination | undefined,
  ) {
    if (token !== MINT) throw new TypeError('a Permit is made by the gate only');
    this.decisionId = decisionId;
    this.connection = connection;
    this.request = request;
    this.destination = destination;
    Object.freeze(this);
  }

  /** For `core/gate` only. */
  static mint(
    decisionId: DecisionId,
    connection: Connection,
    request: PermittedRequest | undefined,
    destination?: Destination,
  ): Permit {
    return new Permit(MINT, decisionId, connection, request, destination);
  }

  /** True for what `mint` made; false for a look-alike object. */
  static isGenuine(value: unknown): value is Permit {
    return typeof value === 'object' && value !== null && #genuine in value;
  }
}
