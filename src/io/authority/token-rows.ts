import type { DatabaseSync } from 'node:sqlite';

/** What the store knows of a join token. Times in milliseconds since the epoch. */
export type StoredToken = {
  readonly spiffeId: string;
  readonly expiresMs: number;
  readonly state: 'open' | 'used' | 'void';
};

export function insertToken(
  database: DatabaseSync,
  token: { readonly hash: string; readonly spiffeId: string; readonly expiresMs: number },
  atMs: number,
): void {
  const sql = 'INSERT INTO tokens (hash, spiffe_id, created_at, expires_at) VALUES (?, ?, ?, ?)';
  database.prepare(sql).run(token.hash, token.spiffeId, atMs, token.expiresMs);
}

export function tokenOf(database: DatabaseSync, hash: string): StoredToken | undefined {
  const row = database.prepare('SELECT spiffe_id, expires_at, state FROM tokens WHERE hash = ?').get(hash);
  if (row === undefined) return undefined;
  const state = String(row['state']) as StoredToken['state'];
  return { spiffeId: String(row['spiffe_id']), expiresMs: Number(row['expires_at']), state };
}

/** A token that somebody may still enrol with. Of the token itself nothing is known but its hash. */
export type OpenToken = { readonly hash: string; readonly spiffeId: string; readonly expiresMs: number };

export function openTokens(database: DatabaseSync, atMs: number): readonly OpenToken[] {
  const sql = `SELECT hash, spiffe_id, expires_at FROM tokens WHERE state = 'open' AND expires_at > ?
    ORDER BY spiffe_id, expires_at`;
  const rows = database.prepare(sql).all(atMs);
  return rows.map((row) => ({
    hash: String(row['hash']),
    spiffeId: String(row['spiffe_id']),
    expiresMs: Number(row['expires_at']),
  }));
}

/** Uses up an open token; false where it was not open any more. */
export function useToken(database: DatabaseSync, hash: string): boolean {
  const sql = "UPDATE tokens SET state = 'used' WHERE hash = ? AND state = 'open'";
  return Number(database.prepare(sql).run(hash).changes) === 1;
}

/** Makes all open tokens of an ID worthless. Gives how many there were. */
export function voidTokens(database: DatabaseSync, spiffeId: string): number {
  const sql = "UPDATE tokens SET state = 'void' WHERE spiffe_id = ? AND state = 'open'";
  return Number(database.prepare(sql).run(spiffeId).changes);
}

/** Forgets tokens that expired before `beforeMs`. */
export function pruneTokens(database: DatabaseSync, beforeMs: number): void {
  database.prepare('DELETE FROM tokens WHERE expires_at < ?').run(beforeMs);
}
