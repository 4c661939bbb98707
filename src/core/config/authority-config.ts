import { parseSpiffeIdText } from '../kernel/spiffe-id-text.ts';
import { at, items, parsed } from './raw-values.ts';
import { parseListen } from './addresses.ts';
import { DEFAULT_LISTEN, authoritySchema } from './authority-schema.ts';
import { parseIdTemplate } from './identity-values.ts';
import { loadSettings } from './load.ts';

import type * as z from 'zod';
import type { Result } from '../kernel/result.ts';
import type { Environment } from './expansion.ts';
import type { Frozen } from './load.ts';
import type { ConfigMistake, Finding } from './mistake.ts';

/** What `sallyport ca serve` runs with: deeply frozen, defaults filled in, durations in milliseconds. Paths stand as written. */
export type AuthorityConfig = Frozen<z.output<typeof authoritySchema>>;

/** Reads the authority's configuration, YAML or JSON; an empty text is all defaults. Mistakes are reported together. Pure. */
export function loadAuthorityConfig(text: string, env: Environment): Result<AuthorityConfig, readonly ConfigMistake[]> {
  return loadSettings(text.trim() === '' ? '{}' : text, env, authoritySchema, findings);
}

/** What no single key shows: IDs of another trust domain would never be believed, and two listeners need two addresses. */
function findings(root: unknown): readonly Finding[] {
  const said = at(root, 'trustDomain');
  const domain = typeof said === 'string' ? said : 'example.org';
  const ids: readonly (readonly [readonly (string | number)[], string | undefined])[] = [
    [['id'], parsed(at(root, 'id'), parseSpiffeIdText)],
    [['kubernetes', 'id'], parsed(at(at(root, 'kubernetes'), 'id'), parseIdTemplate)],
    ...items(at(at(root, 'workloadApi'), 'identities')).map(
      (entry, index) =>
        [['workloadApi', 'identities', index, 'id'], parsed(at(entry, 'id'), parseSpiffeIdText)] as const,
    ),
  ];
  const foreign = ids.flatMap(([path, id]) =>
    id === undefined || id.split('/')[2] === domain ? [] : [{ path: [...path], expected: `an ID of ${domain}` }],
  );
  return [...foreign, ...collisions(root), ...podFindings(at(root, 'kubernetes'))];
}

const LISTENERS: readonly (readonly string[])[] = [['listen'], ['crl', 'listen'], ['health', 'listen']];

/** Listeners whose address an earlier one has. */
function collisions(root: unknown): readonly Finding[] {
  const taken = new Set<string>();
  return LISTENERS.flatMap((path) => {
    const said = path.reduce<unknown>((outer, key) => at(outer, key), root);
    const value = said ?? (path.length === 1 ? DEFAULT_LISTEN : undefined);
    const address = parsed(value, parseListen);
    if (address === undefined || address.port === 0) return [];
    const name = `${address.host} ${address.port}`;
    if (taken.has(name)) return [{ path, expected: 'an address that no other listener has' }];
    taken.add(name);
    return [];
  });
}

/** What `bindPod: false` would pass over in silence. */
function podFindings(kubernetes: unknown): readonly Finding[] {
  if (at(kubernetes, 'bindPod') !== false) return [];
  return ['podAddress', 'outage'].flatMap((key) =>
    at(kubernetes, key) === undefined
      ? []
      : [{ path: ['kubernetes', key], expected: 'no such key with `bindPod: false`: no pod is asked for' }],
  );
}
