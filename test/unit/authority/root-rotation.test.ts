import assert from 'node:assert/strict';
import { chmod, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { initAuthority } from '../../../src/io/authority/ca-setup.ts';
import { writeKeyFile } from '../../../src/io/authority/key-files.ts';
import { issueToOperator } from '../../../src/io/authority/operator-issuing.ts';
import { revoke } from '../../../src/io/authority/revoking.ts';
import { activateRoot, prepareRoot, renewIssuing, retireRoot } from '../../../src/io/authority/root-rotation.ts';
import { storedRoots, storedSigners } from '../../../src/io/authority/signer-rows.ts';
import { AGENT, createAuthorityWorld, DAY, HOUR, newCsr, valueOf } from '../../support/authority-world.ts';

import type { Result } from '../../../src/core/kernel/result.ts';
import type { TrustDocument } from '../../../src/core/model/svid.ts';
import type { IssuedSvid, IssuingAuthority } from '../../../src/io/authority/issuing-authority.ts';
import type { IssuingRequest } from '../../../src/io/authority/issuing-ca.ts';
import type { AuthorityWorld } from '../../support/authority-world.ts';

const ISSUING: IssuingRequest = { ttlMs: 90 * DAY, key: { kind: 'new', keyKind: 'p256' } };
const ROOT = { keyKind: 'p256', ttlMs: 3_650 * DAY } as const;
const ACTIVATE = { issuing: ISSUING, overlapMs: HOUR / 2 };

/** How long a new CA lets the one before go on, where lists live ten minutes: until all who follow trust should have asked. */
const LEAD = 300_000;

async function enrol(world: AuthorityWorld, authority: IssuingAuthority): Promise<IssuedSvid> {
  return valueOf(await authority.issue(world.token(), await newCsr(), '192.0.2.7'));
}

/** What a peer that holds this trust, lists required, says of a certificate. */
function verdict({ bundles, crls }: TrustDocument, { chain }: IssuedSvid, atMs: number): string {
  const trust = valueOf(createTrustStore(bundles, crls));
  const judged = verifyPeer(chain, trust, atMs, { purpose: 'client', requireCrl: true });
  return judged.kind === 'rejected' ? judged.fault.code : judged.kind;
}

function rootCount(authority: IssuingAuthority): number {
  return authority.trust().bundles.get(authority.trustDomain)?.length ?? 0;
}

function why(result: Result<unknown, string>): string {
  return result.ok ? 'done' : result.error;
}

describe('a new issuing CA', () => {
  test('issues once its list had time to arrive, and what the old one issued stays good', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const before = await enrol(world, authority);
    const files = valueOf(await renewIssuing(world.store, { issuing: ISSUING, revokeOld: false }, world.deps));
    assert.equal((await stat(files.issuingKey)).mode & 0o777, 0o600);
    await world.look();
    assert.equal(authority.trust().crls.length, 3, 'its list is out');
    world.clock.advance(LEAD - 1_000);
    await world.look();
    assert.deepEqual((await enrol(world, authority)).chain[1], before.chain[1]);
    world.clock.advance(1_000);
    await world.look();
    const after = await enrol(world, authority);
    assert.notDeepEqual(after.chain[1], before.chain[1]);
    for (const svid of [before, after])
      assert.equal(verdict(authority.trust(), svid, world.clock.wallMs()), 'identified');
    // Two CAs that issued, one root: each has its list.
    assert.equal(authority.trust().crls.length, 3);
    world.clock.advance(HOUR + 1);
    await world.look();
    world.clock.advance(400_000);
    await world.look();
    assert.equal(authority.trust().crls.length, 2);
  });

  test('in place of one whose key was stolen: everything of the old one is worth nothing', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const stolen = await enrol(world, authority);
    valueOf(await renewIssuing(world.store, { issuing: ISSUING, revokeOld: true }, world.deps));
    assert.equal(authority.isGood(stolen.serial), false);
    // Not yet looked: what the old CA would sign now is not given out.
    const early = await authority.issue(world.token(), await newCsr(), '');
    assert.equal(early.ok ? 'issued' : early.error.kind, 'issuer_unavailable');
    await world.look();
    const fresh = await enrol(world, authority);
    assert.equal(verdict(authority.trust(), stolen, world.clock.wallMs()), 'peer_certificate_revoked');
    assert.equal(verdict(authority.trust(), fresh, world.clock.wallMs()), 'identified');
    assert.equal(authority.isGood(authority.own().svid.serial), true);
    const renewal = await authority.issue(
      { kind: 'certificate', spiffeId: stolen.spiffeId, serial: stolen.serial },
      await newCsr(),
      '',
    );
    assert.equal(renewal.ok ? 'issued' : renewal.error.kind, 'caller_refused');
  });

  test('of a key that lies elsewhere already', async (context) => {
    const world = await createAuthorityWorld(context);
    const reference = join(world.folder, 'elsewhere.key');
    await writeKeyFile(reference, generateKeyPair('ed25519').privateKey);
    const issuing = { ttlMs: 90 * DAY, key: { kind: 'existing', reference } } as const;
    const files = valueOf(await renewIssuing(world.store, { issuing, revokeOld: false }, world.deps));
    assert.equal(files.issuingKey, reference);
    const authority = await world.run();
    assert.equal(verdict(authority.trust(), await enrol(world, authority), world.clock.wallMs()), 'identified');
  });

  test('needs the key of the root, which may be anywhere', async (context) => {
    const world = await createAuthorityWorld(context);
    const [root] = valueOf(world.store.read(storedRoots));
    const away = join(world.folder, 'safe');
    await rename(join(world.folder, root?.keyReference ?? ''), away);
    assert.match(
      why(await renewIssuing(world.store, { issuing: ISSUING, revokeOld: false }, world.deps)),
      /root's key is needed/,
    );
    valueOf(await renewIssuing(world.store, { issuing: ISSUING, rootKey: away, revokeOld: false }, world.deps));
    await writeKeyFile(away, generateKeyPair('p256').privateKey);
    assert.match(
      why(await renewIssuing(world.store, { issuing: ISSUING, rootKey: away, revokeOld: false }, world.deps)),
      /not that of the certificate/,
    );
    // The authority itself runs without it.
    const authority = await world.run();
    assert.equal(authority.isGood((await enrol(world, authority)).serial), true);
  });

  test('waits for that over a restart too, and not where nobody lives by the one before', async (context) => {
    const world = await createAuthorityWorld(context);
    const nobody = await world.run();
    await nobody.stop();
    world.clock.advance(HOUR + 1);
    valueOf(await renewIssuing(world.store, { issuing: ISSUING, revokeOld: false }, world.deps));
    const first = await world.run();
    const before = await enrol(world, first);
    const newest = (): string | undefined => valueOf(world.store.read(storedSigners)).at(-1)?.chain[0]?.toBase64();
    assert.equal(before.chain[1]?.toBase64(), newest());
    valueOf(await renewIssuing(world.store, { issuing: ISSUING, revokeOld: false }, world.deps));
    await first.stop();
    const second = await world.run();
    assert.deepEqual((await enrol(world, second)).chain[1], before.chain[1]);
    world.clock.advance(LEAD);
    await world.look();
    assert.equal((await enrol(world, second)).chain[1]?.toBase64(), newest());
  });

  test('whose key cannot be opened: the old one goes on, and it is said until it is mended', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const before = await enrol(world, authority);
    const { issuingKey } = valueOf(await renewIssuing(world.store, { issuing: ISSUING, revokeOld: false }, world.deps));
    await chmod(issuingKey, 0o644);
    world.clock.advance(LEAD);
    await world.look();
    assert.match(authority.figures().problem ?? '', /may be read by others than its owner/);
    assert.deepEqual((await enrol(world, authority)).chain[1], before.chain[1]);
    await chmod(issuingKey, 0o600);
    world.clock.advance(2_000);
    await world.look();
    await world.look();
    assert.equal(authority.figures().problem, undefined);
    assert.notDeepEqual((await enrol(world, authority)).chain[1], before.chain[1]);
  });
});

describe('a new root', () => {
  test('is prepared, put to work and the old one retired, and nobody is refused in between', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const now = (): number => world.clock.wallMs();
    const first = await enrol(world, authority);
    const oldTrust = authority.trust();

    valueOf(await prepareRoot(world.store, ROOT, world.deps));
    await world.look();
    assert.equal(rootCount(authority), 2);
    const stillOld = await enrol(world, authority);
    assert.equal(verdict(oldTrust, stillOld, now()), 'identified');
    const bothTrust = authority.trust();

    world.clock.advance(HOUR / 2);
    const activated = valueOf(await activateRoot(world.store, ACTIVATE, world.deps));
    assert.equal(activated.warning, undefined);
    await world.look();
    world.clock.advance(LEAD);
    await world.look();
    const underNew = await enrol(world, authority);
    // Lists of the new CA are newer than that trust, so it is asked without them.
    const both = valueOf(createTrustStore(bothTrust.bundles));
    assert.equal(verifyPeer(underNew.chain, both, now(), { purpose: 'client', requireCrl: false }).kind, 'identified');
    for (const svid of [first, stillOld, underNew]) assert.equal(verdict(authority.trust(), svid, now()), 'identified');
    const renewed = valueOf(
      await authority.issue(
        { kind: 'certificate', spiffeId: first.spiffeId, serial: first.serial },
        await newCsr(),
        '',
      ),
    );
    assert.deepEqual(renewed.chain[1], underNew.chain[1]);

    const retiring = { state: 'retiring', force: false } as const;
    assert.match(why(await retireRoot(world.store, retiring, world.deps)), /in use until/);
    world.clock.advance(HOUR);
    await world.look();
    assert.equal(valueOf(await retireRoot(world.store, retiring, world.deps)).retired, 1);
    await world.look();
    assert.equal(rootCount(authority), 1);
    assert.equal(verdict(authority.trust(), await enrol(world, authority), now()), 'identified');
    assert.equal(authority.figures().problem, undefined);
    assert.match(why(await retireRoot(world.store, retiring, world.deps)), /no retiring root/);
  });

  test('put to work: the authority shows a certificate under it as soon as it issues, for whoever begins with it alone', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const first = authority.own().svid.serial;
    valueOf(await prepareRoot(world.store, ROOT, world.deps));
    await world.look();
    assert.equal(authority.own().svid.serial, first);
    valueOf(await activateRoot(world.store, ACTIVATE, world.deps));
    const next = valueOf(world.store.read(storedRoots)).find(({ state }) => state === 'active');
    await world.look();
    world.clock.advance(LEAD);
    await world.look();
    const { svid } = authority.own();
    const trust = valueOf(createTrustStore(new Map([[authority.trustDomain, [next?.der ?? new Uint8Array()]]])));
    const judged = verifyPeer(svid.chain, trust, world.clock.wallMs(), { purpose: 'server', requireCrl: false });
    assert.equal(judged.kind, 'identified');
    // Once: what is under the present CA stays until half of its life.
    await world.look();
    await world.look();
    assert.equal(authority.own().svid.serial, svid.serial);
  });

  test('put to work at once: it is done, with a warning', async (context) => {
    const world = await createAuthorityWorld(context);
    assert.match(why(await activateRoot(world.store, ACTIVATE, world.deps)), /no prepared root/);
    valueOf(await prepareRoot(world.store, ROOT, world.deps));
    assert.match(why(await prepareRoot(world.store, ROOT, world.deps)), /prepared already/);
    assert.match(
      valueOf(await activateRoot(world.store, ACTIVATE, world.deps)).warning ?? '',
      /until then some may refuse/,
    );
  });

  test('is not waited for by what was revoked', async (context) => {
    const world = await createAuthorityWorld(context);
    const svid = valueOf(await issueToOperator(world.store, { id: AGENT, ttlMs: DAY }, await newCsr(), world.deps));
    valueOf(await prepareRoot(world.store, ROOT, world.deps));
    valueOf(await activateRoot(world.store, ACTIVATE, world.deps));
    const retire = () => retireRoot(world.store, { state: 'retiring', force: false }, world.deps);
    assert.match(why(await retire()), /is in use until/);
    valueOf(revoke(world.store, { which: { serial: svid.serial }, reason: 'test', bar: false }, world.deps));
    assert.equal(why(await retire()), 'done');
  });

  test('retired by force cuts off what is under it; one that was never used goes without force', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const svid = await enrol(world, authority);
    valueOf(await prepareRoot(world.store, ROOT, world.deps));
    assert.equal(valueOf(await retireRoot(world.store, { state: 'prepared', force: false }, world.deps)).retired, 1);
    valueOf(await prepareRoot(world.store, ROOT, world.deps));
    valueOf(await activateRoot(world.store, ACTIVATE, world.deps));
    valueOf(await retireRoot(world.store, { state: 'retiring', force: true }, world.deps));
    await world.look();
    assert.equal(rootCount(authority), 1);
    assert.notEqual(verdict(authority.trust(), svid, world.clock.wallMs()), 'identified');
    // The authority's own certificate was under the old root.
    assert.equal(verdict(authority.trust(), authority.own().svid, world.clock.wallMs()), 'identified');
  });

  test('every step leaves the roots of the moment in DOMAIN.pem', async (context) => {
    const world = await createAuthorityWorld(context);
    const count = async (): Promise<number> =>
      valueOf(pemBlocks(await readFile(join(world.folder, 'example.org.pem'), 'utf8'))).length;
    const counts = [await count()];
    valueOf(await prepareRoot(world.store, ROOT, world.deps));
    counts.push(await count());
    valueOf(await activateRoot(world.store, ACTIVATE, world.deps));
    counts.push(await count());
    valueOf(await retireRoot(world.store, { state: 'retiring', force: false }, world.deps));
    counts.push(await count());
    assert.deepEqual(counts, [1, 2, 2, 1]);
  });
});

test('an authority is not made where there is one', async (context) => {
  const world = await createAuthorityWorld(context);
  const made = await initAuthority(world.store, { trustDomain: 'other.org', root: ROOT, issuing: ISSUING }, world.deps);
  assert.match(why(made), /the authority of example\.org already/);
});

test('an authority does not start over the folder of another domain, of none, or with a key that does not fit', async (context) => {
  const world = await createAuthorityWorld(context);
  await assert.rejects(
    world.run({ trustDomain: 'other.org' as IssuingAuthority['trustDomain'] }),
    /the authority of example\.org, not of other\.org/,
  );
  await assert.rejects(world.run({ folder: join(world.folder, 'empty') }), /there is no authority in .*ca init/);
  const wrong = join(world.folder, 'wrong.key');
  await writeKeyFile(wrong, generateKeyPair('p256').privateKey);
  await assert.rejects(world.run({ issuingKey: wrong }), /nothing can be issued: .*not that of the certificate/);
});
