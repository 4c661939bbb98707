import { err } from '../kernel/result.ts';

import type { Result } from '../kernel/result.ts';

/** Why bytes are no usable bundle. */
export type BundleFaultCode =
  /** Not gzip, or damaged (RFC 1952). */
  | 'gzip_malformed'
  /** Not a tar archive of the accepted form (POSIX.1-2001 pax, ustar, GNU long names). */
  | 'tar_malformed'
  /** A member that is neither file nor folder. */
  | 'member_refused'
  /** A name that leaves the bundle, or that two readers could read differently. */
  | 'name_refused'
  /** Two members of one name. */
  | 'name_duplicate'
  | 'too_large'
  | 'manifest_invalid'
  | 'data_invalid'
  /** More than one module, or one that is not `policy.wasm`. */
  | 'module_refused'
  | 'signature_unverifiable'
  | 'delta_unsupported';

/** One reason to refuse a bundle; `detail` is for the operator. */
export type BundleFault = { readonly code: BundleFaultCode; readonly detail: string };

/** Makes a failed result. */
export function refuse(code: BundleFaultCode, detail: string): Result<never, BundleFault> {
  return err({ code, detail });
}
