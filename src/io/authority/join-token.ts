import { createHash } from 'node:crypto';

import { parseSpiffeId } from '../../core/identity/spiffe-id.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { metaOf } from './meta-rows.ts';
import { isBarred } from './revocation-rows.ts';
import { insertToken } from './token-rows.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { IssuanceDeps } from '../../core/issuance/deps.ts';
import type { AuthorityStore } from './authority-store.ts';

/** How a token begins, so that people and secret scanners know one where they see it. */
const PREFIX = 'sp1_';

/** The whole form: 256 random bits in base64url. */
const FORM = /^sp1_[A-Za-z0-9_-]{43}$/;

const TOKEN_BYTES = 32;

/** Longest life of a token, milliseconds: a week. */
export const MAX_TOKEN_TTL_MS = 7 * 86_400_000;

/** Digits of its hash by which the log names a token. */
const LABEL_DIGITS = 12;

/** A token as its maker sees it, once. */
export type JoinToken = { readonly token: string; readonly spiffeId: string; readonly expiresMs: number };

/**
 * Makes a join token: it enrols one caller, once, for one ID, until it expires (`ttlMs`, 1 s to a week). Only its hash is kept. Refused for an
 * ID of another trust domain, without path, or barred. The error is for the operator.
 */
export function createJoinToken(
  store: AuthorityStore,
  wanted: { readonly spiffeId: string; readonly ttlMs: number },
  deps: IssuanceDeps,
): Result<JoinToken, string> {
  const id = parseSpiffeId(wanted.spiffeId);
  if (!id.ok) return err(id.error.detail);
  if (id.value.path === '') return err('an ID without path names a trust domain, not a workload');
  if (!(wanted.ttlMs >= 1_000 && wanted.ttlMs <= MAX_TOKEN_TTL_MS)) return err('a token lives from a second to a week');
  const nowMs = deps.clock.wallMs();
  const spiffeId = id.value.id;
  const token = `${PREFIX}${deps.random(TOKEN_BYTES).toBase64({ alphabet: 'base64url', omitPadding: true })}`;
  const made = { token, spiffeId, expiresMs: nowMs + wanted.ttlMs };
  const hash = createHash('sha256').update(token).digest('hex');
  const stored = store.write(({ database, record }): Result<JoinToken, string> => {
    const domain = metaOf(database, 'trust_domain');
    if (domain !== id.value.trustDomain)
      return err(`the ID is of ${id.value.trustDomain}, the authority of ${domain ?? 'no domain yet'}`);
    if (isBarred(database, 'id', spiffeId))
      return err(`${spiffeId} is barred; \`sallyport ca unbar --id ${spiffeId}\` lifts that`);
    insertToken(database, { hash, ...made }, nowMs);
    record({ event: 'token-made', atMs: nowMs, spiffeId, token: tokenLabel(hash), expiresMs: made.expiresMs });
    return ok(made);
  });
  return stored.ok ? stored.value : stored;
}

/**
 * What the store knows a token by: SHA-256 of its text, hexadecimal; undefined for what cannot be a token. It is looked up by this hash, so how
 * long the comparison takes tells nothing about tokens; and 256 random bits need no slower hash.
 */
export function tokenHash(token: string): string | undefined {
  return FORM.test(token) ? createHash('sha256').update(token).digest('hex') : undefined;
}

/** What the log calls a token. */
export function tokenLabel(hash: string): string {
  return hash.slice(0, LABEL_DIGITS);
}
