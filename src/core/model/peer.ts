import type { SpiffeId, TrustDomain } from '../kernel/brand.ts';
import type { Fault } from './faults.ts';

/** Facts of a peer's leaf certificate that policy and records may see. Hashes are lower-case hexadecimal. */
export type CertificateFacts = {
  /** Serial number, lower-case hexadecimal without leading zeros. */
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of the leaf's DER. */
  readonly sha256: string;
  /** SHA-256 of the leaf's SubjectPublicKeyInfo. */
  readonly spkiSha256: string;
  /** Issuer and subject as RFC 4514 strings. */
  readonly issuer: string;
  readonly subject: string;
  /** DNS names of the leaf, for `x-forwarded-client-cert`. */
  readonly dnsNames: readonly string[];
  /** DER of the leaf, for `attributes.source.certificate` (URL-encoded PEM). */
  readonly der: Uint8Array;
};

/** A peer whose certificate chain passed every rule at the time it was last judged. */
export type IdentifiedPeer = {
  readonly kind: 'identified';
  readonly spiffeId: SpiffeId;
  readonly trustDomain: TrustDomain;
  /** Path of the SPIFFE ID with its leading slash. */
  readonly path: string;
  readonly certificate: CertificateFacts;
  /**
   * The moment, milliseconds since the epoch, from which this verdict no longer holds: the earliest notAfter in the path, its anchor included;
   * where revocation lists are required, also the nextUpdate of those that cover it. Judge again then, or close.
   */
  readonly validUntilMs: number;
};

/** Who is on the other side of a connection. `anonymous` only where a listener asks for no certificate (the agent's own calls on loopback). */
export type Peer = IdentifiedPeer | { readonly kind: 'anonymous' } | RejectedPeer;

/** A peer that was refused; `claimedId` is what its certificate says and is proven by nothing. */
export type RejectedPeer = { readonly kind: 'rejected'; readonly fault: Fault; readonly claimedId: string | undefined };
