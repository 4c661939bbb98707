/**
 * Bounds on everything a peer can influence. Defaults follow Envoy's recommendations for edge proxies
 * ("Configuring Envoy as an edge proxy"), which are stricter than its defaults.
 * Sizes in bytes, durations in milliseconds.
 */
export type Limits = {
  /** Open connections of one listener. */
  readonly connections: number;
  /** From accept to the end of the TLS handshake. */
  readonly handshakeTimeoutMs: number;
  /** From the first byte of a head (or the end of the handshake) to its end. */
  readonly headTimeoutMs: number;
  /** A connection with no request under way. */
  readonly idleTimeoutMs: number;
  /** A request with no byte moving in either direction. */
  readonly streamIdleTimeoutMs: number;
  /** From the first byte to the last byte of a request, body included; 0 = none. Long streams (gRPC, WebSocket, TCP) are exempt. */
  readonly requestTimeoutMs: number;
  /** From forwarding to the head of the agent's answer; gRPC, WebSocket and TCP are exempt. */
  readonly upstreamTimeoutMs: number;
  /** To connect to the agent. */
  readonly upstreamConnectTimeoutMs: number;
  /** Names and values of a head, with 32 bytes a field as HPACK counts (RFC 7541 4.1). */
  readonly headerBytes: number;
  /** Fields in a head; HTTP/2 cookie crumbs count one each. */
  readonly headerCount: number;
  readonly targetBytes: number;
  /** A whole request body; 0 = unlimited (it is streamed, never held). */
  readonly bodyBytes: number;
  /** A body that is held because the policy reads it. */
  readonly inspectedBodyBytes: number;
  /** Requests and raw connections that one identity may have open at once on this listener, so that no peer can use up the journal's queue alone. */
  readonly openPerPeer: number;
  /** HTTP/2 SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly concurrentStreams: number;
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** Bytes buffered between the two sides of one request before the faster side is paused. */
  readonly bufferBytes: number;
};

export const DEFAULT_LIMITS: Limits = Object.freeze({
  connections: 10_000,
  handshakeTimeoutMs: 10_000,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 3_600_000,
  streamIdleTimeoutMs: 300_000,
  requestTimeoutMs: 300_000,
  upstreamTimeoutMs: 15_000,
  upstreamConnectTimeoutMs: 5_000,
  headerBytes: 61_440,
  headerCount: 100,
  targetBytes: 8_192,
  bodyBytes: 0,
  inspectedBodyBytes: 65_536,
  openPerPeer: 1_000,
  concurrentStreams: 100,
  streamWindowBytes: 65_535,
  connectionWindowBytes: 1_048_576,
  bufferBytes: 32_768,
});

/** What a listener accepts although two readers could read it differently. Default: nothing. Policy then sees exactly what is forwarded. */
export type PathTolerance = {
  /** `%2F`, `%5C` in a path. */
  readonly encodedSlashes: boolean;
  /** `//` in a path. */
  readonly doubleSlashes: boolean;
  /** `;` in a path. */
  readonly matrixParameters: boolean;
};

export const STRICT_PATHS: PathTolerance = Object.freeze({
  encodedSlashes: false,
  doubleSlashes: false,
  matrixParameters: false,
});
