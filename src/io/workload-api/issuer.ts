import type { KeyObject } from 'node:crypto';
import type { SpiffeId } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { TrustDocument } from '../../core/model/svid.ts';

/** An X509-SVID with its key, made for one caller. */
export type ServedSvid = {
  /** DER, leaf first, without the root. */
  readonly chain: readonly Uint8Array[];
  /** Must be exportable: the protocol hands it over. */
  readonly privateKey: KeyObject;
  readonly notAfterMs: number;
};

/** Why there is no SVID. `refused`: this ID is not to be had, and asking again does not help; `unavailable`: later perhaps. `detail` is for the operator. */
export type IssuerRefusal = { readonly kind: 'refused' | 'unavailable'; readonly detail: string };

/** What the server serves: the authority in this process, or an identity that it got from elsewhere. */
export interface WorkloadIssuer {
  /** The identities of whoever can open the socket, the default one first. May change; `onTrust` tells. */
  identities(): readonly { readonly spiffeId: SpiffeId; readonly hint: string }[];
  /** A new key and certificate, at each call. Never rejects. */
  svid(spiffeId: SpiffeId): Promise<Result<ServedSvid, IssuerRefusal>>;
  trust(): TrustDocument;
  /** Calls `listener` whenever `trust` or `identities` gives something else; what it returns ends that. */
  onTrust(listener: () => void): () => void;
}
