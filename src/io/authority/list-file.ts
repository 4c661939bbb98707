import { join } from 'node:path';

import { encodePem } from '../../core/identity/pem.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { domainOf } from './ca-files.ts';
import { createSignerDesk } from './signer-desk.ts';
import { createTrustPublisher } from './trust-publisher.ts';
import { writeWhole } from './whole-file.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { CaDeps } from './issuing-ca.ts';

/** From one list in a file to the moment when the next is due, milliseconds: 30 days, since nobody signs it anew by himself. */
export const DEFAULT_LIST_FILE_TTL_MS = 30 * 86_400_000;

/** A file of revocation lists. */
export type ListFile = {
  readonly revocationList: string;
  readonly entries: number;
  /** Lists of CAs before the one that issues that could not be signed anew. */
  readonly problems: readonly string[];
};

/**
 * Signs the lists of the issuing CAs and writes them, with those that roots signed, to `DOMAIN.crl.pem`: all that a sidecar needs that follows files
 * and requires lists. A running authority publishes its own besides, numbered together with these. `ttlMs`: until they are due, milliseconds.
 * `issuingKey`: where the issuing key is, if not where it was written. The error is for the operator.
 */
export async function writeListFile(
  store: AuthorityStore,
  { ttlMs, issuingKey }: { readonly ttlMs: number; readonly issuingKey?: string | undefined },
  { clock, openKey }: Pick<CaDeps, 'clock' | 'openKey'>,
): Promise<Result<ListFile, string>> {
  const trustDomain = domainOf(store);
  if (!trustDomain.ok) return trustDomain;
  const desk = createSignerDesk(store, { trustDomain: trustDomain.value, issuingKey }, openKey);
  const problems = await desk.refresh(clock.wallMs());
  if (desk.active === undefined) return err(`no list can be signed: ${problems.join('; ')}`);
  const settings = { trustDomain: trustDomain.value, crlTtlMs: ttlMs, refreshHintMs: 0 };
  const publisher = createTrustPublisher(store, settings, clock);
  const unsigned = await publisher.refresh(desk.listing);
  if (unsigned.length > 0) return err(unsigned.join('; '));
  const revocationList = join(store.folder, `${trustDomain.value}.crl.pem`);
  try {
    const text = publisher.document.crls.map((der) => encodePem('X509 CRL', der)).join('');
    await writeWhole(revocationList, text, 0o644);
  } catch (error) {
    return err(error instanceof Error ? error.message : `${revocationList} cannot be written`);
  }
  return ok({ revocationList, entries: publisher.entries, problems });
}
