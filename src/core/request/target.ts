import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import type { PathTolerance } from '../model/limits.ts';
import { hexByte, QUERY } from './characters.ts';
import { checkPath } from './path.ts';

/** A request target in origin-form (RFC 9112 section 3.2.1), or `*` (section 3.2.4), taken apart. */
export type Target = {
  readonly target: string;
  /** Up to the first `?`. */
  readonly path: string;
  readonly query: string | undefined;
};

const ASTERISK: Target = Object.freeze({ target: '*', path: '*', query: undefined });

/**
 * Reads a target that must start with `/`, or be `*` with OPTIONS. `#` is refused wherever it stands: a fragment has no place in a request
 * (Envoy CVE-2021-32779, Istio CVE-2021-39156). Faults: `target_invalid`, `path_ambiguous`, `query_malformed`.
 */
export function readTarget(target: string, method: string, tolerance: PathTolerance): Target | Fault {
  if (target === '*' && method === 'OPTIONS') return ASTERISK;
  if (target.charCodeAt(0) !== 0x2f) return fault('target_invalid', 'the target is no absolute path (RFC 9112 3.2.1)');
  if (target.includes('#')) return fault('target_invalid', 'the target has a fragment');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? undefined : target.slice(mark + 1);
  const problem = checkPath(path, tolerance) ?? (query === undefined ? undefined : checkQuery(query));
  return problem ?? { target, path, query };
}

/** RFC 3986 section 3.4: raw bytes of the grammar only, percent-encoding well-formed. What it decodes to is data. */
function checkQuery(query: string): Fault | undefined {
  for (let i = 0; i < query.length; i++) {
    const code = query.charCodeAt(i);
    if (QUERY[code] === 1) continue;
    if (code !== 0x25)
      return fault('target_invalid', 'the query has a byte that must be percent-encoded (RFC 3986 3.4)');
    if (hexByte(query, i + 1) < 0) return fault('query_malformed', 'a percent sign without two hexadecimal digits');
    i += 2;
  }
  return undefined;
}

/**
 * Gives the origin-form of an HTTP/1.1 target. Absolute-form (RFC 9112 section 3.2.2) is accepted only where scheme and authority are those
 * of this connection and of `Host`, for otherwise one reader goes by the target and the other by Host. Fault: `target_invalid`.
 */
export function originForm(target: string, method: string, scheme: string, authority: string): string | Fault {
  if (target.charCodeAt(0) === 0x2f || target === '*') return target;
  const start = scheme.length + 3;
  if (target.slice(0, start).toLowerCase() !== `${scheme}://`) {
    return fault('target_invalid', `the target is neither a path nor an ${scheme} URI`);
  }
  const end = start + authority.length;
  if (target.slice(start, end).toLowerCase() !== authority) {
    return fault('target_invalid', 'the authority of the target is not that of Host (RFC 9112 3.2.2)');
  }
  const rest = target.slice(end);
  if (rest.startsWith('/')) return rest;
  // RFC 9112 3.2.1 and 3.2.4: an empty path means `/`, but for OPTIONS it means `*`, which is not worth two readings.
  if ((rest === '' || rest.startsWith('?')) && method !== 'OPTIONS') return `/${rest}`;
  return fault('target_invalid', 'the authority of the target is not that of Host (RFC 9112 3.2.2)');
}
