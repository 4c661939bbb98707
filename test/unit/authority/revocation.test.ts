import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { parseCrl } from '../../../src/core/identity/crl.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { liftBar, revoke } from '../../../src/io/authority/revoking.ts';
import { AGENT, createAuthorityWorld, HOUR, newCsr, valueOf } from '../../support/authority-world.ts';
import { crlNumber } from '../../support/crl-number.ts';

import type { Attestation } from '../../../src/core/model/svid.ts';
import type { Which } from '../../../src/io/authority/certificate-rows.ts';
import type { IssuedSvid, IssuingAuthority } from '../../../src/io/authority/issuing-authority.ts';
import type { AuthorityWorld } from '../../support/authority-world.ts';

const MINUTE = 60_000;

async function ask(authority: IssuingAuthority, attestation: Attestation, csr?: Uint8Array): Promise<string> {
  const issued = await authority.issue(attestation, csr ?? (await newCsr()), '192.0.2.7');
  return issued.ok ? 'issued' : issued.error.kind;
}

async function enrol(world: AuthorityWorld, authority: IssuingAuthority, csr?: Uint8Array): Promise<IssuedSvid> {
  return valueOf(await authority.issue(world.token(), csr ?? (await newCsr()), '192.0.2.7'));
}

function renewal({ spiffeId, serial }: IssuedSvid): Attestation {
  return { kind: 'certificate', spiffeId, serial };
}

function pod(uid: string | undefined): Attestation {
  const holder = uid === undefined ? undefined : { name: 'p', uid };
  return { kind: 'kubernetes', namespace: 'agents', serviceAccount: 'researcher', pod: holder };
}

/** Revokes as the command line does: in another process, as far as the authority can tell. */
function cut(world: AuthorityWorld, which: Which, bar = false): readonly string[] {
  return valueOf(revoke(world.store, { which, reason: 'test', bar }, world.deps)).serials;
}

/** Serials on the list of the CA that issues. */
function listed(authority: IssuingAuthority, serials: readonly string[]): readonly boolean[] {
  const [der = new Uint8Array()] = authority.trust().crls;
  const { revoked } = valueOf(parseCrl(der));
  return serials.map((serial) => revoked.has(serial));
}

describe('what another process revokes', () => {
  test('is not good at once, on the next list after one look, and refused by peers', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const [gone, stays] = [await enrol(world, authority), await enrol(world, authority)];
    let told = 0;
    authority.onTrust(() => (told += 1));
    const before = authority.trust().revision;
    assert.deepEqual(cut(world, { serial: gone.serial }), [gone.serial]);
    assert.deepEqual([authority.isGood(gone.serial), authority.isGood(stays.serial)], [false, true]);
    await world.look();
    assert.equal(told, 1);
    assert.notEqual(authority.trust().revision, before);
    assert.deepEqual(listed(authority, [gone.serial, stays.serial]), [true, false]);
    const { bundles, crls } = authority.trust();
    const trust = valueOf(createTrustStore(bundles, crls));
    const kinds = [gone, stays].map(({ chain }) => {
      const verdict = verifyPeer(chain, trust, world.clock.wallMs(), { purpose: 'client', requireCrl: true });
      return verdict.kind === 'rejected' ? verdict.fault.code : verdict.kind;
    });
    assert.deepEqual(kinds, ['peer_certificate_revoked', 'identified']);
  });

  test('is on the first list of an authority that was not running', async (context) => {
    const world = await createAuthorityWorld(context);
    const first = await world.run();
    const { serial } = await enrol(world, first);
    await first.stop();
    cut(world, { serial });
    assert.deepEqual(listed(await world.run(), [serial]), [true]);
  });

  test('serial: case, colons and leading zeros do not matter', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const { serial } = await enrol(world, authority);
    const printed = `00${serial}`.toUpperCase().replaceAll(/..(?=.)/g, '$&:');
    assert.deepEqual(cut(world, { serial: printed }), [serial]);
  });

  test('nothing in force under that name: it is said, and nothing changes', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const { serial } = await enrol(world, authority);
    cut(world, { serial });
    for (const which of [{ serial }, { serial: 'ab' }, { spiffeId: AGENT }, { spkiSha256: 'ab' }]) {
      assert.equal(
        revoke(world.store, { which, reason: 'x', bar: false }, world.deps).ok,
        false,
        JSON.stringify(which),
      );
    }
  });
});

describe('who was revoked', () => {
  test('does not renew, and its key is never certified again, whoever asks', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const csr = await createCsr(generateKeyPair('p256').privateKey);
    const svid = await enrol(world, authority, csr);
    cut(world, { serial: svid.serial });
    assert.equal(await ask(authority, renewal(svid)), 'caller_refused');
    assert.equal(await ask(authority, world.token(), csr), 'csr_key_refused');
    assert.equal(await ask(authority, world.token()), 'issued');
  });

  test('by ID: all certificates of it end, open tokens are void, a fresh token enrols again', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const old = world.token();
    const svids = [await enrol(world, authority), await enrol(world, authority)];
    const other = valueOf(await authority.issue(world.token(`${AGENT}-2`), await newCsr(), ''));
    assert.deepEqual([...cut(world, { spiffeId: AGENT })].toSorted(), svids.map(({ serial }) => serial).toSorted());
    assert.equal(authority.isGood(other.serial), true);
    assert.equal(await ask(authority, old), 'caller_refused');
    assert.equal(await ask(authority, world.token()), 'issued');
  });

  test('by ID and barred: nothing enrols it until the bar is lifted', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const token = world.token();
    cut(world, { spiffeId: AGENT }, true);
    assert.throws(() => world.token(), /is barred/);
    assert.equal(await ask(authority, pod('u-9')), 'id_refused');
    assert.equal(await ask(authority, { kind: 'workload', spiffeId: AGENT }), 'id_refused');
    valueOf(liftBar(world.store, 'id', AGENT, world.deps));
    assert.equal(await ask(authority, token), 'caller_refused');
    assert.equal(await ask(authority, world.token()), 'issued');
    assert.equal(liftBar(world.store, 'id', AGENT, world.deps).ok, false);
  });

  test('by key: every certificate of it, and a key that was never seen can be barred', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const csr = await createCsr(generateKeyPair('p256').privateKey);
    const svids = [await enrol(world, authority, csr), await enrol(world, authority, csr)];
    const { spkiSha256 = '' } = svids[0] ?? {};
    assert.equal(cut(world, { spkiSha256: spkiSha256.toUpperCase() }).length, 2);
    assert.deepEqual(cut(world, { spkiSha256: 'ab'.repeat(32) }, true), []);
  });

  test('what was renewed from it is revoked with it, over all generations: a thief who renewed first gains nothing', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const renew = async (from: IssuedSvid): Promise<IssuedSvid> =>
      valueOf(await authority.issue(renewal(from), await newCsr(), '203.0.113.66'));
    const [stolen, bystander] = [await enrol(world, authority), await enrol(world, authority)];
    const [rightful, thief] = [await renew(stolen), await renew(stolen)];
    const second = await renew(thief);
    const gone = [stolen, rightful, thief, second];
    const serials = gone.map(({ serial }) => serial);
    assert.deepEqual([...cut(world, { serial: stolen.serial })].toSorted(), serials.toSorted());
    for (const svid of gone) assert.equal(await ask(authority, renewal(svid)), 'caller_refused');
    assert.equal(await ask(authority, renewal(bystander)), 'issued');
    await world.look();
    assert.deepEqual(listed(authority, [...serials, bystander.serial]), [true, true, true, true, false]);
  });

  test('by a serial that has ended, or by the key of one: what was renewed from it is revoked all the same', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    for (const by of ['serial', 'spkiSha256'] as const) {
      const ended = await enrol(world, authority);
      world.clock.advance(HOUR / 2);
      const young = valueOf(await authority.issue(renewal(ended), await newCsr(), ''));
      world.clock.advance(HOUR * 0.75);
      const which = by === 'serial' ? { serial: ended.serial } : { spkiSha256: ended.spkiSha256 };
      assert.deepEqual(cut(world, which), [young.serial]);
      assert.equal(await ask(authority, renewal(young)), 'caller_refused');
    }
  });

  test('what was renewed before is not: only what comes after a certificate comes from it', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const first = await enrol(world, authority);
    const { serial } = valueOf(await authority.issue(renewal(first), await newCsr(), ''));
    assert.deepEqual(cut(world, { serial }), [serial]);
    assert.equal(await ask(authority, renewal(first)), 'issued');
  });

  test('a bar that could never meet anybody is refused, not set in vain; an ID counts in any case of its scheme', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    for (const which of [
      { spiffeId: `${AGENT}/` },
      { spiffeId: 'researcher' },
      { spiffeId: 'spiffe://example.org' },
      { spiffeId: 'spiffe://other.org/a' },
      { spkiSha256: 'ab' },
      { spkiSha256: 'zz'.repeat(32) },
    ]) {
      const revoked = revoke(world.store, { which, reason: 'x', bar: true }, world.deps);
      assert.equal(revoked.ok, false, JSON.stringify(which));
    }
    assert.equal(valueOf(world.store.read((database) => database.prepare('SELECT * FROM bars').all().length)), 0);
    cut(world, { spiffeId: AGENT.replace('spiffe', 'SPIFFE') }, true);
    assert.equal(await ask(authority, { kind: 'workload', spiffeId: AGENT }), 'id_refused');
  });

  for (const uid of ['u-1', undefined]) {
    test(`as a ${uid === undefined ? 'service account' : 'pod'} is barred from enrolling, a renewal of it later too`, async (context) => {
      const world = await createAuthorityWorld(context);
      const authority = await world.run();
      const first = valueOf(await authority.issue(pod(uid), await newCsr(), ''));
      const renewed = valueOf(await authority.issue(renewal(first), await newCsr(), ''));
      cut(world, { serial: renewed.serial });
      assert.equal(await ask(authority, pod(uid)), 'caller_refused');
      // Another pod of the account is somebody else; an account without pods is one.
      assert.equal(await ask(authority, pod('u-2')), 'issued');
      const bearer = uid === undefined ? 'account:agents/researcher' : 'pod:u-1';
      valueOf(liftBar(world.store, 'bearer', bearer, world.deps));
      assert.equal(await ask(authority, pod(uid)), 'issued');
    });
  }

  for (const [uid, after] of [
    ['u-1', 'caller_refused'],
    [undefined, 'issued'],
  ] as const) {
    test(`another certificate of ${uid === undefined ? 'a service account, which may be many, renews' : 'a barred pod does not renew either'}`, async (context) => {
      const world = await createAuthorityWorld(context);
      const authority = await world.run();
      const stolen = valueOf(await authority.issue(pod(uid), await newCsr(), ''));
      const other = valueOf(await authority.issue(pod(uid), await newCsr(), ''));
      cut(world, { serial: stolen.serial });
      assert.equal(await ask(authority, renewal(other)), after);
    });
  }
});

describe('lists', () => {
  test('RFC 5280 5.2.3: each has a greater number than any before, over restarts too', async (context) => {
    const world = await createAuthorityWorld(context);
    const numbers: number[] = [];
    for (let life = 0; life < 3; life += 1) {
      const authority = await world.run();
      const note = (): number => numbers.push(crlNumber(authority.trust().crls[0] ?? new Uint8Array()));
      note();
      authority.onTrust(note);
      for (let turn = 0; turn < 3; turn += 1) {
        cut(world, { serial: (await enrol(world, authority)).serial });
        await world.look();
      }
      await authority.stop();
    }
    assert.equal(numbers.length, 12);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].toSorted((a, b) => a - b),
    );
  });

  test('a number that was taken and whose list was never made is not taken again', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const before = crlNumber(authority.trust().crls[0] ?? new Uint8Array());
    valueOf(world.store.write(({ database }) => database.exec('UPDATE signers SET crl_number = crl_number + 5')));
    cut(world, { serial: (await enrol(world, authority)).serial });
    await world.look();
    assert.equal(crlNumber(authority.trust().crls[0] ?? new Uint8Array()), before + 6);
  });

  test('are made anew at half of their life, and when the clock was set back', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run({ crlTtlMs: 10 * MINUTE });
    const list = (): { readonly number: number; readonly nextMs: number } => {
      const [der = new Uint8Array()] = authority.trust().crls;
      return { number: crlNumber(der), nextMs: valueOf(parseCrl(der)).nextUpdateMs };
    };
    const first = list();
    const begin = world.clock.wallMs();
    assert.equal(first.nextMs, begin + 10 * MINUTE);
    await world.look();
    assert.equal(list().number, first.number);
    for (let look = 0; look < 1_200; look += 1) await world.look();
    const second = list();
    assert.deepEqual([second.number, second.nextMs > begin + 14 * MINUTE], [first.number + 1, true]);
    assert.equal(authority.figures().nextUpdateMs > first.nextMs, true);
  });

  test('RFC 5280 3.3: a certificate stays on them until after it has ended, and is forgotten then', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run({ leafTtlMs: 2 * MINUTE, crlTtlMs: MINUTE });
    const { serial } = await enrol(world, authority);
    cut(world, { serial });
    await world.look();
    assert.equal(authority.figures().revoked, 1);
    world.clock.advance(3 * MINUTE);
    await world.look();
    assert.deepEqual(listed(authority, [serial]), [true]);
    world.clock.advance(2 * MINUTE);
    await world.look();
    assert.deepEqual(listed(authority, [serial]), [false]);
  });

  test('the one of the CA that issues comes first, that of the root last, and both are in force', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const { bundles, crls } = authority.trust();
    const { crls: summaries } = valueOf(createTrustStore(bundles, crls));
    assert.deepEqual(
      summaries.map(({ anchored }) => anchored),
      [false, true],
    );
    assert.ok(summaries.every(({ nextUpdateMs }) => nextUpdateMs > world.clock.wallMs()));
  });
});

test('the authority replaces its own certificate where that was revoked, and at half of its life', async (context) => {
  const world = await createAuthorityWorld(context);
  const authority = await world.run();
  const first = authority.own().svid;
  cut(world, { serial: first.serial });
  await world.look();
  const second = authority.own().svid;
  assert.notEqual(second.serial, first.serial);
  world.clock.advance(HOUR / 2);
  await world.look();
  assert.notEqual(authority.own().svid.serial, second.serial);
  assert.equal(authority.isGood(authority.own().svid.serial), true);
});
