import type { ConnectionId } from '../kernel/brand.ts';

/** One end of a TCP connection. Both are undefined-free: `port` is 0 and `address` empty where the system did not say. */
export type Endpoint = { readonly address: string; readonly port: number };

/** What the TLS handshake settled; read once, when the handshake ended. */
export type TlsFacts = {
  readonly version: 'TLSv1.2' | 'TLSv1.3';
  readonly cipher: string;
  /** ALPN protocol both sides agreed on; undefined where the peer offered none. */
  readonly alpn: 'h2' | 'http/1.1' | undefined;
  /** Server name the peer asked for (RFC 6066 section 3); what a peer sends, so text to log and match, never to trust. */
  readonly sni: string | undefined;
  /** True when the session was resumed: no certificate crossed the wire on this connection. */
  readonly resumed: boolean;
};

/** A connection as plain facts; never the socket. `tls` is undefined when the handshake did not end. */
export type Connection = {
  readonly id: ConnectionId;
  /** Direction of the call as the agent sees it. */
  readonly direction: 'inbound' | 'outbound';
  /** The configured listen address that accepted it, for example `0.0.0.0:8443`. */
  readonly listener: string;
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** Wall clock, milliseconds since the epoch, when it was accepted. */
  readonly openedAtMs: number;
  readonly tls: TlsFacts | undefined;
};
