import type { DatabaseSync } from 'node:sqlite';

/** A pod that proved itself, and what the API server said of it then. */
export type ProvenPod = {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  /** As `plainAddress` writes them. */
  readonly addresses: readonly string[];
  /** When the API server said it last, milliseconds since the epoch. */
  readonly provenMs: number;
};

/** Stores a pod as it was just proven. Its names never change while its UID is the same. */
export function putPod(database: DatabaseSync, pod: ProvenPod): void {
  const { uid, namespace, name, serviceAccount, addresses, provenMs } = pod;
  const sql = `INSERT INTO pods VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (uid) DO UPDATE SET addresses = excluded.addresses, proven_at = excluded.proven_at`;
  database.prepare(sql).run(uid, namespace, name, serviceAccount, addresses.join(' '), provenMs);
}

/** What is known of a pod that proved itself; undefined for one that never did. */
export function podOf(database: DatabaseSync, uid: string): ProvenPod | undefined {
  const row = database.prepare('SELECT * FROM pods WHERE uid = ?').get(uid);
  if (row === undefined) return undefined;
  return {
    uid: String(row['uid']),
    namespace: String(row['namespace']),
    name: String(row['name']),
    serviceAccount: String(row['service_account']),
    addresses: String(row['addresses']).split(' ').filter(Boolean),
    provenMs: Number(row['proven_at']),
  };
}

/** Forgets pods that were proven last before `beforeMs`: nothing that they have is in force any more. */
export function prunePods(database: DatabaseSync, beforeMs: number): void {
  database.prepare('DELETE FROM pods WHERE proven_at < ?').run(beforeMs);
}
