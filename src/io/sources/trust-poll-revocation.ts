import { readCrlText } from '../../core/identity/crl-text.ts';
import { judgeLists } from '../../core/identity/judge-lists.ts';
import { issuerOfList, listsMissingIn, withoutRollback } from '../../core/identity/newest-lists.ts';
import { encodePem } from '../../core/identity/pem.ts';
import { backOffMs, between } from '../../core/kernel/back-off.ts';
import { clamp, refused } from './trust-poll-kind.ts';

import type { Judged, PollKind, Taken } from './trust-poll-kind.ts';

/** The address of revocation lists. */
export type RevocationPoll = { readonly kind: 'revocation-list'; readonly url: string };

/** Bounds of the pause, milliseconds: half of the time to nextUpdate, so that one question may fail. */
const MIN_MS = 10_000;
const MAX_MS = 300_000;
/** Pauses after failures begin here, milliseconds. */
const FIRST_RETRY_MS = 1_000;

/** Lists of one address, those included that it no longer serves. */
const MAX_LISTS = 16;

/** The rules for revocation lists: signed where the way is not, none older than before, none forgotten because it is not served any more. */
export function revocationKind({ url }: RevocationPoll, issuers: () => readonly Uint8Array[]): PollKind {
  const isPlain = new URL(url).protocol !== 'https:';
  return {
    first: undefined,
    judge: (bytes, held, origin) =>
      judge(bytes, held, { issuers: issuers(), signedOnly: isPlain && origin === 'answer' }),
    pauseMs: (held, wallMs, random) => {
      const half = Math.max(0, (held?.nextUpdateMs ?? Number.POSITIVE_INFINITY) - wallMs) / 2;
      return clamp(Math.min(half, MAX_MS) * between(0.9, 1, random), MIN_MS, MAX_MS);
    },
    retryMs: (failures, _held, random) => backOffMs(failures, FIRST_RETRY_MS, MAX_MS, random),
  };
}

function judge(bytes: Uint8Array, held: Taken | undefined, context: Parameters<typeof judgeLists>[1]): Judged {
  const lists = readCrlText(bytes);
  if (!lists.ok) return refused(lists.error);
  if (lists.value.length > MAX_LISTS) return refused(`more than ${MAX_LISTS} revocation lists`);
  const judged = judgeLists(lists.value, context);
  if (!judged.ok) return refused(judged.error);
  const before = held?.part.crls ?? [];
  const { crls, problems } = withoutRollback(before, lists.value);
  // What went missing last comes first: where there is no room for all, what has been missing for longest goes.
  const missing = listsMissingIn(crls, before).slice(0, MAX_LISTS - crls.length);
  const all = [...crls, ...missing];
  const part = { bundles: new Map<never, never>(), crls: all, warnings: missing.map(missingWarning) };
  const text = all.map((der) => encodePem('X509 CRL', der)).join('');
  const kept = new TextEncoder().encode(text);
  return {
    taken: { part, bytes: kept, sequence: undefined, hintMs: undefined, nextUpdateMs: judged.value.nextUpdateMs },
    problems,
  };
}

function missingWarning(der: Uint8Array): string {
  return `the revocation list of ${issuerOfList(der)} is no longer served; the last one stays in force`;
}
