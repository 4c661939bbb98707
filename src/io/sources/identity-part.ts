import type { KeyObject } from 'node:crypto';
import type { SpiffeId, TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import type { Source } from './follower.ts';
import type { Problems } from './problem.ts';

/** Our certificate and its key. */
export type OwnPart = {
  /** DER, leaf first, without the root. */
  readonly chain: readonly Uint8Array[];
  /** May live in a token, and is then never to be exported. */
  readonly privateKey: KeyObject;
  /** The PEM that Node's TLS takes for a key that cannot be exported: the URI of a key in a token. Default: the key itself, as PKCS#8. */
  readonly tlsKey?: string | undefined;
};

/** One contribution to who we are and whom we believe, as it stands at one moment: full state, so what is missing is not there any more. */
export type IdentityPart = {
  /** Exactly one part of an identity brings it. One that had it and has it no more was withdrawn. */
  readonly own?: OwnPart | undefined;
  /** DER of the CA certificates of each trust domain. */
  readonly bundles: ReadonlyMap<TrustDomain, readonly Uint8Array[]>;
  /** DER of revocation lists. */
  readonly crls: readonly Uint8Array[];
  /** What an operator should mend although nothing is refused for it. */
  readonly warnings: readonly string[];
};

/** How a part tells of itself; a part calls neither before `start`, nor where nothing changed. */
export type PartWatch = {
  readonly onChange: (part: IdentityPart) => void;
  /** With what is wrong whenever that changes, and with undefined when it is over. What was told last by `onChange` stays in force. */
  readonly onProblem: (problem: Problems | undefined) => void;
};

/** A part and what it is for. The assembly makes the source, so that it hears of every change. */
export type NamedPart = {
  /** Names it in problems: `authority`, `workload-api`, `federation of partner.example`, a URL … */
  readonly name: string;
  /** No identity is in force before this part brought something: a file of ours that cannot be read must not be passed over at a start. Default false. */
  readonly required?: boolean | undefined;
  readonly create: (watch: PartWatch) => Source<IdentityPart>;
};

/** What an authority gives: a certificate for the key of the request, and whom to believe. */
export type Enrolled = {
  readonly spiffeId: string;
  /** DER, leaf first, without the root. */
  readonly chain: readonly Uint8Array[];
  readonly trust: TrustDocument;
};

/** Why an authority gave nothing. */
export type ClientFault = {
  /** `refused`: it said no, and will say so again; `unavailable`: it could not be asked, or asks us to wait; `malformed`: what it said cannot be understood. */
  readonly kind: 'refused' | 'unavailable' | 'malformed';
  readonly detail: string;
  /** Not to be asked again before, milliseconds from now (`Retry-After`). */
  readonly retryAfterMs?: number | undefined;
};

/** The authority, as the part that enrols with it needs it. Nothing of it throws or rejects. */
export interface AuthorityClient {
  /** Enrols a new key by the token, whose file is read at each call. `csr`: DER of a PKCS #10 request. */
  enrol(csr: Uint8Array): Promise<Result<Enrolled, ClientFault>>;
  /** Renews by the certificate in force, shown in mTLS. */
  renew(csr: Uint8Array, current: OwnPart): Promise<Result<Enrolled, ClientFault>>;
  /** Whom to believe now; with the revision that we hold it waits up to `waitMs` for a change (long poll). */
  trust(revision: string | undefined, waitMs: number): Promise<Result<TrustDocument | 'unchanged', ClientFault>>;
  /** DER of the roots that the authority's own certificate is verified with, from now on. */
  trustRoots(bundle: readonly Uint8Array[]): void;
  /** Ends what is under way. */
  stop(): Promise<void>;
}

/** One message of the SPIFFE Workload API (X509SVIDResponse), taken apart: full state. */
export type WorkloadUpdate = {
  readonly svids: readonly WorkloadSvid[];
  readonly crls: readonly Uint8Array[];
  readonly federated: ReadonlyMap<TrustDomain, readonly Uint8Array[]>;
};

/** One SVID of a message; `bundle` is that of its own trust domain. */
export type WorkloadSvid = {
  readonly spiffeId: SpiffeId;
  readonly chain: readonly Uint8Array[];
  readonly privateKey: KeyObject;
  readonly bundle: readonly Uint8Array[];
  readonly hint: string;
};

/** The stream of a Workload API, followed until it is stopped: reconnecting is its own business. */
export interface WorkloadApiClient {
  start(): void;
  /** Asks anew and at once, also after a fault that is not tried again by itself. */
  reload(): void;
  stop(): Promise<void>;
}

/** Makes the client of a Workload API. An update without SVIDs means that the identity was withdrawn. */
export type CreateWorkloadApiClient = (watch: {
  readonly onUpdate: (update: WorkloadUpdate) => void;
  readonly onProblem: (problem: string | undefined) => void;
}) => WorkloadApiClient;

/** A private key as it was opened. `chain`: of a file that holds certificates too (PKCS#12), leaf first, DER; empty otherwise. */
export type OpenedKey = Omit<OwnPart, 'chain'> & { readonly chain: readonly Uint8Array[] };

/**
 * Opens a private key from the bytes of its file, whatever its form (PEM, encrypted PEM, PKCS#12, the URI of a key in a PKCS#11 token). The error
 * holds nothing of the key, and not its path. Who may read the file was checked before.
 */
export type OpenKey = (path: string, bytes: Uint8Array) => Promise<Result<OpenedKey, string>>;
