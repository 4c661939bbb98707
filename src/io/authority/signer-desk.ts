import { openSigner } from '../../core/issuance/ca-signer.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { isPublished } from './ca-files.ts';
import { lastEnd } from './certificate-rows.ts';
import { storedRoots, storedSigners } from './signer-rows.ts';

import type { DatabaseSync } from 'node:sqlite';
import type { CaSigner } from '../../core/issuance/ca-signer.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { OpenCaKey } from './key-files.ts';
import type { StoredRoot, StoredSigner } from './signer-rows.ts';

/** A CA whose key is open, by its number in the store. */
export type OpenedSigner = { readonly signer: number; readonly ca: CaSigner };

/** The CAs that a running authority works with. */
export interface SignerDesk {
  /**
   * The CA that issues; the last one that could be opened. A new one lets the one before go on for `leadMs`, while that may still issue: its first list has
   * to reach everybody before its first certificate does, or those who require lists refuse it.
   */
  readonly active: OpenedSigner | undefined;
  /** CAs that sign lists: the one that issues first, then those that have issued what is still in force. */
  readonly listing: readonly OpenedSigner[];
  /** True when a new CA has waited long enough; `refresh` puts it to work. */
  isDue(atMs: number): boolean;
  /** Reads the store and opens what is new. What cannot be opened is said, and what was open stays. */
  refresh(atMs: number): Promise<readonly string[]>;
}

export type SignerDeskSettings = {
  readonly trustDomain: TrustDomain;
  /** Where the key of the CA that issues lies, if not where the store says. */
  readonly issuingKey: string | undefined;
  /** How long those who follow trust may take to fetch it, milliseconds. Default 0. */
  readonly leadMs?: number;
};

export function createSignerDesk(store: AuthorityStore, settings: SignerDeskSettings, openKey: OpenCaKey): SignerDesk {
  return new Desk(store, settings, openKey);
}

class Desk implements SignerDesk {
  readonly #store: AuthorityStore;
  readonly #settings: SignerDeskSettings;
  readonly #openKey: OpenCaKey;
  /** By number: a CA's certificate and key never change under it. */
  #opened = new Map<number, CaSigner>();
  active: OpenedSigner | undefined;
  listing: readonly OpenedSigner[] = [];
  /** When the newest CA is to issue, where it does not yet. */
  #issuesFromMs = Number.POSITIVE_INFINITY;

  constructor(store: AuthorityStore, settings: SignerDeskSettings, openKey: OpenCaKey) {
    this.#store = store;
    this.#settings = settings;
    this.#openKey = openKey;
  }

  isDue(atMs: number): boolean {
    return atMs >= this.#issuesFromMs;
  }

  async refresh(atMs: number): Promise<readonly string[]> {
    const needed = this.#store.read((database) => neededSigners(database, atMs));
    if (!needed.ok) return [needed.error];
    const problems: string[] = [];
    const listing: OpenedSigner[] = [];
    for (const { stored, root } of needed.value) {
      // oxlint-disable-next-line no-await-in-loop -- a handful at most, and a token may not like two sessions at once
      const ca = await this.#open(stored, root, atMs);
      if (ca.ok) listing.push({ signer: stored.signer, ca: ca.value });
      else problems.push(`issuing CA ${stored.signer}: ${ca.error}`);
    }
    const wanted = this.#issuing(needed.value, listing, atMs);
    this.active = listing.find(({ signer }) => signer === wanted) ?? this.#lastGood(needed.value);
    this.listing = listing;
    this.#opened = new Map(listing.map(({ signer, ca }) => [signer, ca]));
    return problems;
  }

  /** Which CA is to issue: the newest, or until its list had time to reach everybody the one before, if others still live by that. */
  #issuing(needed: readonly Needed[], listing: readonly OpenedSigner[], atMs: number): number | undefined {
    const newest = needed.find(({ stored }) => stored.state === 'active')?.stored;
    const before = needed.findLast(({ stored }) => stored.state === 'retired' && stored.notAfterMs > atMs)?.stored;
    const fromMs = (newest?.addedMs ?? 0) + (this.#settings.leadMs ?? 0);
    const waits = atMs < fromMs && listing.some(({ signer }) => signer === before?.signer);
    this.#issuesFromMs = waits ? fromMs : Number.POSITIVE_INFINITY;
    return waits ? before?.signer : newest?.signer;
  }

  /** The CA that issued until now, unless it was revoked or its root retired. */
  #lastGood(needed: readonly Needed[]): OpenedSigner | undefined {
    const { active } = this;
    return needed.some(({ stored }) => stored.signer === active?.signer) ? active : undefined;
  }

  async #open(stored: StoredSigner, root: StoredRoot, atMs: number): Promise<Result<CaSigner, string>> {
    const known = this.#opened.get(stored.signer);
    if (known !== undefined) return ok(known);
    const { trustDomain, issuingKey } = this.#settings;
    const reference = stored.state === 'active' ? (issuingKey ?? stored.keyReference) : stored.keyReference;
    const privateKey = await this.#openKey(reference);
    if (!privateKey.ok) return err(privateKey.error);
    const parts = { trustDomain, chain: stored.chain, rootDer: root.der, privateKey: privateKey.value };
    const opened = await openSigner(parts, atMs);
    return opened.ok ? opened : err(`${reference}: ${opened.error}`);
  }
}

type Needed = { readonly stored: StoredSigner; readonly root: StoredRoot };

/** The CA that issues, and those with certificates in force; none that was revoked or whose root is not believed. The one that issues comes first. */
function neededSigners(database: DatabaseSync, atMs: number): readonly Needed[] {
  const roots = new Map(storedRoots(database).map((root) => [root.root, root]));
  const needed = storedSigners(database).flatMap((stored): readonly Needed[] => {
    const root = roots.get(stored.root);
    if (root === undefined || !isPublished(root) || stored.state === 'revoked') return [];
    const isInUse = stored.state === 'active' || lastEnd(database, stored.signer, atMs) !== undefined;
    return isInUse ? [{ stored, root }] : [];
  });
  return needed.toSorted((a, b) => Number(b.stored.state === 'active') - Number(a.stored.state === 'active'));
}
