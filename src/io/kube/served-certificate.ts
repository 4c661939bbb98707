/** What a server shows, PEM. The key is for its TLS context only. */
export type ServedCertificate = {
  readonly certificate: string;
  readonly privateKey: string;
  /** Milliseconds since the epoch. */
  readonly notAfterMs: number;
};

/** Where a server's certificate comes from, and is replaced while it runs. */
export interface ServingSource {
  start(): void;
  stop(): Promise<void>;
  /** The last good one; undefined until there was one that clients believe. */
  current(): ServedCertificate | undefined;
  /** What is wrong, for the operator; undefined where nothing is. */
  readonly problem: string | undefined;
  /** True while the API server is known to believe what is served; undefined where that is not ours to say. */
  readonly trusted: boolean | undefined;
  onChange(listener: (certificate: ServedCertificate) => void): () => void;
}
