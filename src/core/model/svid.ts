import type { SpiffeId, TrustDomain } from '../kernel/brand.ts';

/** An X509-SVID as it is handed around: what a peer needs to see, without the key. */
export type Svid = {
  readonly spiffeId: SpiffeId;
  /** DER, leaf first, then intermediates; the root is not in it. */
  readonly chain: readonly Uint8Array[];
};

/** Whom to believe, as one authority or one endpoint tells it at one moment. */
export type TrustDocument = {
  /** Changes whenever anything else in it does. */
  readonly revision: string;
  /** DER of the CA certificates of each trust domain; a domain that is missing is not believed any more. */
  readonly bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>;
  /** DER of revocation lists. */
  readonly crls: readonly Uint8Array[];
  /** How soon to ask again, milliseconds (SPIFFE Trust Domain and Bundle 4.1.3 `spiffe_refresh_hint`); undefined where it was not said. */
  readonly refreshHintMs: number | undefined;
  /** Grows with each change of the roots, and with nothing else (SPIFFE Trust Domain and Bundle 4.1.2 `spiffe_sequence`); undefined where it was not said. */
  readonly sequence?: number | undefined;
};

/** How a caller of the authority proved that it may have an ID. Each kind has been verified by whoever made the value. */
export type Attestation =
  /** A one-time token as it came; the authority checks and uses it up. */
  | { readonly kind: 'join-token'; readonly token: string }
  /** A service account token that the API server's TokenReview accepted, for our audience. */
  | {
      readonly kind: 'kubernetes';
      readonly namespace: string;
      readonly serviceAccount: string;
      readonly pod:
        | {
            readonly name: string;
            readonly uid: string;
            /** Its addresses, where the API server was asked and said that it lives, and that this service account is its own; undefined where nobody asked. */
            readonly addresses?: readonly string[] | undefined;
          }
        | undefined;
    }
  /** The caller's present certificate, shown in mTLS and judged by identity's rules just now; `serial` as in `CertificateFacts`. */
  | { readonly kind: 'certificate'; readonly spiffeId: SpiffeId; readonly serial: string }
  /** A local caller of the Workload API, whom the socket's mode let in. */
  | { readonly kind: 'workload'; readonly spiffeId: SpiffeId }
  /** Whoever can write the authority's own folder and open its keys: a person at its command line, who says life and further names too. */
  | {
      readonly kind: 'operator';
      readonly spiffeId: SpiffeId;
      /** Milliseconds. */
      readonly ttlMs: number;
      readonly dnsNames: readonly string[];
      readonly ipAddresses: readonly string[];
    };

/** Why the authority did not issue. `kind` is stable and written to the issuance log; `detail` is for the operator only. */
export type IssuanceFault = {
  readonly kind:
    /** The request is not one: bytes, form, version. */
    | 'csr_malformed'
    /** The signature of the request is not by its own key: no possession (RFC 2986 4.2). */
    | 'csr_signature_invalid'
    /** The key is of a kind or size that is not accepted, or known to be anybody's. */
    | 'csr_key_refused'
    /** It asks for what the caller may not have: to be a CA, or another name. */
    | 'csr_asks_for_more'
    /** Token unknown, used, expired; service account token refused; certificate unknown, revoked or expired. */
    | 'caller_refused'
    /** Whether the caller still is who it was proven to be cannot be found out now, and the last proof is too old. */
    | 'proof_unavailable'
    /** The caller is known but may not have this ID. */
    | 'id_refused'
    | 'lifetime_refused'
    /** Too many requests of this source or for this ID. */
    | 'rate_limited'
    /** What was built would be refused by our own gate. */
    | 'certificate_refused'
    /** The issuing certificate has ended, or its key cannot be used. */
    | 'issuer_unavailable'
    /** The store could not be written: nothing was given out. */
    | 'store_unavailable';
  readonly detail: string;
};
