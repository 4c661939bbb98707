import { join } from 'node:path';

import { err, ok } from '../../core/kernel/result.ts';
import { openDatabase } from './database.ts';
import { appendRecord } from './record-rows.ts';

import type { DatabaseSync } from 'node:sqlite';
import type { Result } from '../../core/kernel/result.ts';
import type { IssuanceRecord } from './issuance-record.ts';

/** How a store is opened; both have defaults fit for a service. */
export type StoreSettings = {
  /** How long a write waits for another process, milliseconds; the event loop stands still meanwhile. Default 500. */
  readonly busyMs?: number | undefined;
  /** Largest size of the database, bytes. Default 4 GiB. */
  readonly maxBytes?: number | undefined;
};

/** What a transaction may do. */
export type Transaction = {
  readonly database: DatabaseSync;
  /** Puts a record into the issuance log, with all else that the transaction writes or not at all. */
  readonly record: (record: IssuanceRecord) => void;
};

/**
 * The state of an authority: one folder with a database and the log. Everything that is given out was stored by a transaction that is on the
 * disk; several processes may use the folder at once.
 */
export interface AuthorityStore {
  readonly folder: string;
  /** Reads at one moment. The error is SQLite's text. */
  read<T>(action: (database: DatabaseSync) => T): Result<T, string>;
  /** All or nothing, and on the disk when it returns. Nothing else writes meanwhile. */
  write<T>(action: (transaction: Transaction) => T): Result<T, string>;
  /** True when another process, or another store of this one, has written since the last call. */
  changedElsewhere(): boolean;
  close(): void;
}

/** Name of the database within the folder of an authority. */
export const DATABASE_FILE = 'authority.db';

const BUSY_MS = 500;
const MAX_BYTES = 4 * 1024 ** 3;

/** Opens the store of a folder, made where it is missing. Throws an error with a text for the operator (a start-up fault). */
export function openAuthorityStore(folder: string, settings: StoreSettings = {}): AuthorityStore {
  const { busyMs = BUSY_MS, maxBytes = MAX_BYTES } = settings;
  return new Store(folder, openDatabase({ path: join(folder, DATABASE_FILE), busyMs, maxBytes }));
}

class Store implements AuthorityStore {
  readonly folder: string;
  readonly #database: DatabaseSync;
  #version: number;

  constructor(folder: string, database: DatabaseSync) {
    this.folder = folder;
    this.#database = database;
    this.#version = this.#dataVersion();
  }

  read<T>(action: (database: DatabaseSync) => T): Result<T, string> {
    return this.#transact('BEGIN', () => action(this.#database));
  }

  write<T>(action: (transaction: Transaction) => T): Result<T, string> {
    const database = this.#database;
    // IMMEDIATE: what is read within it is still true when it is written.
    return this.#transact('BEGIN IMMEDIATE', () =>
      action({ database, record: (record) => appendRecord(database, record) }),
    );
  }

  changedElsewhere(): boolean {
    const version = this.#dataVersion();
    const changed = version !== this.#version;
    this.#version = version;
    return changed;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #transact<T>(begin: string, action: () => T): Result<T, string> {
    const database = this.#database;
    if (!database.isOpen) return err('the store is closed');
    try {
      database.exec(begin);
      const value = action();
      database.exec('COMMIT');
      return ok(value);
    } catch (error) {
      // Full disk, read-only or locked: whatever it was, nothing of it stays.
      if (database.isTransaction) database.exec('ROLLBACK');
      if (isOfSqlite(error)) return err(error.message);
      throw error;
    }
  }

  /** Changes with each commit of another connection (SQLite, `PRAGMA data_version`). */
  #dataVersion(): number {
    return (this.#database.prepare('PRAGMA data_version').get() as { data_version: number }).data_version;
  }
}

function isOfSqlite(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_SQLITE');
}
