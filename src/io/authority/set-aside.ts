import { existsSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { err, ok } from '../../core/kernel/result.ts';
import { DATABASE_FILE, openAuthorityStore } from './authority-store.ts';
import { domainOf } from './ca-files.ts';
import { LOG_FILE } from './issuance-log.ts';

import type { Result } from '../../core/kernel/result.ts';

/**
 * Moves an authority out of the way, into a folder beside its files: state, log, bundle, lists, and the keys that it made in its folder. Nothing is
 * deleted, so that a mistake can be undone. What it issued stays where it is. Refused while anybody has the state open. Gives the folder; undefined
 * where there was nothing to move. `trustDomain`: whose files to look for where there is no state.
 */
export async function setAside(
  folder: string,
  trustDomain: string,
  atMs: number,
): Promise<Result<string | undefined, string>> {
  const domain = servedIn(folder) ?? trustDomain;
  if (existsSync(join(folder, DATABASE_FILE)) && !closeForGood(join(folder, DATABASE_FILE)))
    return err(`${folder} is in use; end what runs on it (\`sallyport ca serve\`), and try again`);
  try {
    const names = existsSync(folder) ? await readdir(folder) : [];
    const own = names.filter((name) => isOwn(name, domain));
    if (own.length === 0) return ok(undefined);
    const aside = join(folder, `replaced-${new Date(atMs).toISOString().replaceAll(/[:.]/g, '-')}`);
    await mkdir(aside, { mode: 0o700 });
    // The state first: without it there is no authority here, whatever else happens.
    const order = own.toSorted((a, b) => Number(b === DATABASE_FILE) - Number(a === DATABASE_FILE));
    // oxlint-disable-next-line no-await-in-loop -- in this order
    for (const name of order) await rename(join(folder, name), join(aside, name));
    return ok(aside);
  } catch (error) {
    return err(error instanceof Error ? error.message : `${folder} cannot be changed`);
  }
}

function servedIn(folder: string): string | undefined {
  if (!existsSync(join(folder, DATABASE_FILE))) return undefined;
  const store = openAuthorityStore(folder);
  try {
    const domain = domainOf(store);
    return domain.ok ? domain.value : undefined;
  } finally {
    store.close();
  }
}

/** Ends the journal of a database that nobody else has open, so that its file alone is all of it; false where somebody has. */
function closeForGood(path: string): boolean {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    const row = database.prepare('PRAGMA journal_mode = DELETE').get();
    return row?.['journal_mode'] === 'delete';
  } catch {
    return false;
  } finally {
    database.close();
  }
}

function isOwn(name: string, domain: string): boolean {
  if ([DATABASE_FILE, LOG_FILE].includes(name)) return true;
  if (!name.startsWith(`${domain}.`)) return false;
  const rest = name.slice(domain.length + 1);
  return ['pem', 'crl.pem', 'key', 'log.jsonl'].includes(rest) || /^(?:root|issuing)-[0-9a-f]{8}\.key$/.test(rest);
}
