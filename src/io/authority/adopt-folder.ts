import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { pemBlocks } from '../../core/identity/pem.ts';
import { parseTrustDomain } from '../../core/identity/spiffe-id.ts';
import { openSigner } from '../../core/issuance/ca-signer.ts';
import { err } from '../../core/kernel/result.ts';
import { readEvents } from './authority-log.ts';
import { writeCaFiles } from './ca-files.ts';
import { insertCertificate } from './certificate-rows.ts';
import { metaOf, setMeta } from './meta-rows.ts';
import { insertRevocation } from './revocation-rows.ts';
import { insertRoot, insertSigner } from './signer-rows.ts';

import type { DatabaseSync } from 'node:sqlite';
import type { CaSigner } from '../../core/issuance/ca-signer.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityEvent } from './authority-log.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { CaFiles } from './ca-files.ts';
import type { CaDeps } from './issuing-ca.ts';

/**
 * Makes a folder of `createAuthorityFolder` one that an authority can run on: its root issues from then on as it did before (it allows no CA below
 * it; `prepareRoot` and `activateRoot` lead to one that does), and what its log says was issued and revoked is taken over. Lists go on with greater
 * numbers. Refused where the folder has an authority already.
 */
export async function adoptAuthorityFolder(
  store: AuthorityStore,
  trustDomain: string,
  deps: CaDeps,
): Promise<Result<CaFiles, string>> {
  const keyReference = `${trustDomain}.key`;
  const found = await readFolder(store.folder, trustDomain, deps);
  if (!found.ok) return found;
  const { ca, events } = found.value;
  const atMs = deps.clock.wallMs();
  const stored = store.write(({ database }) => {
    if (metaOf(database, 'trust_domain') !== undefined) return false;
    setMeta(database, 'trust_domain', trustDomain);
    const { root: der, notAfterMs } = ca;
    const root = insertRoot(database, { der, state: 'active', keyReference, notAfterMs, crl: undefined }, atMs);
    // The folder's lists are numbered by the time in seconds.
    const crlNumber = Math.ceil(atMs / 1_000);
    const signer = insertSigner(database, { root, chain: [], keyReference, notAfterMs, crlNumber }, atMs);
    for (const event of events) importEvent(database, signer, ca, event);
    return true;
  });
  if (!stored.ok) return stored;
  if (!stored.value) return err(`${store.folder} has an authority already`);
  return writeCaFiles(store, { rootKey: keyReference, issuingKey: keyReference }, atMs);
}

type Found = { readonly ca: CaSigner; readonly events: readonly AuthorityEvent[] };

async function readFolder(folder: string, trustDomain: string, deps: CaDeps): Promise<Result<Found, string>> {
  const domain = parseTrustDomain(trustDomain);
  if (!domain.ok) return err(domain.error.detail);
  try {
    const bundle = pemBlocks(await readFile(join(folder, `${trustDomain}.pem`), 'utf8'));
    const [block, another] = bundle.ok ? bundle.value : [];
    if (block === undefined || another !== undefined) return err(`${trustDomain}.pem is not one certificate in PEM`);
    const privateKey = await deps.openKey(`${trustDomain}.key`);
    if (!privateKey.ok) return privateKey;
    const parts = { trustDomain: domain.value, chain: [], rootDer: block.der, privateKey: privateKey.value };
    const ca = await openSigner(parts, deps.clock.wallMs());
    const events = await readEvents(join(folder, `${trustDomain}.log.jsonl`));
    if (!events.ok) return events;
    return ca.ok ? { ok: true, value: { ca: ca.value, events: events.value } } : ca;
  } catch (error) {
    return err(error instanceof Error ? error.message : `${folder} cannot be read`);
  }
}

function importEvent(database: DatabaseSync, signer: number, ca: CaSigner, event: AuthorityEvent): void {
  const { serial } = event;
  const atMs = Date.parse(event.at);
  if (event.event === 'revoked') {
    insertRevocation(database, serial, 'imported', atMs);
    return;
  }
  const life = { notBeforeMs: Math.max(atMs, ca.notBeforeMs), notAfterMs: Date.parse(event.notAfter) };
  const unknown = { spkiSha256: undefined, bearer: undefined };
  insertCertificate(database, { serial, signer, spiffeId: event.id, how: 'imported', ...unknown, ...life }, atMs);
}
