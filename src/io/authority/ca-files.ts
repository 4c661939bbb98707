import { join } from 'node:path';

import { encodePem } from '../../core/identity/pem.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { moveRecordsToLog } from './issuance-log.ts';
import { keyPath } from './key-files.ts';
import { metaOf } from './meta-rows.ts';
import { storedRoots } from './signer-rows.ts';
import { writeWhole } from './whole-file.ts';

import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { RootState, StoredRoot } from './signer-rows.ts';

/** Files that an operator should know of. */
export type CaFiles = { readonly trustBundle: string; readonly rootKey: string; readonly issuingKey: string };

/** The trust domain of a store, or that there is none. */
export function domainOf(store: AuthorityStore): Result<TrustDomain, string> {
  const found = store.read((database) => metaOf(database, 'trust_domain'));
  if (!found.ok) return found;
  if (found.value === undefined)
    return err(`there is no authority in ${store.folder}; \`sallyport ca init\` makes one`);
  return ok(found.value as TrustDomain);
}

/** The newest root in that state. */
export function rootIn(store: AuthorityStore, state: RootState): Result<StoredRoot, string> {
  const found = store.read((database) => storedRoots(database).findLast((root) => root.state === state));
  if (!found.ok) return found;
  return found.value === undefined ? err(`there is no ${state} root`) : ok(found.value);
}

/** True for a root that is believed now. */
export function isPublished({ state }: Pick<StoredRoot, 'state'>): boolean {
  return state !== 'retired';
}

/**
 * After CAs changed: writes the roots of now to `DOMAIN.pem`, for sidecars that begin with a file, and the records to the log. The state is in
 * the database already: what fails here is made good by the next change, or by a running authority.
 */
export async function writeCaFiles(
  store: AuthorityStore,
  keys: { readonly rootKey: string; readonly issuingKey: string },
  atMs: number,
): Promise<Result<CaFiles, string>> {
  const trustDomain = domainOf(store);
  if (!trustDomain.ok) return trustDomain;
  const roots = store.read((database) => storedRoots(database).filter(isPublished));
  if (!roots.ok) return roots;
  const trustBundle = join(store.folder, `${trustDomain.value}.pem`);
  try {
    await writeWhole(trustBundle, roots.value.map(({ der }) => encodePem('CERTIFICATE', der)).join(''), 0o644);
  } catch (error) {
    return err(error instanceof Error ? error.message : `${trustBundle} cannot be written`);
  }
  const moved = moveRecordsToLog(store, atMs);
  if (!moved.ok) return moved;
  const { rootKey, issuingKey } = keys;
  return ok({ trustBundle, rootKey: keyPath(store.folder, rootKey), issuingKey: keyPath(store.folder, issuingKey) });
}
