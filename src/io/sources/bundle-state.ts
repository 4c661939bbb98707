/** How a policy bundle does, as OPA's status API tells it (OPA documentation, "Status"). Times: milliseconds since the epoch. */
export type BundleState = {
  readonly name: string;
  readonly activeRevision: string | undefined;
  readonly type: 'snapshot' | 'delta' | undefined;
  /** Bytes of the newest archive. */
  readonly size: number | undefined;
  readonly lastRequestMs: number | undefined;
  /** Answered 200 or 304. */
  readonly lastSuccessfulRequestMs: number | undefined;
  readonly lastSuccessfulDownloadMs: number | undefined;
  readonly lastSuccessfulActivationMs: number | undefined;
  /** What is wrong with the newest attempt; undefined where nothing is. */
  readonly problem:
    | { readonly message: string; readonly errors: readonly string[]; readonly httpCode: number | undefined }
    | undefined;
};

/** Before anything happened. */
export function newBundleState(name: string): BundleState {
  return {
    name,
    activeRevision: undefined,
    type: undefined,
    size: undefined,
    lastRequestMs: undefined,
    lastSuccessfulRequestMs: undefined,
    lastSuccessfulDownloadMs: undefined,
    lastSuccessfulActivationMs: undefined,
    problem: undefined,
  };
}
