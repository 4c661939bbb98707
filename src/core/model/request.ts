import type { HeaderList } from '../kernel/headers.ts';

/** A request head as the protocol reader delivered it, unchecked: the only input of the `request` room. */
export type RawHead =
  | {
      readonly kind: 'http1';
      /** As on the request line: `1.1`, `1.0`, … */
      readonly version: string;
      readonly method: string;
      /** Request target exactly as received. */
      readonly target: string;
      /** Names and values as received, case kept. */
      readonly headers: HeaderList;
      /** True when the reader saw `Connection: upgrade` with an `Upgrade` field. */
      readonly upgrade: boolean;
    }
  | {
      readonly kind: 'http2';
      /** Pseudo-header fields included, as received. */
      readonly headers: HeaderList;
      /** True when HEADERS carried END_STREAM: the request has no body. */
      readonly endStream: boolean;
    };

/** Length of the body as its framing announces it. `stream` is chunked (HTTP/1.1) or an unended stream without content-length (HTTP/2). */
export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'stream' };

/** Trace context (W3C Trace Context level 1): the peer's trace continued with a span of ours, or a new one. Lower-case hexadecimal. */
export type Trace = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly flags: string;
};

/**
 * The one reading of a request: what policy judges, what the record says and what is forwarded. Frozen.
 * Everything two readers could read differently was refused before this value existed.
 */
export type CanonicalRequest = {
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  /** What the call is: decides how it is forwarded and how a refusal looks. `grpc` needs HTTP/2 and `content-type: application/grpc…`. */
  readonly style: 'http' | 'grpc' | 'websocket';
  readonly method: string;
  readonly scheme: 'https' | 'http';
  /** Host and port as received, host in lower case. */
  readonly authority: string;
  /** Path and query exactly as forwarded; starts with `/` (or is `*` for OPTIONS). */
  readonly target: string;
  /** `target` up to the first `?`. */
  readonly path: string;
  /** After the first `?`, or undefined where there is none (`/a?` has the empty string). */
  readonly query: string | undefined;
  /**
   * End-to-end fields with lower-case names, in the order received, after hop-by-hop fields and fields that only we may set were
   * removed, then ours: `x-forwarded-client-cert`, `x-request-id`, `traceparent` (and `tracestate`). Holds no `host`, `connection`,
   * `transfer-encoding` or pseudo-header; `te: trailers` is kept in HTTP/2 and `upgrade: websocket` in a WebSocket handshake.
   */
  readonly headers: HeaderList;
  readonly body: BodyFraming;
  /** True when the peer waits for `100 (Continue)` (RFC 9110 section 10.1.1). */
  readonly expectContinue: boolean;
  /** The deadline that `grpc-timeout` asks for, milliseconds from receipt; undefined where there is none. */
  readonly grpcTimeoutMs: number | undefined;
  readonly trace: Trace;
};
