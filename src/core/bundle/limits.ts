/** Bounds on a bundle. OPA's own only bound is 1 GiB a file; a policy that must fit into tens of megabytes needs no more than these. */
export type BundleLimits = {
  /** Bytes of the `.tar.gz`. */
  readonly archiveBytes: number;
  /** Bytes after decompression, headers included. */
  readonly totalBytes: number;
  /** Bytes of one member. */
  readonly memberBytes: number;
  /** Members, folders included. */
  readonly members: number;
};

export const DEFAULT_BUNDLE_LIMITS: BundleLimits = Object.freeze({
  archiveBytes: 67_108_864,
  totalBytes: 268_435_456,
  memberBytes: 134_217_728,
  members: 10_000,
});
