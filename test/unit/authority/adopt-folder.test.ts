import assert from 'node:assert/strict';
import { appendFile, chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { parseCrl } from '../../../src/core/identity/crl.ts';
import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { adoptAuthorityFolder } from '../../../src/io/authority/adopt-folder.ts';
import { createAuthorityFolder } from '../../../src/io/authority/authority-folder.ts';
import { openAuthorityStore } from '../../../src/io/authority/authority-store.ts';
import { initAuthority } from '../../../src/io/authority/ca-setup.ts';
import { createJoinToken } from '../../../src/io/authority/join-token.ts';
import { plainKeyFiles } from '../../../src/io/authority/key-files.ts';
import { activateRoot, prepareRoot, renewIssuing } from '../../../src/io/authority/root-rotation.ts';
import { createIssuingAuthority } from '../../../src/io/authority/running-authority.ts';
import { AGENT, DAY, DOMAIN, HOUR, newCsr, NO_LIMITS, OWN_ID, valueOf } from '../../support/authority-world.ts';
import { crlNumber } from '../../support/crl-number.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { systemRandom } from '../../support/system-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { AuthorityStore } from '../../../src/io/authority/authority-store.ts';
import type { IssuingAuthority } from '../../../src/io/authority/issuing-authority.ts';
import type { CaDeps } from '../../../src/io/authority/issuing-ca.ts';

const ROOT = { keyKind: 'p256', ttlMs: 365 * DAY } as const;
const ISSUING = { ttlMs: 30 * DAY, key: { kind: 'new', keyKind: 'p256' } } as const;

type DevelopmentWorld = {
  readonly folder: string;
  readonly store: AuthorityStore;
  readonly deps: CaDeps;
  readonly serials: { readonly good: string; readonly revoked: string };
  readonly goodChain: readonly Uint8Array[];
  readonly lastNumber: number;
  readonly run: () => Promise<IssuingAuthority>;
};

/** A folder as `ca init`, `ca issue` and `ca revoke` leave it: one certificate in force, one revoked. */
async function developmentWorld(context: TestContext): Promise<DevelopmentWorld> {
  const folder = await tempFolder(context);
  const clock = createDrivenClock(Date.now());
  const deps = { clock, random: systemRandom, openKey: plainKeyFiles(folder) };
  const ca = createAuthorityFolder(folder, deps);
  valueOf(await ca.init(DOMAIN, 365 * DAY, false));
  const good = valueOf(await ca.issue({ id: AGENT, ttlMs: DAY }, { force: false }));
  const revoked = valueOf(await ca.issue({ id: `${AGENT}-2`, ttlMs: DAY }, { force: false }));
  const { revocationList } = valueOf(await ca.revoke(DOMAIN, { serial: revoked.serial }));
  const [list] = valueOf(pemBlocks(await readFile(revocationList, 'utf8')));
  const leaf = valueOf(pemBlocks(await readFile(good.certificate, 'utf8')));
  const store = openAuthorityStore(folder);
  context.after(() => store.close());
  return {
    folder,
    store,
    deps,
    serials: { good: good.serial, revoked: revoked.serial },
    goodChain: leaf.map(({ der }) => der),
    lastNumber: crlNumber(list?.der ?? new Uint8Array()),
    run: async () => {
      const settings = { folder, trustDomain: DOMAIN, ownId: OWN_ID, kubernetes: undefined, workloads: [] };
      const authority = createIssuingAuthority(settings, { ...deps, limits: NO_LIMITS, timer: clock.timer });
      context.after(() => authority.stop());
      await authority.start();
      return authority;
    },
  };
}

test('what was issued and revoked is taken over, lists go on with greater numbers, and the root issues as before', async (context) => {
  const world = await developmentWorld(context);
  valueOf(await adoptAuthorityFolder(world.store, DOMAIN, world.deps));
  const authority = await world.run();
  assert.deepEqual([authority.isGood(world.serials.good), authority.isGood(world.serials.revoked)], [true, false]);
  const [der = new Uint8Array(), ...others] = authority.trust().crls;
  assert.deepEqual([others.length, valueOf(parseCrl(der)).revoked.has(world.serials.revoked)], [0, true]);
  assert.ok(crlNumber(der) > world.lastNumber);
  const token = valueOf(createJoinToken(world.store, { spiffeId: AGENT, ttlMs: HOUR }, world.deps)).token;
  const svid = valueOf(await authority.issue({ kind: 'join-token', token }, await newCsr(), ''));
  assert.equal(svid.chain.length, 1);
  const trust = valueOf(createTrustStore(authority.trust().bundles, authority.trust().crls));
  for (const chain of [svid.chain, world.goodChain]) {
    const verdict = verifyPeer(chain, trust, world.deps.clock.wallMs(), { purpose: 'server', requireCrl: true });
    assert.equal(verdict.kind, 'identified');
  }
});

test('a certificate that was issued before renews', async (context) => {
  const world = await developmentWorld(context);
  valueOf(await adoptAuthorityFolder(world.store, DOMAIN, world.deps));
  const authority = await world.run();
  const renew = async (serial: string, spiffeId: string): Promise<boolean> =>
    (await authority.issue({ kind: 'certificate', serial, spiffeId: spiffeId as typeof AGENT }, await newCsr(), '')).ok;
  assert.deepEqual(
    [await renew(world.serials.good, AGENT), await renew(world.serials.revoked, `${AGENT}-2`)],
    [true, false],
  );
});

test('its root allows no CA below it, and a root rotation leads to one that does', async (context) => {
  const world = await developmentWorld(context);
  valueOf(await adoptAuthorityFolder(world.store, DOMAIN, world.deps));
  assert.equal((await renewIssuing(world.store, { issuing: ISSUING, revokeOld: false }, world.deps)).ok, false);
  valueOf(await prepareRoot(world.store, ROOT, world.deps));
  valueOf(await activateRoot(world.store, { issuing: ISSUING, overlapMs: 0 }, world.deps));
  const authority = await world.run();
  assert.equal(authority.own().svid.chain.length, 2);
  assert.equal(authority.isGood(world.serials.good), true);
});

test('it is done once, needs a sound folder, and a new authority is not made over it', async (context) => {
  const world = await developmentWorld(context);
  const made = await initAuthority(world.store, { trustDomain: DOMAIN, root: ROOT, issuing: ISSUING }, world.deps);
  assert.match(made.ok ? '' : made.error, /has a development authority of example\.org/);
  const adopt = async (domain: string = DOMAIN): Promise<string> => {
    const adopted = await adoptAuthorityFolder(world.store, domain, world.deps);
    return adopted.ok ? 'done' : adopted.error;
  };
  assert.match(await adopt('other.org'), /other\.org\.pem/);
  assert.match(await adopt('../x'), /trust domain/);
  await chmod(join(world.folder, `${DOMAIN}.key`), 0o644);
  assert.match(await adopt(), /may be read by others/);
  await chmod(join(world.folder, `${DOMAIN}.key`), 0o600);
  assert.equal(await adopt(), 'done');
  assert.match(await adopt(), /has an authority already/);
});

test('a log that cannot be read is not passed over: a revocation might be in it', async (context) => {
  const world = await developmentWorld(context);
  await appendFile(join(world.folder, `${DOMAIN}.log.jsonl`), 'garbage\n');
  const adopted = await adoptAuthorityFolder(world.store, DOMAIN, world.deps);
  assert.match(adopted.ok ? '' : adopted.error, /log\.jsonl:4: not a line/);
});

test('afterwards the commands for a development authority refuse it, since the database would not know what they did', async (context) => {
  const world = await developmentWorld(context);
  const ca = createAuthorityFolder(world.folder, world.deps);
  // A database that is nobody's yet changes nothing.
  assert.equal((await ca.crl(DOMAIN, DAY)).ok, true);
  valueOf(await adoptAuthorityFolder(world.store, DOMAIN, world.deps));
  const outcomes = [
    await ca.init(DOMAIN, DAY, true),
    await ca.issue({ id: AGENT, ttlMs: DAY }, { force: true }),
    await ca.revoke(DOMAIN, { serial: world.serials.good }),
    await ca.crl(DOMAIN, DAY),
  ];
  for (const outcome of outcomes)
    assert.match(outcome.ok ? 'done' : outcome.error.detail, /state of an authority at work/);
});
