import { sha256Hex } from '../../core/identity/bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { keyPath } from './key-files.ts';
import { allLiving } from './certificate-rows.ts';
import { metaOf } from './meta-rows.ts';
import { storedBars } from './revocation-rows.ts';
import { rootSequence, storedRoots, storedSigners } from './signer-rows.ts';
import { openTokens } from './token-rows.ts';

import type { DatabaseSync } from 'node:sqlite';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { StoredCertificate } from './certificate-rows.ts';
import type { StoredBar } from './revocation-rows.ts';
import type { StoredRoot, StoredSigner } from './signer-rows.ts';
import type { OpenToken } from './token-rows.ts';

/** A CA as an operator sees it. Times in milliseconds since the epoch. */
export type ListedCa<State> = {
  readonly state: State;
  /** SHA-256 of its certificate, as the issuance log names it. */
  readonly sha256: string;
  readonly notAfterMs: number;
  /** Where its key was written or lies. */
  readonly key: string;
};

/** What an authority has given out and not taken back, and what it does that by. */
export type Inventory = {
  readonly trustDomain: string;
  /** Number of the present set of roots (`TrustDocument`). */
  readonly sequence: number;
  readonly roots: readonly ListedCa<StoredRoot['state']>[];
  readonly issuing: readonly ListedCa<StoredSigner['state']>[];
  readonly certificates: readonly StoredCertificate[];
  readonly tokens: readonly OpenToken[];
  readonly bars: readonly StoredBar[];
};

/** Reads it all at one moment. Retired roots, and issuing CAs that have ended, are left out. */
export function readInventory(store: AuthorityStore, atMs: number): Result<Inventory, string> {
  const read = store.read((database) => inventoryOf(database, store.folder, atMs));
  if (!read.ok) return read;
  return read.value === undefined ? err(`there is no authority in ${store.folder}`) : ok(read.value);
}

function inventoryOf(database: DatabaseSync, folder: string, atMs: number): Inventory | undefined {
  const trustDomain = metaOf(database, 'trust_domain');
  if (trustDomain === undefined) return undefined;
  const roots = storedRoots(database).filter(({ state }) => state !== 'retired');
  const known = new Set(roots.map(({ root }) => root));
  const signers = storedSigners(database).filter(({ root, notAfterMs }) => known.has(root) && notAfterMs >= atMs);
  return {
    trustDomain,
    sequence: rootSequence(database),
    roots: roots.map((root) => listed(root, root.der, folder)),
    issuing: signers.map((signer) => listed(signer, signer.chain[0], folder)),
    certificates: allLiving(database, atMs),
    tokens: openTokens(database, atMs),
    bars: storedBars(database),
  };
}

function listed<State>(
  ca: { readonly state: State; readonly notAfterMs: number; readonly keyReference: string },
  der: Uint8Array | undefined,
  folder: string,
): ListedCa<State> {
  const { state, notAfterMs, keyReference } = ca;
  return { state, sha256: der === undefined ? '' : sha256Hex(der), notAfterMs, key: keyPath(folder, keyReference) };
}
