import { parseSpiffeId } from '../../core/identity/spiffe-id.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { livingCertificates } from './certificate-rows.ts';
import { metaOf } from './meta-rows.ts';
import { deleteBar, insertBar, insertRevocation } from './revocation-rows.ts';
import { voidTokens } from './token-rows.ts';

import type { Clock } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore, Transaction } from './authority-store.ts';
import type { StoredCertificate, Which } from './certificate-rows.ts';
import type { BarKind } from './revocation-rows.ts';

/** What is to be revoked. */
export type RevocationRequest = {
  readonly which: Which;
  /** For the log. */
  readonly reason: string;
  /** True: the ID (of `spiffeId`) or the key (of `spkiSha256`) gets no certificate from now on, known or not, until the bar is lifted. */
  readonly bar: boolean;
};

/** What was revoked. */
export type Revocation = {
  readonly serials: readonly string[];
  readonly barred: readonly string[];
  readonly voidTokens: number;
};

/**
 * Revokes what has not ended: in force at once for whoever asks the store, and on the next list, which a running authority publishes within a
 * second. What was renewed from a certificate is revoked with it: a thief of its key may have renewed first. A revoked certificate does not renew; its
 * key is never certified again; the pod, service account or local workload that it goes back to is barred, so that it does not come back a minute
 * later. Revoking an ID also makes its open join tokens void: a new one enrols it again unless
 * the ID is barred. Refused where nothing would change, and for what nobody can be called here. The error is for the operator.
 */
export function revoke(
  store: AuthorityStore,
  { which, reason, bar }: RevocationRequest,
  { clock }: { readonly clock: Pick<Clock, 'wallMs'> },
): Result<Revocation, string> {
  const atMs = clock.wallMs();
  const named = readName(store, which);
  if (!named.ok) return named;
  const wanted = named.value;
  const written = store.write((transaction): Revocation => {
    const living = livingCertificates(transaction.database, wanted, atMs);
    const barred = living.flatMap((certificate) => revokeOne(transaction, certificate, reason, atMs));
    if (bar) barred.push(...barNamed(transaction, wanted, atMs));
    const tokens = 'spiffeId' in wanted ? voidTokens(transaction.database, wanted.spiffeId) : 0;
    return { serials: living.map(({ serial }) => serial), barred, voidTokens: tokens };
  });
  if (!written.ok) return written;
  const { serials, barred, voidTokens: tokens } = written.value;
  if (serials.length + barred.length + tokens > 0) return written;
  return err('no certificate in force, no open token, nothing to bar: there is nothing to revoke');
}

/** Lifts a bar. Refused where there is none. */
export function liftBar(
  store: AuthorityStore,
  kind: BarKind,
  value: string,
  { clock }: { readonly clock: Pick<Clock, 'wallMs'> },
): Result<void, string> {
  const lifted = store.write(({ database, record }) => {
    const wasBarred = deleteBar(database, kind, value);
    if (wasBarred) record({ event: 'unbarred', atMs: clock.wallMs(), kind, value });
    return wasBarred;
  });
  if (!lifted.ok) return lifted;
  return lifted.value ? ok(undefined) : err(`${value} is not barred`);
}

function revokeOne(transaction: Transaction, certificate: StoredCertificate, reason: string, atMs: number): string[] {
  const { serial, spiffeId, spkiSha256, bearer } = certificate;
  insertRevocation(transaction.database, serial, reason, atMs);
  transaction.record({ event: 'revoked', atMs, spiffeId, serial, reason });
  return [...bar(transaction, 'key', spkiSha256, atMs), ...bar(transaction, 'bearer', bearer, atMs)];
}

function barNamed(transaction: Transaction, which: Which, atMs: number): string[] {
  if ('spiffeId' in which) return bar(transaction, 'id', which.spiffeId, atMs);
  return 'spkiSha256' in which ? bar(transaction, 'key', which.spkiSha256, atMs) : [];
}

function bar({ database, record }: Transaction, kind: BarKind, value: string | undefined, atMs: number): string[] {
  if (value === undefined || !insertBar(database, kind, value, atMs)) return [];
  record({ event: 'barred', atMs, kind, value });
  return [value];
}

/** A name as the store has it. What can name nothing is refused: a bar on it would look like one and hold nobody back. */
function readName(store: AuthorityStore, which: Which): Result<Which, string> {
  if ('serial' in which) return ok({ serial: plainHex(which.serial).replace(/^0+/, '') });
  if ('spkiSha256' in which) {
    const spkiSha256 = plainHex(which.spkiSha256);
    return /^[0-9a-f]{64}$/.test(spkiSha256)
      ? ok({ spkiSha256 })
      : err('a key is named by 64 hexadecimal digits (SHA-256)');
  }
  const id = parseSpiffeId(which.spiffeId);
  if (!id.ok) return err(id.error.detail);
  const domain = store.read((database) => metaOf(database, 'trust_domain'));
  if (!domain.ok) return domain;
  return id.value.path !== '' && id.value.trustDomain === domain.value
    ? ok({ spiffeId: id.value.id })
    : err(`${id.value.id} is no workload of ${domain.value ?? 'any domain yet'}`);
}

/** Case and separators of a serial or a hash, as certificate tools print them, do not matter. */
function plainHex(text: string): string {
  return text.replaceAll(/[:\s]/g, '').toLowerCase();
}
