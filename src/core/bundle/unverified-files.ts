import { refuse } from './fault.ts';
import { gunzip } from './gzip.ts';
import { DEFAULT_BUNDLE_LIMITS } from './limits.ts';
import { readTar } from './tar-reader.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { Files } from './tar-reader.ts';

/** Unpacks a bundle whatever its signature says, for the tools of those who make bundles: to look into one, or to sign it again. Never what a sidecar runs. */
export function unpackUnverified(archive: Uint8Array): Result<Files, BundleFault> {
  const limits = DEFAULT_BUNDLE_LIMITS;
  if (archive.length > limits.archiveBytes)
    return refuse('too_large', `the archive has more than ${limits.archiveBytes} bytes; put less into the bundle`);
  const tar = gunzip(archive, limits.totalBytes);
  return tar.ok ? readTar(tar.value, limits) : tar;
}
