import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import { parseParameters } from './form-parameters.ts';
import type { Parameters } from './form-parameters.ts';
import { percentDecode } from './percent.ts';

/**
 * `parsed_path` as OPA-Envoy makes it: cut at the first `?`, percent-decoded once, all leading slashes removed, split at `/`. Decoding comes
 * before splitting, so that `%2F`, where a listener tolerates it, makes segments. `/` gives one empty segment.
 *
 * Total: the path of a canonical request always decodes; of any other text, what does not decode is taken as it is.
 */
export function parsedPath(path: string): readonly string[] {
  const mark = path.indexOf('?');
  const raw = mark < 0 ? path : path.slice(0, mark);
  const decoded = percentDecode(raw) ?? raw;
  let start = 0;
  while (decoded.charCodeAt(start) === 0x2f) start++;
  return decoded.slice(start).split('/');
}

/**
 * `parsed_query` as OPA-Envoy makes it; see `parseParameters`. No query gives an empty object. Fault: `query_malformed`.
 */
export function parsedQuery(query: string | undefined): Result<Parameters, Fault> {
  const parameters = parseParameters(query ?? '');
  return typeof parameters === 'string' ? err(fault('query_malformed', parameters)) : ok(parameters);
}
