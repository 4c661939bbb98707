import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { createCsr } from '../../src/core/issuance/create-csr.ts';
import { generateKeyPair } from '../../src/core/issuance/signing-key.ts';
import { openAuthorityStore } from '../../src/io/authority/authority-store.ts';
import { initAuthority } from '../../src/io/authority/ca-setup.ts';
import { createJoinToken } from '../../src/io/authority/join-token.ts';
import { plainKeyFiles } from '../../src/io/authority/key-files.ts';
import { createIssuingAuthority } from '../../src/io/authority/running-authority.ts';
import { createDrivenClock } from './driven-clock.ts';
import { systemRandom } from './system-clock.ts';
import { tempFolder } from './temp-folder.ts';

import type { TestContext } from 'node:test';
import type { SpiffeId, TrustDomain } from '../../src/core/kernel/brand.ts';
import type { Result } from '../../src/core/kernel/result.ts';
import type { Attestation } from '../../src/core/model/svid.ts';
import type { AuthorityStore } from '../../src/io/authority/authority-store.ts';
import type { IssuingAuthority, IssuingLimits } from '../../src/io/authority/issuing-authority.ts';
import type { CaDeps } from '../../src/io/authority/issuing-ca.ts';
import type { IssuingAuthorityDeps, IssuingSettings } from '../../src/io/authority/running-authority.ts';
import type { DrivenClock } from './driven-clock.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const DOMAIN = 'example.org' as TrustDomain;
export const OWN_ID = 'spiffe://example.org/sallyport/authority' as SpiffeId;
export const AGENT = 'spiffe://example.org/ns/agents/sa/researcher' as SpiffeId;
export const NO_LIMITS: IssuingLimits = { takeSource: () => true, takeId: () => true };

/** A folder with an authority, as `ca init` makes it, a clock, and a second view of its state as the command line has it. */
export type AuthorityWorld = {
  readonly folder: string;
  readonly clock: DrivenClock;
  /** Another process, as far as the database can tell. */
  readonly store: AuthorityStore;
  readonly deps: CaDeps;
  readonly settings: IssuingSettings;
  /** Creates an authority over the folder and starts it; stopped when the test ends. */
  readonly run: (
    settings?: Partial<IssuingSettings>,
    limits?: IssuingLimits,
    more?: Pick<IssuingAuthorityDeps, 'pods'>,
  ) => Promise<IssuingAuthority>;
  /** A join token for an ID. */
  readonly token: (spiffeId?: string, ttlMs?: number) => Attestation;
  /** Lets the authority (one is running) look once, and everything that follows from it happen. */
  readonly look: () => Promise<void>;
};

/** What a result holds; the test fails with its error where it holds none. */
export function valueOf<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(typeof result.error === 'string' ? result.error : JSON.stringify(result.error));
  return result.value;
}

/** A request for a new key. */
export function newCsr(): Promise<Uint8Array> {
  return createCsr(generateKeyPair('p256').privateKey);
}

export async function createAuthorityWorld(context: TestContext): Promise<AuthorityWorld> {
  const folder = join(await tempFolder(context), 'ca');
  await mkdir(folder, { mode: 0o700 });
  const clock = createDrivenClock();
  const store = openAuthorityStore(folder, { busyMs: 2_000 });
  context.after(() => store.close());
  const deps: CaDeps = { clock, random: systemRandom, openKey: plainKeyFiles(folder) };
  const root = { keyKind: 'p256', ttlMs: 3_650 * DAY } as const;
  const issuing = { ttlMs: 365 * DAY, key: { kind: 'new', keyKind: 'p256' } } as const;
  valueOf(await initAuthority(store, { trustDomain: DOMAIN, root, issuing }, deps));
  const kubernetes = {
    template: 'spiffe://example.org/ns/{namespace}/sa/{serviceAccount}',
    namespaces: { agents: ['researcher'], open: ['*'] },
  };
  const settings: IssuingSettings = { folder, trustDomain: DOMAIN, ownId: OWN_ID, kubernetes, workloads: [AGENT] };
  /** A look is over when the timer of the next one is set. */
  async function untilWaiting(): Promise<void> {
    while (clock.timers === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    folder,
    clock,
    store,
    deps,
    settings,
    run: async (changed = {}, limits = NO_LIMITS, more = {}) => {
      const authority = createIssuingAuthority(
        { ...settings, ...changed },
        { clock, random: systemRandom, timer: clock.timer, limits, ...more },
      );
      context.after(() => authority.stop());
      await authority.start();
      return authority;
    },
    token: (spiffeId = AGENT, ttlMs = HOUR) => {
      return { kind: 'join-token', token: valueOf(createJoinToken(store, { spiffeId, ttlMs }, deps)).token };
    },
    look: async () => {
      await untilWaiting();
      clock.advance(250);
      await untilWaiting();
    },
  };
}
