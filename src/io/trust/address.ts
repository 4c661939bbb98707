import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { TrustAddress } from './settings.ts';

const MAX_URL = 2_048;

/** Temporary redirects (RFC 9110 15.4); SPIFFE Federation 7.5.1 says why no other is to be followed for good, and we follow those not at all. */
const TEMPORARY: ReadonlySet<number> = new Set([302, 303, 307]);
const PERMANENT: ReadonlySet<number> = new Set([301, 308]);

/** The URL of an address, where it is one that may be fetched: https (http for revocation lists too) and no user information (SPIFFE Federation 5.2.1.1). */
export function checkUrl(url: string, kind: TrustAddress['kind'], base?: URL): Result<URL, string> {
  const parsed = url.length > MAX_URL ? null : URL.parse(url, base);
  if (parsed === null) return err(`is no URL of at most ${MAX_URL} characters`);
  const plain = parsed.protocol === 'http:' && kind === 'revocation-list';
  if (parsed.protocol !== 'https:' && !plain) return err('is not https');
  if (parsed.username !== '' || parsed.password !== '') return err('holds user information');
  return ok(parsed);
}

/** Where a redirect leads, or undefined where `status` is none; the error is why it is not followed. */
export function redirectTarget(
  status: number,
  location: string | undefined,
  from: URL,
  kind: TrustAddress['kind'],
): Result<URL | undefined, string> {
  if (PERMANENT.has(status))
    return err(`answered ${status}: a permanent redirect is not followed; give the URL it leads to`);
  if (!TEMPORARY.has(status)) return ok(undefined);
  if (kind === 'revocation-list')
    return err(`answered ${status}: redirects are not followed; give the URL it leads to`);
  const target = checkUrl(location ?? '', kind, from);
  if (location === undefined || !target.ok)
    return err(`answered ${status} with a Location that ${target.ok ? 'is missing' : target.error}`);
  return target;
}
