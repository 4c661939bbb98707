import type { SpiffeId } from '../kernel/brand.ts';

/**
 * Where an outbound call goes, and who has to be there: one entry of `outbound[].destinations`. Settings of its connections (deadlines, retries,
 * circuit breaking) belong to the forwarder that makes them.
 */
export type Destination = {
  /** As configured, in lower case: the host that the agent calls, `host:port`, or `*.suffix`. */
  readonly name: string;
  /** Where the connection is made to: the other side's sidecar. */
  readonly address: { readonly host: string; readonly port: number };
  /** The server proves any one of these, or gets no byte of the request. Never empty. */
  readonly ids: readonly SpiffeId[];
  /** HTTP version spoken with it; `auto`: HTTP/2 for gRPC and calls that came as HTTP/2, HTTP/1.1 for the others, both by ALPN. */
  readonly protocol: 'auto' | 'http1' | 'http2';
};

/** What the server of an outbound call proved in its handshake. */
export type ProvenServer = {
  readonly spiffeId: SpiffeId;
  /** Serial number of its leaf, as in `CertificateFacts`. */
  readonly serial: string;
};
