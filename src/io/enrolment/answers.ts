import { parseUniqueJson } from '../../core/bundle/unique-json.ts';
import { parseSpiffeId, parseTrustDomain } from '../../core/identity/spiffe-id.ts';
import { MAX_PRESENTED_CERTIFICATES } from '../../core/identity/verify.ts';
import type { TrustDomain } from '../../core/kernel/brand.ts';
import { ok, type Result } from '../../core/kernel/result.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import { malformed, type ClientFault } from './client-fault.ts';

/** What an authority gives: a certificate for the key of the request, and whom to believe. Its form is checked, not what it is worth. */
export type Enrolled = {
  readonly spiffeId: string;
  /** DER, leaf first, without the root. */
  readonly chain: readonly Uint8Array[];
  readonly trust: TrustDocument;
};

type Json = Readonly<Record<string, unknown>>;

const MAX_DOMAINS = 256;
const MAX_LIST = 256;
const DAY_S = 86_400;

/**
 * Reads the answer to `POST /v1/svid`. Keys that are unknown here are passed over, so that an authority may be newer than we are; a key that stands
 * twice, or what has another type, is not understood. `trustDomain` is ours.
 */
export function readEnrolled(text: string, trustDomain: TrustDomain): Result<Enrolled, ClientFault> {
  const answer = readObject(text);
  if (!answer.ok) return answer;
  const { spiffe_id: id, chain: list, not_after: end, trust: rest } = answer.value;
  const spiffeId = typeof id === 'string' ? parseSpiffeId(id) : undefined;
  if (spiffeId?.ok !== true) return malformed('the answer has no SPIFFE ID');
  if (typeof end !== 'string' || Number.isNaN(Date.parse(end))) return malformed('the answer has no end of validity');
  const chain = bytesOf(list, MAX_PRESENTED_CERTIFICATES);
  if (chain === undefined || chain.length === 0) return malformed('the answer has no chain of certificates');
  const trust = trustOf(objectOf(rest), trustDomain);
  return trust.ok ? ok({ spiffeId: spiffeId.value.id, chain, trust: trust.value }) : trust;
}

/** Reads the answer to `GET /v1/trust`, in the same way. */
export function readTrust(text: string, trustDomain: TrustDomain): Result<TrustDocument, ClientFault> {
  const answer = readObject(text);
  return answer.ok ? trustOf(answer.value, trustDomain) : answer;
}

function readObject(text: string): Result<Json, ClientFault> {
  const parsed = parseUniqueJson(text);
  const value = parsed.ok ? objectOf(parsed.value) : undefined;
  return value === undefined ? malformed('the answer is no JSON object, or names a key twice') : ok(value);
}

/** Our own domain must be in it: who would let itself be told otherwise could believe nobody any more, the authority included. */
function trustOf(json: Json | undefined, trustDomain: TrustDomain): Result<TrustDocument, ClientFault> {
  const { revision, bundles: all, crls: lists, refresh_hint: hint, sequence: count } = json ?? {};
  if (typeof revision !== 'string' || !/^[\x21-\x7e]{1,256}$/.test(revision))
    return malformed('the trust document has no revision');
  const bundles = bundlesOf(objectOf(all));
  if (bundles === undefined) return malformed('the trust document has no bundles of certificates');
  if ((bundles.get(trustDomain) ?? []).length === 0)
    return malformed(`the trust document has no roots of ${trustDomain}`);
  const crls = bytesOf(lists, MAX_LIST);
  if (crls === undefined) return malformed('the trust document has no list of revocation lists');
  // For the reader only: a number that is none is as good as none.
  const sequence = typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
  const said = { revision, bundles, crls, ...(sequence !== undefined && { sequence }) };
  if (hint === undefined) return ok({ ...said, refreshHintMs: undefined });
  const isTime = typeof hint === 'number' && Number.isInteger(hint) && hint >= 0;
  if (!isTime) return malformed('the trust document has a refresh hint that is no number of seconds');
  return ok({ ...said, refreshHintMs: Math.min(hint, DAY_S) * 1_000 });
}

function bundlesOf(json: Json | undefined): ReadonlyMap<TrustDomain, readonly Uint8Array[]> | undefined {
  const entries = Object.entries(json ?? {});
  if (json === undefined || entries.length > MAX_DOMAINS) return undefined;
  const bundles = new Map<TrustDomain, readonly Uint8Array[]>();
  for (const [name, list] of entries) {
    const domain = parseTrustDomain(name);
    const bundle = bytesOf(list, MAX_LIST);
    if (!domain.ok || bundle === undefined) return undefined;
    bundles.set(domain.value, bundle);
  }
  return bundles;
}

function bytesOf(value: unknown, max: number): readonly Uint8Array[] | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined;
  const list: Uint8Array[] = [];
  for (const text of value as readonly unknown[]) {
    const bytes = typeof text === 'string' && text !== '' ? decode(text) : undefined;
    if (bytes === undefined) return undefined;
    list.push(bytes);
  }
  return list;
}

function decode(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(base64, { lastChunkHandling: 'strict' });
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}
