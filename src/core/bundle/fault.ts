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
  /** `policy.wasm` or `plan.json` is not the one that the manifest's `metadata.sallyport` was written for. */
  | 'plan_not_of_module'
  | SignatureFaultCode
  | SequenceFaultCode
  | DeltaFaultCode;

/** What can be wrong with a signature, or with the key to check it with. */
export type SignatureFaultCode =
  /** A key is configured and the bundle is not signed. */
  | 'signature_missing'
  /** The bundle is signed and no key is configured: whoever signed it expects that someone looks. */
  | 'signature_unexpected'
  /** `.signatures.json`, its token or what the token says is not of the form that OPA documents. */
  | 'signature_malformed'
  /** The token was not signed with the key. */
  | 'signature_invalid'
  | 'signature_key_unknown'
  /** A key that is none, not of its algorithm's kind, or too weak. */
  | 'signature_key_refused'
  /** An algorithm that is not supported, or not that of the configured key. */
  | 'signature_algorithm_refused'
  | 'signature_scope_mismatch'
  | 'signature_hash_algorithm_refused'
  | 'signature_hash_mismatch'
  /** Listed in the signature and not in the bundle. */
  | 'signature_file_missing'
  /** In the bundle and not listed in the signature. */
  | 'signature_file_unlisted';

/** Why a bundle may not replace the one in force. */
export type SequenceFaultCode = 'sequence_older' | 'sequence_missing' | 'sequence_reused';

/** What can be wrong with a delta bundle. */
export type DeltaFaultCode =
  /** A delta where a whole bundle is needed. */
  | 'delta_unexpected'
  /** No operations: OPA takes such a bundle for a whole one without data, and wipes all. */
  | 'delta_empty'
  | 'delta_invalid'
  /** Made for other roots, another module or another sequence than the bundle in force has. */
  | 'delta_not_of_snapshot'
  /** An operation on a place that does not exist, or cannot hold a value. */
  | 'delta_target_missing';

/** One reason to refuse a bundle; `detail` (where, what, why, what to try) is for the operator. */
export type BundleFault = { readonly code: BundleFaultCode; readonly detail: string };

/** Makes a failed result. */
export function refuse(code: BundleFaultCode, detail: string): Result<never, BundleFault> {
  return err({ code, detail });
}

/** A name or text from a bundle as the operator may safely see it in a terminal. */
export function show(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
