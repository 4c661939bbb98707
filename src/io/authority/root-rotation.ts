import { sha256Hex } from '../../core/identity/bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { domainOf, rootIn, writeCaFiles } from './ca-files.ts';
import { lastLivingEnd } from './certificate-rows.ts';
import { LIST_MARGIN_MS, makeIssuingCa, makeRootList, openRoot, putToWork, signersBelow } from './issuing-ca.ts';
import { makeRoot } from './new-root.ts';
import { insertRoot, setRootState, storedRoots, storedSigners } from './signer-rows.ts';

import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore, Transaction } from './authority-store.ts';
import type { CaFiles } from './ca-files.ts';
import type { CaDeps, IssuingRequest } from './issuing-ca.ts';
import type { NewRootRequest } from './new-root.ts';
import type { StoredRoot } from './signer-rows.ts';

/**
 * Has the active root sign a new issuing CA, which issues as soon as its list had time to arrive everywhere (`SignerDesk.active`); the old one still signs
 * its lists until what it issued has ended.
 * `rootKey`: where the root's key is, if not where it was written. `revokeOld`: the old one's key is in wrong hands; all that it issued is worth
 * nothing from now on.
 */
export async function renewIssuing(
  store: AuthorityStore,
  wanted: { readonly issuing: IssuingRequest; readonly rootKey?: string | undefined; readonly revokeOld: boolean },
  deps: CaDeps,
): Promise<Result<CaFiles, string>> {
  const root = rootIn(store, 'active');
  return root.ok ? issueUnder(store, root.value, wanted, deps) : root;
}

/** Makes the next root and publishes it beside the present one. Nothing is issued under it until `activateRoot`. */
export async function prepareRoot(
  store: AuthorityStore,
  wanted: NewRootRequest,
  deps: CaDeps,
): Promise<Result<Pick<CaFiles, 'trustBundle' | 'rootKey'>, string>> {
  const trustDomain = domainOf(store);
  if (!trustDomain.ok) return trustDomain;
  if (rootIn(store, 'prepared').ok) return err('a root is prepared already; activate it, or retire it first');
  const made = await makeRoot(store, trustDomain.value, wanted, deps);
  if (!made.ok) return made;
  const { signer, row } = made.value;
  const list = await makeRootList(signer, [], 1, signer.notAfterMs, deps);
  if (!list.ok) return list;
  const atMs = deps.clock.wallMs();
  const stored = store.write(({ database, record }) => {
    insertRoot(database, { ...row, state: 'prepared', crl: list.value }, atMs);
    record({ event: 'root-added', atMs, sha256: sha256Hex(signer.root) });
  });
  if (!stored.ok) return stored;
  return writeCaFiles(store, { rootKey: row.keyReference, issuingKey: row.keyReference }, atMs);
}

/** What a root that becomes active is told. */
export type Activation = CaFiles & {
  /** Set where sidecars may not have heard of the root yet: what it issues would be refused by them. */
  readonly warning: string | undefined;
};

/**
 * Puts the prepared root to work: an issuing CA under it issues as soon as its list had time to arrive everywhere, and the root before it is published until it is retired. Every
 * sidecar should have fetched the bundle before: `overlapMs` is how long that may take (half of a leaf's life, at which all of them ask), and
 * activating earlier gives a warning.
 */
export async function activateRoot(
  store: AuthorityStore,
  wanted: { readonly issuing: IssuingRequest; readonly rootKey?: string | undefined; readonly overlapMs: number },
  deps: CaDeps,
): Promise<Result<Activation, string>> {
  const root = rootIn(store, 'prepared');
  if (!root.ok) return root;
  const readyMs = root.value.addedMs + wanted.overlapMs;
  const early = deps.clock.wallMs() < readyMs;
  const files = await issueUnder(store, root.value, { ...wanted, revokeOld: false }, deps);
  if (!files.ok) return files;
  const warning = early
    ? `not every sidecar may know the new root before ${new Date(readyMs).toISOString()}; until then some may refuse what it issues`
    : undefined;
  return ok({ ...files.value, warning });
}

/**
 * Takes the roots that are no longer active out of the bundle: what is left under them is refused by every sidecar from then on. Refused while
 * certificates under them have not ended, unless forced. A root that was prepared and never used goes with `prepared`.
 */
export async function retireRoot(
  store: AuthorityStore,
  wanted: { readonly state: 'retiring' | 'prepared'; readonly force: boolean },
  { clock }: { readonly clock: Pick<Clock, 'wallMs'> },
): Promise<Result<Pick<CaFiles, 'trustBundle'> & { readonly retired: number }, string>> {
  const atMs = clock.wallMs();
  const stored = store.write(({ database, record }): Result<number, string> => {
    const roots = storedRoots(database).filter(({ state }) => state === wanted.state);
    const untilMs = Math.max(0, ...roots.map((root) => lastEndUnder(database, root, atMs)));
    if (untilMs > 0 && !wanted.force) {
      return err(
        `what it issued is in use until ${new Date(untilMs).toISOString()}; wait, or force it and cut everybody off`,
      );
    }
    for (const root of roots) {
      setRootState(database, root.root, 'retired');
      record({ event: 'root-retired', atMs, sha256: sha256Hex(root.der) });
    }
    return roots.length === 0 ? err(`there is no ${wanted.state} root`) : ok(roots.length);
  });
  if (!stored.ok) return stored;
  if (!stored.value.ok) return stored.value;
  const files = await writeCaFiles(store, { rootKey: '', issuingKey: '' }, atMs);
  return files.ok ? ok({ trustBundle: files.value.trustBundle, retired: stored.value.value }) : files;
}

/** When the last certificate under a root ends that is in force; 0 where none is left. */
function lastEndUnder(database: DatabaseSync, { root }: StoredRoot, atMs: number): number {
  const below = storedSigners(database).filter((signer) => signer.root === root && signer.state !== 'revoked');
  return Math.max(0, ...below.map(({ signer }) => lastLivingEnd(database, signer, atMs) ?? 0));
}

async function issueUnder(
  store: AuthorityStore,
  root: StoredRoot,
  wanted: { readonly issuing: IssuingRequest; readonly rootKey?: string | undefined; readonly revokeOld: boolean },
  deps: CaDeps,
): Promise<Result<CaFiles, string>> {
  const trustDomain = domainOf(store);
  if (!trustDomain.ok) return trustDomain;
  const signer = await openRoot(trustDomain.value, root, wanted.rootKey, deps);
  if (!signer.ok) return signer;
  const before = signersBelow(store, root.root);
  if (!before.ok) return before;
  const ca = await makeIssuingCa(store, signer.value, wanted.issuing, deps);
  if (!ca.ok) return ca;
  const atMs = deps.clock.wallMs();
  const revoked = wanted.revokeOld ? before.value.find(({ state }) => state === 'active') : undefined;
  const below = before.value.map((one) => (one === revoked ? { ...one, revokedMs: atMs } : one));
  const number = root.crlNumber + 1;
  const list = await makeRootList(signer.value, below, number, ca.value.notAfterMs + LIST_MARGIN_MS, deps);
  if (!list.ok) return list;
  const stored = store.write((transaction) => {
    const isFirst = putToWork(transaction, {
      root: root.root,
      ca: ca.value,
      rootList: { der: list.value, number },
      revoked,
      atMs,
    });
    if (isFirst && root.state === 'prepared') activate(transaction, root, atMs);
    return isFirst;
  });
  if (!stored.ok) return stored;
  if (!stored.value) return err('another process changed the same root just now; look, and try again');
  const keys = { rootKey: wanted.rootKey ?? root.keyReference, issuingKey: ca.value.keyReference };
  return writeCaFiles(store, keys, atMs);
}

function activate({ database, record }: Transaction, root: StoredRoot, atMs: number): void {
  for (const other of storedRoots(database))
    if (other.state === 'active') setRootState(database, other.root, 'retiring');
  setRootState(database, root.root, 'active');
  record({ event: 'root-activated', atMs, sha256: sha256Hex(root.der) });
}
