import type { IdentityOutput } from './identity-section.ts';

/** The roots that an authority is checked with at the first contact: the path of their file, or their PEM. */
export type FirstRoots =
  | { readonly trustBundle: string; readonly trustBundlePem?: undefined }
  | { readonly trustBundle?: undefined; readonly trustBundlePem: string };

/** How an authority is reached, and what it is checked with. */
export type AuthorityAccess = Readonly<Omit<NonNullable<IdentityOutput['authority']>, 'trustBundle'>> & FirstRoots;
type Federation = IdentityOutput['federation'][string];

/** Whom this agent believes, wherever its own certificate comes from. */
export type TrustSettings = {
  /** Trust domain to path. */
  readonly trustBundles: Readonly<Record<string, string>>;
  /** Trust domain to bundle endpoint. */
  readonly federation: Readonly<Record<string, Readonly<Federation>>>;
  /** Paths. */
  readonly revocationLists: readonly string[];
  readonly revocationListUrls: readonly string[];
  readonly requireRevocationLists: boolean;
  /** Folder for what was fetched. */
  readonly persist?: string | undefined;
};

/** The identity of this agent, from files. A PKCS#12 file is both `certificate` and `privateKey`. */
export type IdentityFiles = TrustSettings & {
  readonly source: 'files';
  readonly certificate: string;
  readonly privateKey: string;
  readonly passphrase: string | undefined;
};

/** Where the identity of this agent comes from, and whom it believes. */
export type IdentitySettings =
  | IdentityFiles
  | (TrustSettings & {
      readonly source: 'authority';
      readonly authority: AuthorityAccess;
      /** Of the key in `authority.keep`. */
      readonly passphrase: string | undefined;
    })
  | (TrustSettings & {
      readonly source: 'workload-api';
      readonly workloadApi: Readonly<NonNullable<IdentityOutput['workloadApi']>>;
    });

/** True for a file that holds certificate and key together. */
export function isPkcs12(path: string): boolean {
  return /\.(?:p12|pfx)$/i.test(path);
}

/** The union of sources; `crossChecks` made sure that what a source needs is there. */
export function toIdentity(output: IdentityOutput): IdentitySettings {
  const { trustBundles, federation, revocationLists, requireRevocationLists, persist } = output;
  const trust: TrustSettings = {
    trustBundles,
    federation,
    revocationLists: revocationLists.flatMap((list) => (list.kind === 'path' ? [list.path] : [])),
    revocationListUrls: revocationLists.flatMap((list) => (list.kind === 'http' ? [list.url] : [])),
    requireRevocationLists,
    ...(persist !== undefined && { persist }),
  };
  const { source, authority, workloadApi = {}, privateKey = '', certificate = privateKey, passphrase } = output;
  if (source === 'authority' && authority !== undefined) {
    const { trustBundle, ...access } = authority;
    return { ...trust, source, authority: { ...access, ...firstRoots(trustBundle) }, passphrase };
  }
  if (source === 'workload-api') return { ...trust, source, workloadApi };
  return { ...trust, source: 'files', certificate, privateKey, passphrase };
}

function firstRoots(place: NonNullable<IdentityOutput['authority']>['trustBundle']): FirstRoots {
  return place.kind === 'pem' ? { trustBundlePem: place.pem } : { trustBundle: place.path };
}
