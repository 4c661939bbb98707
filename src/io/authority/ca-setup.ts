import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { sha256Hex } from '../../core/identity/bytes.ts';
import { parseTrustDomain } from '../../core/identity/spiffe-id.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { writeCaFiles } from './ca-files.ts';
import { LIST_MARGIN_MS, makeIssuingCa, makeRootList, putToWork } from './issuing-ca.ts';
import { metaOf, setMeta } from './meta-rows.ts';
import { makeRoot } from './new-root.ts';
import { insertRoot, storedRoots, storedSigners } from './signer-rows.ts';

import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { CaFiles } from './ca-files.ts';
import type { CaDeps, IssuingRequest } from './issuing-ca.ts';
import type { NewRootRequest } from './new-root.ts';

/** A trust domain that can be the beginning of a file's name in the folder of its authority, and leads nowhere else. */
export function domainForFiles(text: string): Result<TrustDomain, string> {
  const domain = parseTrustDomain(text);
  if (!domain.ok) return err(domain.error.detail);
  const isHidden = domain.value.startsWith('.');
  return isHidden ? err(`${text} would make files that nobody sees: a name begins with no dot`) : domain;
}

/**
 * The authority of the folder, left as it is, with its files written again where they were missing: undefined where the folder has none. Refused where it is that of another
 * trust domain.
 */
export async function presentAuthority(
  store: AuthorityStore,
  trustDomain: string,
  { clock }: Pick<CaDeps, 'clock'>,
): Promise<Result<CaFiles | undefined, string>> {
  const found = store.read((database) => ({
    domain: metaOf(database, 'trust_domain'),
    root: storedRoots(database).findLast(({ state }) => state === 'active'),
    signer: storedSigners(database).findLast(({ state }) => state === 'active'),
  }));
  if (!found.ok) return found;
  const { domain, root, signer } = found.value;
  if (domain === undefined) return ok(undefined);
  if (domain !== trustDomain) return err(`${store.folder} is the authority of ${domain}, not of ${trustDomain}`);
  const keys = { rootKey: root?.keyReference ?? '', issuingKey: signer?.keyReference ?? '' };
  return writeCaFiles(store, keys, clock.wallMs());
}

/** Makes the authority of a trust domain: a root, an issuing CA below it, the root's list, the state. Refused where the folder has one. */
export async function initAuthority(
  store: AuthorityStore,
  wanted: { readonly trustDomain: string; readonly root: NewRootRequest; readonly issuing: IssuingRequest },
  deps: CaDeps,
): Promise<Result<CaFiles, string>> {
  const domain = domainForFiles(wanted.trustDomain);
  if (!domain.ok) return domain;
  const trustDomain = domain.value;
  const present = store.read((database) => metaOf(database, 'trust_domain'));
  if (!present.ok) return present;
  if (present.value !== undefined) return err(`${store.folder} is the authority of ${present.value} already`);
  const bundle = join(store.folder, `${trustDomain}.pem`);
  if (existsSync(bundle)) return err(`${bundle} is there already, of another authority; choose another folder`);
  const made = await makeRoot(store, trustDomain, wanted.root, deps);
  if (!made.ok) return made;
  const { signer, row } = made.value;
  const ca = await makeIssuingCa(store, signer, wanted.issuing, deps);
  if (!ca.ok) return ca;
  const list = await makeRootList(signer, [], 1, ca.value.notAfterMs + LIST_MARGIN_MS, deps);
  if (!list.ok) return list;
  const atMs = deps.clock.wallMs();
  const stored = store.write((transaction) => {
    const { database, record } = transaction;
    if (metaOf(database, 'trust_domain') !== undefined) return false;
    setMeta(database, 'trust_domain', trustDomain);
    const root = insertRoot(database, { ...row, state: 'active', crl: undefined }, atMs);
    record({ event: 'root-added', atMs, sha256: sha256Hex(signer.root) });
    return putToWork(transaction, {
      root,
      ca: ca.value,
      rootList: { der: list.value, number: 1 },
      revoked: undefined,
      atMs,
    });
  });
  if (!stored.ok) return stored;
  if (!stored.value) return err(`${store.folder} became the authority of somebody else just now`);
  return writeCaFiles(store, { rootKey: row.keyReference, issuingKey: ca.value.keyReference }, atMs);
}
