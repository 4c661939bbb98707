import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { APPLICATION_ID, MIGRATIONS } from './database-schema.ts';

/** How a database is opened. */
export type DatabaseSettings = {
  readonly path: string;
  /** How long a write may wait for another process, milliseconds. The event loop stands still meanwhile: short in a service. */
  readonly busyMs: number;
  /** The database never grows beyond this, bytes; then writes fail until something was pruned. */
  readonly maxBytes: number;
};

/** Opens the database, making and migrating it as needed. Throws an error with a text for the operator where that cannot be, or may not be. */
export function openDatabase({ path, busyMs, maxBytes }: DatabaseSettings): DatabaseSync {
  ensurePrivate(path);
  const database = new DatabaseSync(path, { timeout: busyMs });
  try {
    // WAL with FULL: each commit is on the disk before it returns, and readers never wait for a writer.
    database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF',
    );
    migrate(database);
    const { page_size: pageSize } = database.prepare('PRAGMA page_size').get() as { page_size: number };
    database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / pageSize))}`);
    return database;
  } catch (error) {
    database.close();
    throw error instanceof Error ? new Error(`${path}: ${error.message}`, { cause: error }) : error;
  }
}

/**
 * Makes folder (0700) and file (0600) where they are missing. Refuses a file that anybody but its owner may read, and a folder that anybody else
 * may write to, and either where it belongs to another user but root: whoever can change what stands here gets certificates. SQLite gives the files beside the database (`-wal`, `-shm`) its mode.
 */
function ensurePrivate(path: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  refuseOpen(folder, 0o022, 'go-w');
  if (existsSync(path)) refuseOpen(path, 0o077, '0600');
  else closeSync(openSync(path, 'wx', 0o600));
}

function refuseOpen(path: string, forbidden: number, wanted: string): void {
  const stats = statSync(path);
  const mode = stats.mode & 0o777;
  if (stats.uid !== 0 && stats.uid !== (process.getuid?.() ?? stats.uid))
    throw new Error(
      `${path} belongs to another user (uid ${stats.uid}), who may change it; run as that user, or \`chown\` it`,
    );
  if ((mode & forbidden) === 0) return;
  const found = `0${mode.toString(8)}`;
  throw new Error(
    `others than its owner can get at ${path} (mode ${found}); \`chmod ${wanted} ${path}\` mends it (in a pod: take a folder below the mount, and fsGroupChangePolicy: OnRootMismatch)`,
  );
}

function migrate(database: DatabaseSync): void {
  if (takenSteps(database) === MIGRATIONS.length) return;
  // Two processes may come at once: whoever gets the lock second finds the work done.
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const step of MIGRATIONS.slice(takenSteps(database))) database.exec(step);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}; PRAGMA application_id = ${APPLICATION_ID}`);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** How many steps were taken. Throws for a database that is not ours to touch. */
function takenSteps(database: DatabaseSync): number {
  const version = pragma(database, 'user_version');
  const owner = pragma(database, 'application_id');
  if (version > 0 && owner !== APPLICATION_ID) throw new Error('is no database of an authority');
  if (version <= MIGRATIONS.length) return version;
  throw new Error(`was written by a newer version (tables ${version}, known ${MIGRATIONS.length}); use that version`);
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return (database.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[name] ?? 0;
}
