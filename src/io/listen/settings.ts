import type { Limits } from '../../core/model/limits.ts';

/** The TLS side of a listener: who we are, and what OpenSSL is told to trust as second opinion. All PEM text. */
export type TlsSettings = {
  /** Our certificate chain, leaf first. */
  readonly certificateChain: string;
  readonly privateKey: string;
  /** Roots of every trust bundle. They also become the `certificate_authorities` hint that lets a peer pick its certificate. */
  readonly trustAnchors: readonly string[];
  /** Oldest version spoken. Default of the product: TLSv1.3. */
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /**
   * Session tickets. Off by default: a resumed session shows the leaf alone and skips OpenSSL's checks, so the handler must know the chain
   * from before. Where on, ticket keys are renewed with every reload and recheck.
   */
  readonly resumption: boolean;
};

/** What every listener has. */
export type PortSettings = {
  /** Address to bind, and what connections are recorded under. */
  readonly host: string;
  /** 0 lets the system choose; `start` says which. */
  readonly port: number;
  /** As configured, for records: `0.0.0.0:8443`. */
  readonly name: string;
  readonly limits: Limits;
  /** Other threads of this process listen on the same port, and the system spreads connections over them (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean | undefined;
};

/** A listener for the agent's own calls: cleartext. */
export type PlainListenSettings = PortSettings & {
  /** Instead of `host` and `port`. */
  readonly unixSocket?: UnixSocket | undefined;
};

/** Where a unix socket is bound, and who may call: whoever may write to the file, and search its folder (unix(7), "Pathname socket ownership and permissions"). */
export type UnixSocket = { readonly path: string; readonly mode: number };

/** A listener for peers: mutual TLS. */
export type ListenSettings = PortSettings & {
  /** `http`: HTTP/1.1 and HTTP/2 by ALPN. `tcp`: the decrypted bytes are handed over after admission, no ALPN is offered. */
  readonly protocol: 'http' | 'tcp';
  readonly tls: TlsSettings;
};
