/** What marks a database as one of ours (`PRAGMA application_id`): `SPCA` in ASCII. */
export const APPLICATION_ID = 0x5350_4341;

/**
 * Steps from one version of the tables to the next, in order; `PRAGMA user_version` counts those that were taken. A released step is never
 * changed. Times are milliseconds since the epoch, hashes and serials lower-case hexadecimal.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE roots (
    root INTEGER PRIMARY KEY,
    certificate BLOB NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('prepared', 'active', 'retiring', 'retired')),
    key_reference TEXT NOT NULL,
    not_after INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    crl_number INTEGER NOT NULL DEFAULT 0,
    crl BLOB
  ) STRICT;

  CREATE TABLE signers (
    signer INTEGER PRIMARY KEY,
    root INTEGER NOT NULL REFERENCES roots,
    chain TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'retired', 'revoked')),
    key_reference TEXT NOT NULL,
    not_after INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    revoked_at INTEGER,
    crl_number INTEGER NOT NULL DEFAULT 0,
    crl_stored_number INTEGER NOT NULL DEFAULT 0,
    crl BLOB,
    crl_made_at INTEGER NOT NULL DEFAULT 0,
    crl_next_update INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE UNIQUE INDEX one_active_signer ON signers (state) WHERE state = 'active';

  CREATE TABLE certificates (
    serial TEXT PRIMARY KEY,
    signer INTEGER NOT NULL REFERENCES signers,
    spiffe_id TEXT NOT NULL,
    spki TEXT,
    how TEXT NOT NULL,
    bearer TEXT,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    issued_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX certificates_by_id ON certificates (spiffe_id);
  CREATE INDEX certificates_by_key ON certificates (spki);
  CREATE INDEX certificates_by_end ON certificates (signer, not_after);

  CREATE TABLE revocations (
    serial TEXT PRIMARY KEY REFERENCES certificates ON DELETE CASCADE,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE bars (
    kind TEXT NOT NULL CHECK (kind IN ('id', 'key', 'bearer')),
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE tokens (
    hash TEXT PRIMARY KEY,
    spiffe_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'used', 'void'))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tokens_by_id ON tokens (spiffe_id);

  CREATE TABLE records (number INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT;
  `,
  `
  CREATE TABLE renewals (
    serial TEXT PRIMARY KEY REFERENCES certificates ON DELETE CASCADE,
    renews TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX renewals_by_renewed ON renewals (renews);
  `,
  `
  CREATE TABLE pods (
    uid TEXT PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    service_account TEXT NOT NULL,
    addresses TEXT NOT NULL,
    proven_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];
