import { createHash } from 'node:crypto';

import { makeCrl } from '../../core/issuance/crl.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { isPublished } from './ca-files.ts';
import { revokedOf } from './revocation-rows.ts';
import { nextCrlNumber, rootSequence, storeCrl, storedRoots, storedSigners } from './signer-rows.ts';

import type { DatabaseSync } from 'node:sqlite';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import type { Clock } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { Revoked } from './revocation-rows.ts';
import type { OpenedSigner } from './signer-desk.ts';

export type PublisherSettings = {
  readonly trustDomain: TrustDomain;
  /** From one list to the moment when the next is due, milliseconds. */
  readonly crlTtlMs: number;
  /** How soon sidecars should ask again, milliseconds. */
  readonly refreshHintMs: number;
};

/** What is published, and makes it: lists signed when something was revoked, and in time before they are due. */
export interface TrustPublisher {
  readonly document: TrustDocument;
  readonly entries: number;
  readonly nextUpdateMs: number;
  /** Number of the newest list of a CA; 0 where there is none. */
  numberOf(signer: number): number;
  /** True when a list has passed half of its life, or the clock was set back to before it was made. */
  isDue(atMs: number): boolean;
  /** Signs the lists that have to change, stores them, and takes up what the store says then. Gives what went wrong; what was published stays. */
  refresh(listing: readonly OpenedSigner[]): Promise<readonly string[]>;
}

export function createTrustPublisher(
  store: AuthorityStore,
  settings: PublisherSettings,
  clock: Pick<Clock, 'wallMs' | 'monotonicMs'>,
): TrustPublisher {
  return new Publisher(store, settings, clock);
}

/** What is known of the list of one CA. */
type Listed = {
  readonly number: number;
  readonly said: string;
  readonly entries: number;
  readonly madeMs: number;
  readonly nextUpdateMs: number;
};

class Publisher implements TrustPublisher {
  readonly #store: AuthorityStore;
  readonly #settings: PublisherSettings;
  readonly #clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  #listed = new Map<number, Listed>();
  document: TrustDocument;

  constructor(store: AuthorityStore, settings: PublisherSettings, clock: Pick<Clock, 'wallMs' | 'monotonicMs'>) {
    this.#store = store;
    this.#settings = settings;
    this.#clock = clock;
    this.document = documentOf({ roots: [], crls: [], sequence: 0 }, settings);
  }

  get entries(): number {
    return [...this.#listed.values()].reduce((sum, { entries }) => sum + entries, 0);
  }

  get nextUpdateMs(): number {
    return Math.min(...[...this.#listed.values()].map(({ nextUpdateMs }) => nextUpdateMs));
  }

  numberOf(signer: number): number {
    return this.#listed.get(signer)?.number ?? 0;
  }

  isDue(atMs: number): boolean {
    return [...this.#listed.values()].some((list) => isDue(list, atMs));
  }

  async refresh(listing: readonly OpenedSigner[]): Promise<readonly string[]> {
    const problems: string[] = [];
    for (const opened of listing) {
      // oxlint-disable-next-line no-await-in-loop -- one signature after the other: a token may not like two at once
      const done = await this.#list(opened);
      if (!done.ok) problems.push(`revocation list of issuing CA ${opened.signer}: ${done.error}`);
    }
    const signers = listing.map(({ signer }) => signer);
    this.#listed = new Map([...this.#listed].filter(([signer]) => signers.includes(signer)));
    const read = this.#store.read((database) => publishedIn(database, signers));
    if (!read.ok) return [...problems, read.error];
    this.document = documentOf(read.value, this.#settings);
    return problems;
  }

  /** Signs a new list where the present one does not say what it should, or is due. Its number and content are taken in one transaction. */
  async #list({ signer, ca }: OpenedSigner): Promise<Result<void, string>> {
    const nowMs = this.#clock.wallMs();
    const { crlTtlMs: ttlMs } = this.#settings;
    // A certificate stays on the list until after it has ended, so that the last list that matters has it (RFC 5280 3.3).
    const endedAfterMs = nowMs - 2 * ttlMs;
    const wanted = this.#store.read((database) => saidBy(revokedOf(database, signer, endedAfterMs)));
    if (!wanted.ok) return wanted;
    const listed = this.#listed.get(signer);
    if (listed !== undefined && listed.said === wanted.value && !isDue(listed, nowMs)) return ok(undefined);
    const taken = this.#store.write(({ database }) => ({
      number: nextCrlNumber(database, signer),
      revoked: revokedOf(database, signer, endedAfterMs),
    }));
    if (!taken.ok) return taken;
    const { number, revoked } = taken.value;
    const der = await makeCrl(ca, { revoked, number, ttlMs }, { clock: this.#clock });
    if (!der.ok) return err(der.error);
    const list = { der: der.value, number, madeMs: nowMs, nextUpdateMs: nowMs + ttlMs };
    // Where another process stored a newer one meanwhile, that is published.
    const stored = this.#store.write(({ database }) => storeCrl(database, signer, list));
    if (!stored.ok) return stored;
    this.#listed.set(signer, { said: saidBy(revoked), entries: revoked.length, ...list });
    return ok(undefined);
  }
}

function isDue({ madeMs, nextUpdateMs }: Listed, atMs: number): boolean {
  return atMs < madeMs || atMs >= (madeMs + nextUpdateMs) / 2;
}

function saidBy(revoked: readonly Revoked[]): string {
  const hash = createHash('sha256');
  for (const { serial } of revoked) hash.update(`${serial} `);
  return hash.digest('hex');
}

type Published = {
  readonly roots: readonly Uint8Array[];
  readonly crls: readonly Uint8Array[];
  readonly sequence: number;
};

/** The lists of the CAs in question, in that order, then those that roots signed themselves. */
function publishedIn(database: DatabaseSync, listing: readonly number[]): Published {
  const stored = new Map(storedSigners(database).map(({ signer, crl }) => [signer, crl]));
  const roots = storedRoots(database).filter(isPublished);
  const crls = [...listing.map((signer) => stored.get(signer)), ...roots.map(({ crl }) => crl)];
  return {
    roots: roots.map(({ der }) => der),
    crls: crls.filter((crl) => crl !== undefined),
    sequence: rootSequence(database),
  };
}

function documentOf(
  { roots, crls, sequence }: Published,
  { trustDomain, refreshHintMs }: PublisherSettings,
): TrustDocument {
  const hash = createHash('sha256').update(`${roots.length} ${refreshHintMs} ${sequence} `);
  for (const der of [...roots, ...crls]) hash.update(createHash('sha256').update(der).digest());
  const revision = hash.digest('hex').slice(0, 32);
  return Object.freeze({ revision, bundles: new Map([[trustDomain, roots]]), crls, refreshHintMs, sequence });
}
