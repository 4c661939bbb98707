import { GENESIS, sealLine } from '../../core/record/chain.ts';
import { noticeLine } from '../../core/record/notice.ts';
import { encodeIssuanceRecord } from './issuance-record.ts';
import { metaOf, setMeta } from './meta-rows.ts';

import type { DatabaseSync } from 'node:sqlite';
import type { IssuanceRecord } from './issuance-record.ts';

/** Adds a record to the chain. It waits in the table until it is in the file. */
export function appendRecord(database: DatabaseSync, record: IssuanceRecord): void {
  const { line, hash } = sealLine(encodeIssuanceRecord(record), headOf(database));
  append(database, line, hash);
}

/** Says in the chain that records are missing which could not be stored; `last`: the last of them. */
export function appendLost(database: DatabaseSync, records: number, last: IssuanceRecord, atMs: number): void {
  const prev = headOf(database);
  // The chain goes on as if the last missing record stood there, so that the same notice is never mistaken for another.
  const next = sealLine(encodeIssuanceRecord(last), prev).hash;
  append(database, noticeLine({ kind: 'lost', records }, { prev, next }, atMs).line, next);
}

/** A record that is in the database and not yet known to be in the file. */
export type PendingRecord = { readonly number: number; readonly line: string };

/** The oldest records that wait for the file, in order. */
export function pendingRecords(database: DatabaseSync, limit: number): readonly PendingRecord[] {
  const rows = database.prepare('SELECT number, line FROM records ORDER BY number LIMIT ?').all(limit);
  return rows.map((row) => ({ number: Number(row['number']), line: String(row['line']) }));
}

export function countPending(database: DatabaseSync): number {
  return Number(database.prepare('SELECT count(*) AS pending FROM records').get()?.['pending']);
}

/** Forgets what is in the file, up to that number. */
export function forgetRecords(database: DatabaseSync, number: number): void {
  database.prepare('DELETE FROM records WHERE number <= ?').run(number);
}

function headOf(database: DatabaseSync): string {
  return metaOf(database, 'log_head') ?? GENESIS;
}

function append(database: DatabaseSync, line: string, next: string): void {
  database.prepare('INSERT INTO records (line) VALUES (?)').run(line);
  setMeta(database, 'log_head', next);
}
