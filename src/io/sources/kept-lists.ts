import { issuerOfList, listsInForce, listsMissingIn, withoutRollback } from '../../core/identity/newest-lists.ts';

/** Lists that stay though their file holds them no more. */
const MAX_KEPT = 16;

/** The lists to go on with, and what the operator has to know of those that were passed over or are missing. */
export type KeptLists = { readonly crls: readonly Uint8Array[]; readonly warnings: readonly string[] };

/**
 * What of `next`, the lists that files hold now, takes the place of `held`, those in force: nobody who was revoked is good again because a file was
 * overwritten with an older list (RFC 5280 5.2.3) or with that of somebody else. An older one is passed over; one that is gone stays until its next update.
 */
export function keepLists(held: readonly Uint8Array[], next: readonly Uint8Array[], atMs: number): KeptLists {
  const { crls, problems } = withoutRollback(held, next);
  const kept = listsInForce(listsMissingIn(crls, held), atMs).slice(0, MAX_KEPT);
  return { crls: [...crls, ...kept], warnings: [...problems, ...kept.map(keptWarning)] };
}

function keptWarning(der: Uint8Array): string {
  return `the revocation list of ${issuerOfList(der)} is in no file any more; the last one stays until its next update, or a restart`;
}
