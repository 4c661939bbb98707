/** A bundle as a status report tells it. Times: milliseconds since the epoch. */
export type BundleStatus = {
  readonly name: string;
  readonly activeRevision: string | undefined;
  readonly type: 'snapshot' | 'delta' | undefined;
  readonly size: number | undefined;
  readonly lastRequestMs: number | undefined;
  readonly lastSuccessfulRequestMs: number | undefined;
  readonly lastSuccessfulDownloadMs: number | undefined;
  readonly lastSuccessfulActivationMs: number | undefined;
  readonly problem:
    | { readonly message: string; readonly errors: readonly string[]; readonly httpCode: number | undefined }
    | undefined;
};

/** A part of the process: `NOT_READY` before it did its work for the first time, `ERROR` while it cannot. */
export type PartStatus = { readonly state: 'OK' | 'NOT_READY' | 'ERROR'; readonly message?: string | undefined };

export type StatusFacts = {
  readonly labels: Readonly<Record<string, string>>;
  readonly bundle: BundleStatus;
  /** What is wrong with uploading records; undefined where nothing is, or nothing is uploaded. */
  readonly decisionLogs: { readonly code: string; readonly message: string } | undefined;
  readonly parts: Readonly<Record<string, PartStatus>>;
};

/** The document that OPA's own status plugin posts (OPA documentation, "Status"), as far as we have such facts. */
export function statusDocument({ labels, bundle, decisionLogs, parts }: StatusFacts): unknown {
  return {
    labels,
    bundles: { [bundle.name]: bundleDocument(bundle) },
    ...(decisionLogs !== undefined && { decision_logs: decisionLogs }),
    plugins: parts,
  };
}

function bundleDocument(bundle: BundleStatus): unknown {
  const { problem } = bundle;
  return {
    name: bundle.name,
    active_revision: bundle.activeRevision,
    last_request: time(bundle.lastRequestMs),
    last_successful_request: time(bundle.lastSuccessfulRequestMs),
    last_successful_download: time(bundle.lastSuccessfulDownloadMs),
    last_successful_activation: time(bundle.lastSuccessfulActivationMs),
    type: bundle.type,
    size: bundle.size,
    ...(problem !== undefined && {
      code: 'bundle_error',
      message: problem.message,
      errors: problem.errors,
      ...(problem.httpCode !== undefined && { http_code: problem.httpCode }),
    }),
  };
}

/** RFC 3339, in UTC. */
function time(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
