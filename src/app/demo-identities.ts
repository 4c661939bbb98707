import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { openAuthorityStore } from '../io/authority/authority-store.ts';
import { initAuthority } from '../io/authority/ca-setup.ts';
import { issueFiles } from '../io/authority/issued-files.ts';
import { writeListFile } from '../io/authority/list-file.ts';
import { caDeps } from './ca-keys.ts';

import type { Result } from '../core/kernel/result.ts';
import type { AuthorityStore } from '../io/authority/authority-store.ts';
import type { IssuedFiles } from '../io/authority/issued-files.ts';
import type { CaDeps } from '../io/authority/issuing-ca.ts';

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
  const ours = await makeAuthority(folder, TRUST_DOMAIN);
  const theirs = await makeAuthority(join(folder, FOREIGN_DOMAIN), FOREIGN_DOMAIN);
  try {
    for (const name of agents) {
      // oxlint-disable-next-line no-await-in-loop -- one writer at a time
      await issue(ours, folder, `spiffe://${TRUST_DOMAIN}/agents/${name}`, ['localhost']);
    }
    const reader = await caller(ours, folder, 'reader');
    const planner = await caller(ours, folder, 'planner');
    const stranger = await caller(theirs, folder, 'stranger');
    return { reader, planner, stranger };
  } finally {
    ours.store.close();
    theirs.store.close();
  }
}

type DemoAuthority = { readonly store: AuthorityStore; readonly deps: CaDeps };

async function makeAuthority(folder: string, trustDomain: string): Promise<DemoAuthority> {
  const deps = made(await caDeps(folder, undefined));
  const store = openAuthorityStore(folder);
  const root = { keyKind: 'p256', ttlMs: 2 * TTL_MS } as const;
  const issuing = { ttlMs: 2 * TTL_MS, key: { kind: 'new', keyKind: 'p256' } } as const;
  made(await initAuthority(store, { trustDomain, root, issuing }, deps));
  made(await writeListFile(store, { ttlMs: TTL_MS }, deps));
  return { store, deps };
}

async function caller(authority: DemoAuthority, folder: string, name: CallerName): Promise<CallerIdentity> {
  const id = CALLERS[name];
  // One of them is an agent that is called as well.
  const { certificate, privateKey = '' } = await issue(authority, folder, id, ['localhost']);
  const [cert, key, ca] = await Promise.all(
    [certificate, privateKey, join(folder, `${TRUST_DOMAIN}.pem`)].map((path) => readFile(path, 'utf8')),
  );
  return { name, id, cert: cert ?? '', key: key ?? '', ca: ca ?? '' };
}

async function issue(
  { store, deps }: DemoAuthority,
  out: string,
  id: string,
  dnsNames: readonly string[] = [],
): Promise<IssuedFiles> {
  const key = { kind: 'new', keyKind: 'p256' } as const;
  return made(await issueFiles(store, { id, ttlMs: TTL_MS, dnsNames }, key, { out }, deps));
}

function made<T>(result: Result<T, string>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}
