import type { KeyObject } from 'node:crypto';
import type { IssuedSvid } from '../../core/issuance/svid.ts';
import type { SpiffeId, TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Attestation, IssuanceFault, TrustDocument } from '../../core/model/svid.ts';

export type { IssuedSvid } from '../../core/issuance/svid.ts';

/** How often one source may ask and one ID may be issued; the state is in memory and bounded. */
export type IssuingLimits = {
  /** Counts one call; false where it is one too many. `source`: the remote address without its port. */
  readonly takeSource: (source: string) => boolean;
  /** Counts one certificate for an ID, after everything else about the call was found right but before anything is signed. */
  readonly takeId: (spiffeId: SpiffeId) => boolean;
};

/** Who showed a service account token that was refused, as far as that was found out. */
export type RefusedCaller = {
  /** Remote address. */
  readonly source: string;
  readonly account: Omit<Extract<Attestation, { readonly kind: 'kubernetes' }>, 'kind'> | undefined;
};

/** For metrics and health. Times are milliseconds since the epoch. */
export type AuthorityFigures = {
  /** Calls of `issue` since start. */
  readonly issued: number;
  readonly refused: Readonly<Partial<Record<IssuanceFault['kind'], number>>>;
  /** Certificates that have not ended and are not revoked. */
  readonly living: number;
  /** Entries of the current lists of issuing certificates. */
  readonly revoked: number;
  /** The list that is due first, and the end of the certificate that issues. */
  readonly nextUpdateMs: number;
  readonly issuerEndsMs: number;
  /** Number of the list of the CA that issues; 0 before there is one. */
  readonly crlNumber: number;
  /** Roots that are believed, with their end; `sha256` of the certificate's DER. */
  readonly roots: readonly { readonly sha256: string; readonly notAfterMs: number }[];
  /** Renewals of pods that went on without the API server having been asked, and why it could not be asked the last time. */
  readonly podsUnproven: number;
  readonly podProblem: string | undefined;
  /** Issuance records that are safe in the database and not yet in the file; and records that were lost while the database could not be written. */
  readonly recordsPending: number;
  readonly recordsLost: number;
  /** Why something that runs by itself (lists, own certificate, log file) does not, or undefined. */
  readonly problem: string | undefined;
};

/** The authority of one trust domain at work. */
export interface IssuingAuthority {
  /** Opens the store and the issuing keys, publishes lists, makes the authority's own SVID. Rejects with a text for the operator where it cannot. */
  start(): Promise<void>;
  /** Ends timers, writes what is pending of the log, closes the store. */
  stop(): Promise<void>;
  readonly trustDomain: TrustDomain;
  /**
   * Limits, request, right to the ID, certificate, store, record, in this order. One issuance record for each call, refusals too, and it is
   * on the disk before the answer is given. A join token is used up in the transaction that stores the certificate, so that a refusal for any
   * other reason leaves it usable and it can never serve twice. Where the answer is lost on its way the token is spent all the same: a new one is
   * needed. How long certificates live is configured, never asked for; the end of the issuing CA cuts it short. `source`: remote address, for log
   * and limits. Never rejects.
   */
  issue(attestation: Attestation, csr: Uint8Array, source: string): Promise<Result<IssuedSvid, IssuanceFault>>;
  /**
   * Writes a refusal that came before `issue` could be asked, such as that of a token, into the issuance log. Within the same limits of the source: what is
   * beyond them is not written. Never rejects.
   */
  noteRefusal(caller: RefusedCaller, detail: string): Promise<void>;
  /**
   * Whom to believe now: the roots (several while they overlap) and the lists of all signers that have living certificates, that of the issuing
   * CA first, those that roots signed themselves last.
   */
  trust(): TrustDocument;
  /** IDs that callers of the local Workload API may have, as configured. */
  workloads(): readonly SpiffeId[];
  /** Calls back after each change of `trust()`, changes by other processes included. Gives what ends that. */
  onTrust(listener: () => void): () => void;
  /** True while the certificate is one of ours, has not ended and is not revoked. Asks the store: what another process revoked counts at once. */
  isGood(serial: string): boolean;
  /** The authority's own SVID (for its HTTPS server), key in memory, renewed at half of its life. Throws before `start`. */
  own(): { readonly svid: IssuedSvid; readonly privateKey: KeyObject };
  figures(): AuthorityFigures;
}
