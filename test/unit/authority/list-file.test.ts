import assert from 'node:assert/strict';
import { readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { parseCrl } from '../../../src/core/identity/crl.ts';
import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { writeListFile } from '../../../src/io/authority/list-file.ts';
import { issueToOperator } from '../../../src/io/authority/operator-issuing.ts';
import { revoke } from '../../../src/io/authority/revoking.ts';
import { renewIssuing } from '../../../src/io/authority/root-rotation.ts';
import { storedSigners } from '../../../src/io/authority/signer-rows.ts';
import { AGENT, createAuthorityWorld, DAY, DOMAIN, newCsr, valueOf } from '../../support/authority-world.ts';
import { crlNumber } from '../../support/crl-number.ts';

import type { IssuedSvid } from '../../../src/core/issuance/svid.ts';
import type { ListFile } from '../../../src/io/authority/list-file.ts';
import type { AuthorityWorld } from '../../support/authority-world.ts';

const TTL = { ttlMs: 30 * DAY };
const ISSUING = { ttlMs: 90 * DAY, key: { kind: 'new', keyKind: 'p256' } } as const;

async function issue({ store, deps }: AuthorityWorld): Promise<IssuedSvid> {
  return valueOf(await issueToOperator(store, { id: AGENT, ttlMs: DAY }, await newCsr(), deps));
}

async function write({ store, deps }: AuthorityWorld): Promise<ListFile> {
  return valueOf(await writeListFile(store, TTL, deps));
}

async function lists({ folder }: AuthorityWorld): Promise<readonly Uint8Array[]> {
  const blocks = valueOf(pemBlocks(await readFile(join(folder, `${DOMAIN}.crl.pem`), 'utf8')));
  assert.ok(blocks.every(({ label }) => label === 'X509 CRL'));
  return blocks.map(({ der }) => der);
}

/** What a peer says that has nothing but the two files, and requires lists. */
async function verdict(world: AuthorityWorld, { chain }: IssuedSvid): Promise<string> {
  const roots = valueOf(pemBlocks(await readFile(join(world.folder, `${DOMAIN}.pem`), 'utf8')));
  const trust = valueOf(createTrustStore(new Map([[DOMAIN, roots.map(({ der }) => der)]]), await lists(world)));
  const judged = verifyPeer(chain, trust, world.clock.wallMs(), { purpose: 'client', requireCrl: true });
  return judged.kind === 'rejected' ? judged.fault.code : judged.kind;
}

test('a peer that has the files alone and requires lists accepts what stands and refuses what is revoked', async (context) => {
  const world = await createAuthorityWorld(context);
  const [good, bad] = [await issue(world), await issue(world)];
  valueOf(revoke(world.store, { which: { serial: bad.serial }, reason: 'test', bar: false }, world.deps));
  const file = await write(world);
  assert.deepEqual([file.entries, file.problems, (await lists(world)).length], [1, [], 2]);
  assert.equal((await stat(file.revocationList)).mode & 0o777, 0o644);
  assert.deepEqual([await verdict(world, good), await verdict(world, bad)], ['identified', 'peer_certificate_revoked']);
  world.clock.advance(TTL.ttlMs + 1);
  assert.equal(await verdict(world, good), 'peer_certificate_expired');
});

test('RFC 5280 5.2.3: numbers only grow, those of an authority that runs on the folder included', async (context) => {
  const world = await createAuthorityWorld(context);
  const numbers: number[] = [];
  const [first = new Uint8Array()] = (await write(world), await lists(world));
  numbers.push(crlNumber(first));
  const authority = await world.run();
  numbers.push(crlNumber(authority.trust().crls[0] ?? new Uint8Array()));
  const [second = new Uint8Array()] = (await write(world), await lists(world));
  numbers.push(crlNumber(second));
  await world.look();
  // What was signed for the file is the newest, and is what the authority tells until it is due to sign again.
  assert.equal(crlNumber(authority.trust().crls[0] ?? new Uint8Array()), crlNumber(second));
  const one = await issue(world);
  valueOf(revoke(world.store, { which: { serial: one.serial }, reason: 'test', bar: false }, world.deps));
  await world.look();
  numbers.push(crlNumber(authority.trust().crls[0] ?? new Uint8Array()));
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].toSorted((a, b) => a - b),
  );
});

test('after a new issuing CA the file has the lists of both, while what the old one issued is in force', async (context) => {
  const world = await createAuthorityWorld(context);
  const old = await issue(world);
  valueOf(await renewIssuing(world.store, { issuing: ISSUING, revokeOld: false }, world.deps));
  const fresh = await issue(world);
  await write(world);
  assert.equal((await lists(world)).length, 3);
  assert.deepEqual([await verdict(world, old), await verdict(world, fresh)], ['identified', 'identified']);
  valueOf(revoke(world.store, { which: { serial: old.serial }, reason: 'test', bar: false }, world.deps));
  await write(world);
  assert.equal(await verdict(world, old), 'peer_certificate_revoked');
});

test('a key of an earlier CA that is away is said, and the other lists are written; without that of the present one none is', async (context) => {
  const world = await createAuthorityWorld(context);
  await issue(world);
  valueOf(await renewIssuing(world.store, { issuing: ISSUING, revokeOld: false }, world.deps));
  const [old, present] = valueOf(world.store.read(storedSigners));
  const away = (name = ''): Promise<void> => rename(join(world.folder, name), join(world.folder, `${name}.away`));
  await away(old?.keyReference);
  const file = await write(world);
  assert.deepEqual([file.problems.length, (await lists(world)).length], [1, 2]);
  assert.match(file.problems[0] ?? '', /^issuing CA 1: /);
  const before = await readFile(file.revocationList);
  await away(present?.keyReference);
  const failed = await writeListFile(world.store, TTL, world.deps);
  assert.match(failed.ok ? '' : failed.error, /^no list can be signed: /);
  assert.deepEqual(await readFile(file.revocationList), before);
});

test('a time that no list can have is refused', async (context) => {
  const world = await createAuthorityWorld(context);
  for (const ttlMs of [0, -1, Number.NaN, 1e15])
    assert.equal((await writeListFile(world.store, { ttlMs }, world.deps)).ok, false, String(ttlMs));
});

test('its root has signed that it revoked no CA, or which', async (context) => {
  const world = await createAuthorityWorld(context);
  await write(world);
  const rootList = async () => valueOf(parseCrl((await lists(world)).at(-1) ?? new Uint8Array()));
  assert.equal((await rootList()).revoked.size, 0);
  valueOf(await renewIssuing(world.store, { issuing: ISSUING, revokeOld: true }, world.deps));
  await write(world);
  assert.equal((await rootList()).revoked.size, 1);
});
