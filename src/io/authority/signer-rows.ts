import { encodePem, pemBlocks } from '../../core/identity/pem.ts';

import type { DatabaseSync } from 'node:sqlite';

/**
 * `prepared`: published, so that sidecars know it before anything under it appears; `active`: the issuing CA is under it; `retiring`: still
 * published for what it has signed; `retired`: no longer believed.
 */
export type RootState = 'prepared' | 'active' | 'retiring' | 'retired';

/** A root. Times in milliseconds since the epoch. */
export type StoredRoot = {
  readonly root: number;
  readonly der: Uint8Array;
  readonly state: RootState;
  /** Where its key was written or lies; it need not be there. */
  readonly keyReference: string;
  readonly notAfterMs: number;
  readonly addedMs: number;
  /** The list that the root itself signed, of issuing CAs that it revoked. */
  readonly crl: Uint8Array | undefined;
  readonly crlNumber: number;
};

/** A CA that issues or has issued. */
export type StoredSigner = {
  readonly signer: number;
  readonly root: number;
  /** DER, the issuing CA first, without the root; empty where the root issues itself. */
  readonly chain: readonly Uint8Array[];
  readonly state: 'active' | 'retired' | 'revoked';
  readonly keyReference: string;
  readonly notAfterMs: number;
  readonly addedMs: number;
  readonly revokedMs: number | undefined;
  /** The newest list that was stored, with its number and times; the number that was given to a list last, stored or not. */
  readonly crl: Uint8Array | undefined;
  readonly crlMadeMs: number;
  readonly crlNextUpdateMs: number;
};

/** All roots, oldest first. */
export function storedRoots(database: DatabaseSync): readonly StoredRoot[] {
  return database.prepare('SELECT * FROM roots ORDER BY root').all().map(rootOf);
}

/** All CAs that issue or have issued, oldest first. */
export function storedSigners(database: DatabaseSync): readonly StoredSigner[] {
  return database.prepare('SELECT * FROM signers ORDER BY signer').all().map(signerOf);
}

/** Grows with each change of the roots that are believed: each was added once, and is retired at most once. */
export function rootSequence(database: DatabaseSync): number {
  const sql = "SELECT count(*) + count(*) FILTER (WHERE state = 'retired') AS sequence FROM roots";
  return Number(database.prepare(sql).get()?.['sequence']);
}

export type NewRoot = Pick<StoredRoot, 'der' | 'state' | 'keyReference' | 'notAfterMs' | 'crl'>;

/** Stores a root. Gives its number. */
export function insertRoot(database: DatabaseSync, root: NewRoot, atMs: number): number {
  const { der, state, keyReference, notAfterMs, crl = null } = root;
  const sql = `INSERT INTO roots (certificate, state, key_reference, not_after, added_at, crl_number, crl)
    VALUES (?, ?, ?, ?, ?, ?, ?)`;
  const number = crl === null ? 0 : 1;
  return Number(database.prepare(sql).run(der, state, keyReference, notAfterMs, atMs, number, crl).lastInsertRowid);
}

export function setRootState(database: DatabaseSync, root: number, state: RootState): void {
  database.prepare('UPDATE roots SET state = ? WHERE root = ?').run(state, root);
}

/** Stores a list that a root signed; false where a newer one is there. */
export function storeRootCrl(database: DatabaseSync, root: number, number: number, crl: Uint8Array): boolean {
  const sql = 'UPDATE roots SET crl = ?, crl_number = ? WHERE root = ? AND crl_number < ?';
  return Number(database.prepare(sql).run(crl, number, root, number).changes) === 1;
}

export type NewSigner = Pick<StoredSigner, 'root' | 'chain' | 'keyReference' | 'notAfterMs'> & {
  /** Every list that it signs has a greater number. */
  readonly crlNumber: number;
};

/** Stores the CA that issues from now on; the one before it only signs its lists. Gives its number. */
export function insertSigner(database: DatabaseSync, signer: NewSigner, atMs: number): number {
  database.exec("UPDATE signers SET state = 'retired' WHERE state = 'active'");
  const { root, chain, keyReference, notAfterMs, crlNumber } = signer;
  const pem = chain.map((der) => encodePem('CERTIFICATE', der)).join('');
  const sql = `INSERT INTO signers (root, chain, state, key_reference, not_after, added_at, crl_number, crl_stored_number)
    VALUES (?, ?, 'active', ?, ?, ?, ?, ?)`;
  const { lastInsertRowid } = database
    .prepare(sql)
    .run(root, pem, keyReference, notAfterMs, atMs, crlNumber, crlNumber);
  return Number(lastInsertRowid);
}

/** What it has signed is no longer good. */
export function setSignerRevoked(database: DatabaseSync, signer: number, atMs: number): void {
  database.prepare("UPDATE signers SET state = 'revoked', revoked_at = ? WHERE signer = ?").run(atMs, signer);
}

/** True where what that CA signs is worth nothing. Reads no more than that: lists can be large. */
export function isRevokedSigner(database: DatabaseSync, signer: number): boolean {
  const sql =
    "SELECT 1 FROM signers JOIN roots USING (root) WHERE signer = ? AND signers.state <> 'revoked' AND roots.state <> 'retired'";
  return database.prepare(sql).get(signer) === undefined;
}

/** Takes the next number for a list of that CA. Numbers are never given twice, even where the list is never made. */
export function nextCrlNumber(database: DatabaseSync, signer: number): number {
  const sql = 'UPDATE signers SET crl_number = crl_number + 1 WHERE signer = ? RETURNING crl_number';
  return Number(database.prepare(sql).get(signer)?.['crl_number']);
}

/** Stores a list before it is published; false where a newer one was stored meanwhile. */
export function storeCrl(
  database: DatabaseSync,
  signer: number,
  list: { readonly der: Uint8Array; readonly number: number; readonly madeMs: number; readonly nextUpdateMs: number },
): boolean {
  const { der, number, madeMs, nextUpdateMs } = list;
  const sql = `UPDATE signers SET crl = ?, crl_stored_number = ?, crl_made_at = ?, crl_next_update = ?
    WHERE signer = ? AND crl_stored_number < ?`;
  const { changes } = database.prepare(sql).run(der, number, madeMs, nextUpdateMs, signer, number);
  return Number(changes) === 1;
}

function rootOf(row: Record<string, unknown>): StoredRoot {
  return {
    root: Number(row['root']),
    der: bytesOf(row['certificate']) ?? new Uint8Array(),
    state: String(row['state']) as RootState,
    keyReference: String(row['key_reference']),
    notAfterMs: Number(row['not_after']),
    addedMs: Number(row['added_at']),
    crl: bytesOf(row['crl']),
    crlNumber: Number(row['crl_number']),
  };
}

function signerOf(row: Record<string, unknown>): StoredSigner {
  const blocks = pemBlocks(String(row['chain']));
  const revoked = row['revoked_at'];
  return {
    signer: Number(row['signer']),
    root: Number(row['root']),
    chain: blocks.ok ? blocks.value.map(({ der }) => der) : [],
    state: String(row['state']) as StoredSigner['state'],
    keyReference: String(row['key_reference']),
    notAfterMs: Number(row['not_after']),
    addedMs: Number(row['added_at']),
    revokedMs: typeof revoked === 'number' ? revoked : undefined,
    crl: bytesOf(row['crl']),
    crlMadeMs: Number(row['crl_made_at']),
    crlNextUpdateMs: Number(row['crl_next_update']),
  };
}

function bytesOf(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array ? value : undefined;
}
