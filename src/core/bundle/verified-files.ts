import { ok } from '../kernel/result.ts';
import { refuse, show } from './fault.ts';
import { gunzip } from './gzip.ts';
import { DEFAULT_BUNDLE_LIMITS } from './limits.ts';
import { memberName } from './member-name.ts';
import { limitsOf } from './read-options.ts';
import { readTar } from './tar-reader.ts';
import { verifySignature } from './verify-signature.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { BundleLimits } from './limits.ts';
import type { ReadOptions } from './read-options.ts';
import type { Files } from './tar-reader.ts';
import type { Signer } from './verify-signature.ts';

/** Files whose names and sizes are in bounds and whose signature, if one is asked for, was verified. Their content was not looked at. */
export type VerifiedFiles = { readonly files: Files; readonly signer: Signer | undefined };

/**
 * Policies and data shrink to a fifth or a twentieth. What shrinks to less than a two-hundredth is padding, and reading megabytes of it would hold up the
 * requests of others for a few kilobytes sent.
 */
const MOST_EXPANSION = 200;
/** Bytes that may come out of any archive. */
const SURELY_UNPACKED = 16_777_216;

/** Unpacks a `.tar.gz` and verifies what is in it. */
export function unpack(archive: Uint8Array, options: ReadOptions): Result<VerifiedFiles, BundleFault> {
  const files = unpackUnverified(archive, limitsOf(options));
  return files.ok ? verified(files.value, options) : files;
}

/** Unpacks within the bounds, whatever the signature says: the half of `unpack` that tools use which look into a bundle or sign it again. Never what a sidecar runs. */
export function unpackUnverified(
  archive: Uint8Array,
  limits: BundleLimits = DEFAULT_BUNDLE_LIMITS,
): Result<Files, BundleFault> {
  if (archive.length > limits.archiveBytes)
    return refuse('too_large', `the archive has more than ${limits.archiveBytes} bytes; put less into the bundle`);
  const tar = gunzip(archive, Math.min(limits.totalBytes, Math.max(SURELY_UNPACKED, archive.length * MOST_EXPANSION)));
  return tar.ok ? readTar(tar.value, limits) : tar;
}

/** Verifies files that were read one by one: the same names and bounds as in an archive. */
export function checkFiles(files: Files, options: ReadOptions): Result<VerifiedFiles, BundleFault> {
  const fault = withinLimits(files, limitsOf(options));
  return fault.ok ? verified(files, options) : fault;
}

function withinLimits(files: Files, limits: BundleLimits): Result<void, BundleFault> {
  if (files.size > limits.members)
    return refuse('too_large', `more than ${limits.members} files; put less into the bundle`);
  let total = 0;
  for (const [path, bytes] of files) {
    total += bytes.length;
    if (memberName(path) !== path) return refuse('name_refused', show(path));
    if (bytes.length > limits.memberBytes)
      return refuse('too_large', `${show(path)} is larger than ${limits.memberBytes} bytes`);
  }
  if (total > limits.totalBytes)
    return refuse('too_large', `more than ${limits.totalBytes} bytes in all; put less into the bundle`);
  return ok(undefined);
}

function verified(files: Files, { verification, ...options }: ReadOptions): Result<VerifiedFiles, BundleFault> {
  const signer = verifySignature(files, verification, limitsOf(options).members);
  return signer.ok ? ok({ files, signer: signer.value }) : signer;
}
