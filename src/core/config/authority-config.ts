import { parseSpiffeIdText } from '../kernel/spiffe-id-text.ts';
import { at, items, parsed } from './raw-values.ts';
import { parseListen } from './addresses.ts';
import { authoritySchema } from './authority-schema.ts';
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
  const [main, crl] = [at(root, 'listen'), at(at(root, 'crl'), 'listen')].map((value) => parsed(value, parseListen));
  const collides =
    main !== undefined && crl !== undefined && main.port !== 0 && main.port === crl.port && main.host === crl.host;
  return [
    ...foreign,
    ...(collides ? [{ path: ['crl', 'listen'], expected: 'an address that no other listener has' }] : []),
  ];
}
