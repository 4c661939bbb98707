/**
 * Where allowed requests go, as `upstream:` of a listener says it.
 * `http1` is `http://host:port`, `h2c` is `h2c://` (HTTP/2 with prior knowledge, RFC 9113 section 3.3), `auto` is `auto://` (gRPC and HTTP/2 calls
 * over h2c, the rest over HTTP/1.1, both on the same port), `http1-unix` is `http+unix:///path`, `tcp` is `tcp://` (bytes, after the connection's decision).
 */
export type Upstream =
  | {
      readonly kind: 'http1' | 'h2c' | 'auto' | 'tcp';
      /** Host name or address; an IPv6 address without brackets. */
      readonly host: string;
      readonly port: number;
    }
  | {
      readonly kind: 'http1-unix';
      /** Path of the socket. */
      readonly path: string;
    };
