import assert from 'node:assert/strict';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';

import { verifyLogFiles } from '../../../src/cli/verify-log-files.ts';
import { AGENT, createAuthorityWorld, HOUR, newCsr, valueOf } from '../../support/authority-world.ts';

import type { TestContext } from 'node:test';
import type { Attestation } from '../../../src/core/model/svid.ts';
import type { IssuingAuthority } from '../../../src/io/authority/issuing-authority.ts';
import type { AuthorityWorld } from '../../support/authority-world.ts';

async function ask(authority: IssuingAuthority, attestation: Attestation): Promise<string> {
  const issued = await authority.issue(attestation, await newCsr(), '192.0.2.7');
  return issued.ok ? 'issued' : issued.error.kind;
}

function count(world: AuthorityWorld, what: string): number {
  const row = valueOf(world.store.read((database) => database.prepare(`SELECT count(*) AS n FROM ${what}`).get()));
  return Number(row?.['n']);
}

/** Another process that has the database open. */
function outsider(context: TestContext, world: AuthorityWorld): DatabaseSync {
  const database = new DatabaseSync(join(world.folder, 'authority.db'));
  context.after(() => database.close());
  return database;
}

describe('while the state cannot be written', () => {
  test('because another process holds it: nothing is given out, no token is spent, the next call works, the gap is in the log', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run({ store: { busyMs: 10 } });
    const token = world.token();
    const before = count(world, 'certificates');
    const other = outsider(context, world);
    other.exec('BEGIN IMMEDIATE');
    assert.equal(await ask(authority, token), 'store_unavailable');
    assert.equal(await ask(authority, { kind: 'join-token', token: 'no' }), 'caller_refused');
    other.exec('ROLLBACK');
    assert.equal(count(world, 'certificates'), before);
    assert.equal(authority.figures().recordsLost, 2);
    assert.equal(await ask(authority, token), 'issued');
    await authority.stop();
    const verdict = await verifyLogFiles([join(world.folder, 'issuance.jsonl')]);
    assert.deepEqual(verdict.kind === 'sound' && verdict.lost, 2);
  });

  test('because it may not grow: refused, and what is forgotten makes room again', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run({ store: { maxBytes: 300_000 }, leafTtlMs: HOUR });
    const kubernetes = { kind: 'kubernetes', namespace: 'open', serviceAccount: 'a', pod: undefined } as const;
    // A row may still find a place where the one before found none, so full is what refuses some in a row.
    let held = 0;
    for (let refusals = 0, turn = 0; refusals < 5; turn += 1) {
      assert.ok(turn < 3_000, 'it grows without bound');
      held = count(world, 'certificates');
      const outcome = await ask(authority, kubernetes);
      refusals = outcome === 'store_unavailable' ? refusals + 1 : 0;
      assert.equal(count(world, 'certificates') - held, outcome === 'issued' ? 1 : 0);
    }
    await world.look();
    world.clock.advance(31 * 24 * HOUR);
    await world.look();
    assert.ok(count(world, 'certificates') < held);
    assert.equal(await ask(authority, kubernetes), 'issued');
  });

  test('because of an error of any kind: refused by name, and trust and lists stay as they were', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const token = world.token();
    const revision = authority.trust().revision;
    const other = outsider(context, world);
    other.exec("CREATE TRIGGER broken BEFORE INSERT ON certificates BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END");
    other.exec("CREATE TRIGGER broken_too BEFORE UPDATE ON signers BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END");
    const refused = await authority.issue(token, await newCsr(), '');
    assert.deepEqual(refused, { ok: false, error: { kind: 'store_unavailable', detail: 'disk I/O error' } });
    world.clock.advance(HOUR / 2);
    await world.look();
    assert.match(authority.figures().problem ?? '', /revocation list of issuing CA 1: disk I\/O error/);
    assert.equal(authority.trust().revision, revision);
    other.exec('DROP TRIGGER broken; DROP TRIGGER broken_too');
    world.clock.advance(5_000);
    await world.look();
    await world.look();
    assert.equal(authority.figures().problem, undefined);
    assert.notEqual(authority.trust().revision, revision);
    assert.equal(await ask(authority, token), 'issued');
  });

  test('revocations of a moment ago still count', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run({ store: { busyMs: 10 } });
    const svid = valueOf(await authority.issue(world.token(), await newCsr(), ''));
    const other = outsider(context, world);
    other.prepare("INSERT INTO revocations VALUES (?, 1, 'x')").run(svid.serial);
    other.exec('BEGIN IMMEDIATE');
    assert.equal(authority.isGood(svid.serial), false);
    assert.equal(await ask(authority, { kind: 'certificate', spiffeId: AGENT, serial: svid.serial }), 'caller_refused');
    other.exec('ROLLBACK');
  });
});

describe('while the log file cannot be written', () => {
  test('records wait in the database, issuing goes on, and nothing is missing afterwards', async (context) => {
    const world = await createAuthorityWorld(context);
    const authority = await world.run();
    const log = join(world.folder, 'issuance.jsonl');
    await rename(log, `${log}.1`);
    await mkdir(log);
    assert.equal(await ask(authority, world.token()), 'issued');
    await world.look();
    assert.match(authority.figures().problem ?? '', /issuance\.jsonl: EISDIR/);
    assert.ok(authority.figures().recordsPending > 0);
    await rm(log, { recursive: true });
    await world.look();
    assert.deepEqual([authority.figures().problem, authority.figures().recordsPending], [undefined, 0]);
    assert.equal((await verifyLogFiles([`${log}.1`, log])).kind, 'sound');
  });

  test('and too many records wait: nothing is issued any more', async (context) => {
    const world = await createAuthorityWorld(context);
    const many = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10001)';
    const log = join(world.folder, 'issuance.jsonl');
    await rm(log);
    await mkdir(log);
    valueOf(world.store.write(({ database }) => database.exec(`INSERT INTO records (line) ${many} SELECT 'x' FROM n`)));
    const authority = await world.run();
    assert.equal(await ask(authority, world.token()), 'store_unavailable');
    assert.equal(authority.figures().recordsLost, 1);
  });
});
