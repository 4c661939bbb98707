import type { DatabaseSync } from 'node:sqlite';

/** Notes which certificate proved the right to a stored one; forgotten with the latter. */
export function insertRenewal(database: DatabaseSync, serial: string, renews: string): void {
  database.prepare('INSERT INTO renewals VALUES (?, ?)').run(serial, renews);
}

/**
 * A common table expression `family (member)`: the serials of the certificates whose `column` is the parameter, ended and revoked ones too, and of all
 * that was renewed from them over any number of generations. Whoever had the key of one may have gone on with it under another key.
 */
export function familyOf(column: 'serial' | 'spiffe_id' | 'spki'): string {
  return `WITH RECURSIVE family (member) AS (
    SELECT serial FROM certificates WHERE ${column} = ?
    UNION SELECT renewals.serial FROM renewals JOIN family ON renews = member)`;
}
