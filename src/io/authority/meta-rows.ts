import type { DatabaseSync } from 'node:sqlite';

/** Facts of an authority that stand alone. `log_head`: what `prev` of the next record must be. */
export type MetaName = 'trust_domain' | 'log_head';

/** A fact; undefined before it was set. */
export function metaOf(database: DatabaseSync, name: MetaName): string | undefined {
  const row = database.prepare('SELECT value FROM meta WHERE name = ?').get(name);
  return row === undefined ? undefined : String(row['value']);
}

export function setMeta(database: DatabaseSync, name: MetaName, value: string): void {
  const sql = 'INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value';
  database.prepare(sql).run(name, value);
}
