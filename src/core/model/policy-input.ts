/**
 * The document that policies see as `input`: the OPA-Envoy v3 document, plus one key of ours. JSON values only; absent parts are absent, not null.
 * Its one builder is `core/gate/input.ts`; `policies/schemas/input.json` describes it.
 */
export type PolicyInput = {
  readonly attributes: {
    readonly source: PolicyPeer;
    readonly destination: PolicyPeer;
    readonly request?: {
      readonly time: { readonly seconds: number; readonly nanos: number };
      readonly http: PolicyHttp;
    };
    readonly tlsSession?: { readonly sni: string };
    readonly contextExtensions?: Readonly<Record<string, string>>;
    readonly metadataContext: Readonly<Record<string, unknown>>;
  };
  readonly version: { readonly ext_authz: 'v3'; readonly encoding: 'protojson' };
  readonly parsed_path?: readonly string[];
  readonly parsed_query?: Readonly<Record<string, readonly string[]>>;
  /** Built only where the policy reads it; null for content types that have no reading. */
  readonly parsed_body?: unknown;
  readonly truncated_body?: boolean;
  /** The caller's SPIFFE ID (as OPA-Envoy sets it from XFCC): the peer's inbound, our own outbound; absent when there is none. */
  readonly source_principal?: string;
  readonly sallyport: SallyportInput;
};

/** `attributes.source` and `attributes.destination`. */
export type PolicyPeer = {
  readonly address: { readonly socketAddress: { readonly address: string; readonly portValue: number } };
  readonly principal?: string;
  /** URL-encoded PEM of the leaf. */
  readonly certificate?: string;
};

/** `attributes.request.http`. */
export type PolicyHttp = {
  readonly id: string;
  readonly method: string;
  /** With the query, exactly as forwarded. */
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  /** Lower-case names; duplicates joined with `,`; `:authority`, `:method`, `:path`, `:scheme` included. */
  readonly headers: Readonly<Record<string, string>>;
  /** Body length as announced; -1 when unknown. */
  readonly size: number;
  /** Present only where the policy reads it and the body was collected. */
  readonly body?: string;
};

/** `input.sallyport`: what OPA-Envoy has no place for. */
export type SallyportInput = {
  readonly direction: 'inbound' | 'outbound';
  /** What is decided on: one request, or a connection whose bytes are forwarded unread (TCP). */
  readonly subject: 'request' | 'connection';
  /** The other side. Outbound: who it has to be, where that is one ID; there is no connection yet, so nothing of a certificate. */
  readonly peer: {
    readonly spiffe_id?: string;
    readonly trust_domain?: string;
    readonly path?: string;
    readonly certificate?: {
      readonly serial: string;
      /** RFC 3339, UTC. */
      readonly not_before: string;
      readonly not_after: string;
      readonly sha256: string;
      readonly spki_sha256: string;
      readonly issuer: string;
    };
    readonly resumed: boolean;
  };
  readonly connection: {
    readonly id: string;
    readonly tls_version?: string;
    readonly alpn?: string;
    readonly sni?: string;
  };
  readonly agent: { readonly spiffe_id?: string; readonly listener: string };
  /** Outbound only: where the call goes, and who may be there. `name` as configured; `host` and `port` are dialled. */
  readonly destination?: {
    readonly name: string;
    readonly host: string;
    readonly port: number;
    readonly spiffe_ids: readonly string[];
  };
};
