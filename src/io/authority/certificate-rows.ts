import { familyOf } from './renewal-rows.ts';

import type { DatabaseSync } from 'node:sqlite';
import type { Method } from './issuance-record.ts';

/** A certificate that was issued. Hashes and serials as in `CertificateFacts`, times in milliseconds since the epoch. */
export type StoredCertificate = {
  readonly serial: string;
  readonly signer: number;
  readonly spiffeId: string;
  /** SHA-256 of its public key. */
  readonly spkiSha256: string;
  readonly how: Method;
  /** Who it goes back to, where that may ask again by itself: a pod, a service account, a local workload. Renewals inherit it. */
  readonly bearer: string | undefined;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

/** Stores a certificate. Throws SQLite's constraint error where the serial was ever used before. */
export function insertCertificate(database: DatabaseSync, certificate: StoredCertificate, atMs: number): void {
  const { serial, signer, spiffeId, spkiSha256, how, bearer = null, notBeforeMs, notAfterMs } = certificate;
  database
    .prepare('INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(serial, signer, spiffeId, spkiSha256, how, bearer, notBeforeMs, notAfterMs, atMs);
}

/** Of a certificate: known and not revoked, nor the CA that signed it, and under a root that is believed. Those that have ended count too. */
const STANDING = `
  FROM certificates JOIN signers USING (signer) JOIN roots USING (root) LEFT JOIN revocations USING (serial)
  WHERE revocations.at IS NULL AND signers.state <> 'revoked' AND roots.state <> 'retired'`;

const COLUMNS = 'serial, signer, spiffe_id, spki, how, bearer, not_before, certificates.not_after';

/** The certificate with that serial while it is neither unknown, nor ended, nor revoked. */
export function livingCertificate(database: DatabaseSync, serial: string, atMs: number): StoredCertificate | undefined {
  const sql = `SELECT ${COLUMNS} ${STANDING} AND serial = ? AND certificates.not_after >= ?`;
  const row = database.prepare(sql).get(serial, atMs);
  return row === undefined ? undefined : certificateOf(row);
}

/** Which certificates: one, all of an ID, all of a key (SHA-256 of its SubjectPublicKeyInfo). */
export type Which = { readonly serial: string } | { readonly spiffeId: string } | { readonly spkiSha256: string };

/** The certificates in question, and what was renewed from them, that have not ended and are not revoked. */
export function livingCertificates(database: DatabaseSync, which: Which, atMs: number): readonly StoredCertificate[] {
  const [column, value] =
    'serial' in which
      ? (['serial', which.serial] as const)
      : 'spiffeId' in which
        ? (['spiffe_id', which.spiffeId] as const)
        : (['spki', which.spkiSha256] as const);
  const sql = `${familyOf(column)} SELECT ${COLUMNS} ${STANDING} AND serial IN family AND certificates.not_after >= ?`;
  return database.prepare(sql).all(value, atMs).map(certificateOf);
}

/** All that have not ended and are not revoked, by ID and the order in which they end. */
export function allLiving(database: DatabaseSync, atMs: number): readonly StoredCertificate[] {
  const sql = `SELECT ${COLUMNS} ${STANDING} AND certificates.not_after >= ? ORDER BY spiffe_id, certificates.not_after, serial`;
  return database.prepare(sql).all(atMs).map(certificateOf);
}

/** Certificates in force for the authority's own ID that it did not make for itself: whoever has one can pass for it. */
export function countImpostors(database: DatabaseSync, ownId: string, atMs: number): number {
  const sql = `SELECT count(*) AS impostors ${STANDING} AND spiffe_id = ? AND how <> 'own' AND certificates.not_after >= ?`;
  return Number(database.prepare(sql).get(ownId, atMs)?.['impostors']);
}

export function countLiving(database: DatabaseSync, atMs: number): number {
  const sql = `SELECT count(*) AS living ${STANDING} AND certificates.not_after >= ?`;
  return Number(database.prepare(sql).get(atMs)?.['living']);
}

/** The end of the last certificate of a signer that ends after `atMs`; undefined where there is none. */
export function lastEnd(database: DatabaseSync, signer: number, atMs: number): number | undefined {
  const sql = 'SELECT max(not_after) AS ends FROM certificates WHERE signer = ? AND not_after >= ?';
  const ends = database.prepare(sql).get(signer, atMs)?.['ends'];
  return typeof ends === 'number' ? ends : undefined;
}

/** The same of those that are in force: what was revoked is refused already, and keeps nothing waiting. */
export function lastLivingEnd(database: DatabaseSync, signer: number, atMs: number): number | undefined {
  const sql = `SELECT max(certificates.not_after) AS ends ${STANDING} AND signer = ? AND certificates.not_after >= ?`;
  const ends = database.prepare(sql).get(signer, atMs)?.['ends'];
  return typeof ends === 'number' ? ends : undefined;
}

/** Forgets certificates (and their revocations) that ended before `beforeMs`: the log has them, and their serials are not made again by chance. */
export function pruneCertificates(database: DatabaseSync, beforeMs: number, limit: number): number {
  const sql = `DELETE FROM certificates WHERE serial IN (SELECT serial FROM certificates WHERE not_after < ? LIMIT ?)`;
  return Number(database.prepare(sql).run(beforeMs, limit).changes);
}

function certificateOf(row: Record<string, unknown>): StoredCertificate {
  return {
    serial: String(row['serial']),
    signer: Number(row['signer']),
    spiffeId: String(row['spiffe_id']),
    spkiSha256: String(row['spki']),
    how: String(row['how']) as StoredCertificate['how'],
    bearer: textOrNone(row['bearer']),
    notBeforeMs: Number(row['not_before']),
    notAfterMs: Number(row['not_after']),
  };
}

function textOrNone(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
