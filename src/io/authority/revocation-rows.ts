import type { DatabaseSync } from 'node:sqlite';

/** What can be barred from getting certificates: an ID, a key (SHA-256 of its SubjectPublicKeyInfo), a bearer (see `StoredCertificate`). */
export type BarKind = 'id' | 'key' | 'bearer';

/** Revokes a stored certificate; nothing changes where it is revoked already. */
export function insertRevocation(database: DatabaseSync, serial: string, reason: string, atMs: number): void {
  database.prepare('INSERT OR IGNORE INTO revocations VALUES (?, ?, ?)').run(serial, atMs, reason);
}

/** One entry of a revocation list. */
export type Revoked = { readonly serial: string; readonly atMs: number };

/** What the list of a signer has to say: its revoked certificates that ended after `endedAfterMs`. */
export function revokedOf(database: DatabaseSync, signer: number, endedAfterMs: number): readonly Revoked[] {
  const sql = `SELECT serial, at FROM revocations JOIN certificates USING (serial)
    WHERE signer = ? AND not_after >= ? ORDER BY at, serial`;
  const rows = database.prepare(sql).all(signer, endedAfterMs);
  return rows.map((row) => ({ serial: String(row['serial']), atMs: Number(row['at']) }));
}

/** Bars it; false where it was barred already. */
export function insertBar(database: DatabaseSync, kind: BarKind, value: string, atMs: number): boolean {
  return Number(database.prepare('INSERT OR IGNORE INTO bars VALUES (?, ?, ?)').run(kind, value, atMs).changes) > 0;
}

/** Lifts a bar; false where there was none. */
export function deleteBar(database: DatabaseSync, kind: BarKind, value: string): boolean {
  return Number(database.prepare('DELETE FROM bars WHERE kind = ? AND value = ?').run(kind, value).changes) > 0;
}

/** A bar with when it was put up, milliseconds since the epoch. */
export type StoredBar = { readonly kind: BarKind; readonly value: string; readonly atMs: number };

export function storedBars(database: DatabaseSync): readonly StoredBar[] {
  const rows = database.prepare('SELECT kind, value, at FROM bars ORDER BY kind, value').all();
  return rows.map((row) => ({
    kind: String(row['kind']) as BarKind,
    value: String(row['value']),
    atMs: Number(row['at']),
  }));
}

export function isBarred(database: DatabaseSync, kind: BarKind, value: string): boolean {
  return database.prepare('SELECT 1 FROM bars WHERE kind = ? AND value = ?').get(kind, value) !== undefined;
}
