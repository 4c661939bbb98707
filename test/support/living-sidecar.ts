import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import type { AuthorityProcess } from './authority-process.ts';
import { spawnSidecar, startSidecar, type LogEntry, type RawConfig, type SidecarProcess } from './sidecar-process.ts';
import { ALLOW_ALL, policyBundle, type SystemPolicy } from './system.ts';
import { replaceFile, tempFolder, writeFiles } from './temp-folder.ts';

export type LivingOptions = {
  /** SPIFFE ID that its first token is for. */
  readonly id: string;
  /** URL of its agent. */
  readonly upstream: string;
  /** Default: everything is allowed. */
  readonly policy?: string | SystemPolicy;
  /** Further keys of `identity.authority`. */
  readonly authority?: RawConfig;
  /** Keys of `identity.workloadApi`, which its identity comes from then, in place of the authority's HTTPS service. */
  readonly workloadApi?: RawConfig;
  /** Further keys of `identity`. */
  readonly identity?: RawConfig;
  /** Top-level keys, over all others. */
  readonly config?: RawConfig;
};

/** A folder in which a sidecar can live one life after the other, with an identity that it gets from an authority. */
export type LivingFolder = {
  readonly folder: string;
  readonly config: RawConfig;
};

const TOKEN_FILE = 'join.token';

/** Writes what such a sidecar needs: the policy, the first roots, and a join token. */
export async function livingFolder(
  context: TestContext,
  authority: Pick<AuthorityProcess, 'url' | 'id' | 'rootsFile' | 'token'>,
  options: LivingOptions,
): Promise<LivingFolder> {
  const { id, upstream, policy = ALLOW_ALL } = options;
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'policy.tar.gz': await policyBundle(policy) });
  await copyFile(authority.rootsFile, join(folder, 'first-roots.pem'));
  await putToken(folder, authority.token(id));
  const enrolment = { url: authority.url, id: authority.id, trustBundle: 'first-roots.pem', token: TOKEN_FILE };
  const source =
    options.workloadApi === undefined
      ? { source: 'authority', authority: { ...enrolment, ...options.authority } }
      : { source: 'workload-api', workloadApi: options.workloadApi };
  return {
    folder,
    config: {
      identity: { ...source, ...options.identity },
      inbound: [{ listen: '127.0.0.1:0', upstream }],
      policy: { bundle: 'policy.tar.gz', decision: 'test/authz/decision' },
      journal: ['file:records.ndjson'],
      admin: { listen: '127.0.0.1:0' },
      ...options.config,
    },
  };
}

/** Starts a sidecar there, and waits until it listens everywhere: until it has its identity. */
export function startLiving(context: TestContext, { folder, config }: LivingFolder): Promise<SidecarProcess> {
  return startSidecar(context, folder, config);
}

/** Starts a sidecar there, and waits until it can be asked how it is. */
export async function startWaiting(context: TestContext, { folder, config }: LivingFolder): Promise<SidecarProcess> {
  const sidecar = await spawnSidecar(context, folder, config);
  await sidecar.logged('admin listening');
  return sidecar;
}

/** Puts a join token where the sidecar reads it. */
export function putToken(folder: string, token: string): Promise<void> {
  return replaceFile(join(folder, TOKEN_FILE), token);
}

/** Each identity that came in force, in order. */
export function identitiesOf({ log }: SidecarProcess): readonly LogEntry[] {
  return log.filter(({ msg }) => msg === 'identity in force');
}

/** How many certificates a sidecar has had; a change of trust alone is none. */
export function certificatesOf(sidecar: SidecarProcess): number {
  return new Set(identitiesOf(sidecar).map((entry) => entry['not_after'])).size;
}

/** Waits until the sidecars believe what the authority publishes, from `roots` roots on. */
export async function untilBelieved(
  authority: AuthorityProcess,
  sidecars: readonly SidecarProcess[],
  roots: number,
): Promise<void> {
  let published = await authority.trust();
  const isBelieved = (): boolean =>
    published.roots === roots &&
    sidecars.every((sidecar) => identitiesOf(sidecar).some((entry) => entry['trust'] === published.storeRevision));
  await sidecars[0]?.until(`${roots} roots to be believed`, async () => {
    if (!isBelieved()) published = await authority.trust(published);
    return isBelieved();
  });
}
