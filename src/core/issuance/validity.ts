import { err, ok } from '../kernel/result.ts';

import type { Result } from '../kernel/result.ts';
import type { IssuanceFault } from '../model/svid.ts';

/** How far a certificate's notBefore lies back, milliseconds: clocks of peers may be behind ours. */
export const BACKDATE_MS = 60_000;

/** The shortest life that can be asked for, milliseconds: certificates count in whole seconds. */
export const MIN_TTL_MS = 1_000;

/** The longest, milliseconds: 100 years, for roots; nothing outlives its issuer. */
export const MAX_TTL_MS = 3_155_760_000_000;

/** What a life that the issuer's end cuts short must still have, milliseconds: less is no use to anybody, and asks for the next at once. */
export const MIN_CLAMPED_MS = 60_000;

/** Milliseconds since the epoch, in whole seconds; both ends belong to it (RFC 5280 4.1.2.5). */
export type Validity = { readonly notBeforeMs: number; readonly notAfterMs: number };

/**
 * The validity of what an issuer signs now: from a minute ago, or from the issuer's own beginning where that is later, for `ttlMs` from now,
 * or to the issuer's end where that is earlier. Faults: `lifetime_refused` for a life that is none; `issuer_unavailable` where the issuer
 * has ended, has not begun, or ends within the next minute and before what was asked.
 */
export function validityWithin(
  issuer: Validity | undefined,
  nowMs: number,
  ttlMs: number,
): Result<Validity, IssuanceFault> {
  if (!(ttlMs >= MIN_TTL_MS && ttlMs <= MAX_TTL_MS)) {
    return err({ kind: 'lifetime_refused', detail: `${ttlMs} ms: a life is ${MIN_TTL_MS} to ${MAX_TTL_MS} ms` });
  }
  const asked = { notBeforeMs: wholeSecond(nowMs - BACKDATE_MS), notAfterMs: wholeSecond(nowMs + ttlMs) };
  if (issuer === undefined) return ok(asked);
  const { notBeforeMs, notAfterMs } = issuer;
  if (nowMs < notBeforeMs) return unavailable(`is not valid before ${isoOf(notBeforeMs)}`);
  const endsSoon = notAfterMs < asked.notAfterMs && notAfterMs < nowMs + MIN_CLAMPED_MS;
  if (endsSoon)
    return unavailable(`ends at ${isoOf(notAfterMs)}, too soon to issue anything; put its successor to work`);
  return ok({
    notBeforeMs: Math.max(asked.notBeforeMs, notBeforeMs),
    notAfterMs: Math.min(asked.notAfterMs, notAfterMs),
  });
}

function unavailable(what: string): Result<never, IssuanceFault> {
  return err({ kind: 'issuer_unavailable', detail: `the issuing CA, or one above it, ${what}` });
}

/** Whole seconds, which is all that certificates can say. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
