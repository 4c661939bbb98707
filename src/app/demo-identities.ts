import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createAuthorityFolder, type AuthorityFolder } from '../io/authority/authority-folder.ts';
import { createRandom, systemClock } from './system.ts';

import type { Result } from '../core/kernel/result.ts';
import type { AuthorityFault } from '../io/authority/authority-folder.ts';

/** Who calls: `reader` is allowed little, `planner` much, `stranger` is of a trust domain that nobody here trusts. */
export type CallerName = 'reader' | 'planner' | 'stranger';

/** An identity as a client uses it, PEM. `ca`: whom it trusts as servers. */
export type CallerIdentity = {
  readonly name: CallerName;
  readonly id: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
};

/** All callers, in the order in which they call. */
export type Callers = Readonly<Record<CallerName, CallerIdentity>>;

/** The trust domain of the agents; its bundle is `certs/example.org.pem` of the demo's folder. */
export const TRUST_DOMAIN = 'example.org';

const FOREIGN_DOMAIN = 'elsewhere.example';

const CALLERS: Readonly<Record<CallerName, string>> = {
  reader: `spiffe://${TRUST_DOMAIN}/agents/reader`,
  planner: `spiffe://${TRUST_DOMAIN}/agents/planner`,
  stranger: `spiffe://${FOREIGN_DOMAIN}/agents/stranger`,
};

/** Nothing of the demo is of any use tomorrow. */
const TTL_MS = 86_400_000;

/**
 * Makes both authorities, the callers and an identity for each of `agents` in `folder`, as `sallyport ca` would. The agents' certificates name
 * `localhost` besides, so that any client verifies them as it does for every server. Throws when files cannot be written.
 */
export async function makeIdentities(folder: string, agents: readonly string[]): Promise<Callers> {
  const authority = createAuthorityFolder(folder, { clock: systemClock, random: createRandom() });
  for (const domain of [TRUST_DOMAIN, FOREIGN_DOMAIN]) made(await authority.init(domain, 2 * TTL_MS, false));
  await Promise.all(agents.map((name) => issue(authority, `spiffe://${TRUST_DOMAIN}/agents/${name}`, ['localhost'])));
  const [reader, planner, stranger] = await Promise.all([
    caller(authority, folder, 'reader'),
    caller(authority, folder, 'planner'),
    caller(authority, folder, 'stranger'),
  ]);
  return { reader, planner, stranger };
}

async function caller(authority: AuthorityFolder, folder: string, name: CallerName): Promise<CallerIdentity> {
  const id = CALLERS[name];
  // One of them is an agent that is called as well.
  const { certificate, privateKey } = await issue(authority, id, ['localhost']);
  const [cert, key, ca] = await Promise.all(
    [certificate, privateKey, join(folder, `${TRUST_DOMAIN}.pem`)].map((path) => readFile(path, 'utf8')),
  );
  return { name, id, cert: cert ?? '', key: key ?? '', ca: ca ?? '' };
}

async function issue(authority: AuthorityFolder, id: string, dnsNames: readonly string[] = []) {
  return made(await authority.issue({ id, ttlMs: TTL_MS, dnsNames }, { force: false }));
}

function made<T>(result: Result<T, AuthorityFault>): T {
  if (!result.ok) throw new Error(result.error.detail);
  return result.value;
}
