import type { HeaderList } from '../kernel/headers.ts';
import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import { hasForbiddenBytes, shown } from './characters.ts';

/** The four pseudo-header fields of an HTTP/2 request (RFC 9113 section 8.3.1), each there once. */
export type PseudoHeaders = {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  /** Index in the list of the first regular field. */
  readonly end: number;
};

/**
 * Reads the pseudo-header fields at the front of a list. All four are required, for without `:authority` there would be two places to
 * look for the host; `:protocol` (RFC 8441) and all others are refused. Fault: `pseudo_header_invalid`.
 */
export function readPseudoHeaders(list: HeaderList): PseudoHeaders | Fault {
  const found: (string | undefined)[] = [undefined, undefined, undefined, undefined];
  let end = 0;
  for (; end + 1 < list.length; end += 2) {
    const name = list[end] as string;
    if (name.charCodeAt(0) !== 0x3a) break;
    const index = NAMES.indexOf(name);
    const value = list[end + 1] as string;
    if (index < 0) return refused(`${shown(name)} is unknown`);
    if (found[index] !== undefined) return refused(`${name} is there twice`);
    if (hasForbiddenBytes(value)) return refused(`${name} has bytes that are not allowed`);
    found[index] = value;
  }
  const [method, scheme, authority, path] = found;
  if (method === undefined || scheme === undefined || authority === undefined || path === undefined) {
    return refused(`${NAMES[found.indexOf(undefined)] ?? ''} is missing`);
  }
  return { method, scheme, authority, path, end };
}

const NAMES: readonly string[] = [':method', ':scheme', ':authority', ':path'];

function refused(detail: string): Fault {
  return fault('pseudo_header_invalid', `${detail} (RFC 9113 8.3)`);
}
