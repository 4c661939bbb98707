import type { SpiffeId, TrustDomain } from '../kernel/brand.ts';
import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';
import type { Fault } from '../model/faults.ts';
import { fault } from '../model/faults.ts';

/** The longest SPIFFE ID that is read, in bytes (SPIFFE-ID 2.3). */
export const MAX_SPIFFE_ID_BYTES = 2048;

/** The longest name of a trust domain, in bytes (SPIFFE-ID 2.3). */
export const MAX_TRUST_DOMAIN_BYTES = 255;

/** A SPIFFE ID in its parts. `path` begins with a slash, or is empty for the ID of the trust domain itself. */
export type SpiffeIdParts = { readonly id: SpiffeId; readonly trustDomain: TrustDomain; readonly path: string };

const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;
const SCHEME = 'spiffe://';

/**
 * Reads a SPIFFE ID (SPIFFE-ID 2). The scheme is read in any case (2.4) and given back in lower case; the trust domain must be in lower
 * case (2.1). An ID without path is an ID: whoever needs a workload's ID looks at `path`. Fault: `peer_id_malformed`.
 */
export function parseSpiffeId(text: string): Result<SpiffeIdParts, Fault> {
  if (text.length > MAX_SPIFFE_ID_BYTES) return malformed(`longer than ${MAX_SPIFFE_ID_BYTES} bytes`);
  if (text.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return malformed('the scheme is not spiffe');
  const rest = text.slice(SCHEME.length);
  const slash = rest.indexOf('/');
  const host = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? '' : rest.slice(slash);
  const trustDomain = parseTrustDomain(host);
  if (!trustDomain.ok) return trustDomain;
  const wrong = wrongPath(path);
  if (wrong !== undefined) return malformed(wrong);
  return ok({ id: `${SCHEME}${host}${path}` as SpiffeId, trustDomain: trustDomain.value, path });
}

/** Reads the name of a trust domain (SPIFFE-ID 2.1). What looks like an IPv4 address is a name like any other. Fault: `peer_id_malformed`. */
export function parseTrustDomain(text: string): Result<TrustDomain, Fault> {
  if (text.length === 0) return malformed('the trust domain is empty');
  if (text.length > MAX_TRUST_DOMAIN_BYTES)
    return malformed(`the trust domain is over ${MAX_TRUST_DOMAIN_BYTES} bytes`);
  if (!TRUST_DOMAIN.test(text)) return malformed('the trust domain has characters other than a-z 0-9 . - _');
  return ok(text as TrustDomain);
}

/** SPIFFE-ID 2.2. */
function wrongPath(path: string): string | undefined {
  if (path === '') return undefined;
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') return 'the path has an empty segment or ends in a slash';
    if (segment === '.' || segment === '..') return 'the path has a relative segment';
    if (!SEGMENT.test(segment)) return 'the path has characters other than A-Z a-z 0-9 . - _';
  }
  return undefined;
}

function malformed(detail: string): Result<never, Fault> {
  return err(fault('peer_id_malformed', `SPIFFE ID: ${detail}`));
}
