import assert from 'node:assert/strict';
import { readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { createAuthorityFolder } from '../../../src/io/authority/authority-folder.ts';
import { createIdentitySource } from '../../../src/io/sources/identity-source.ts';
import { systemClock, systemRandom } from '../../support/system-clock.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { AuthorityFault, AuthorityFolder } from '../../../src/io/authority/authority-folder.ts';

const HOUR = 3_600_000;
const ID = 'spiffe://example.org/ns/agents/sa/researcher';

async function world(context: TestContext): Promise<{ folder: string; ca: AuthorityFolder }> {
  const folder = await tempFolder(context);
  return { folder, ca: createAuthorityFolder(folder, { clock: systemClock, random: systemRandom }) };
}

function valueOf<T>(result: Result<T, AuthorityFault>): T {
  if (!result.ok) throw new Error(result.error.detail);
  return result.value;
}

function refusal(result: Result<unknown, AuthorityFault>): string {
  return result.ok ? 'done' : `${result.error.kind}: ${result.error.detail}`;
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

test('init writes bundle, key, list and log under the name of the trust domain; the key is for its owner only', async (context) => {
  const { folder, ca } = await world(context);
  const files = valueOf(await ca.init('example.org', 24 * HOUR, false));
  assert.deepEqual(files, {
    trustBundle: join(folder, 'example.org.pem'),
    privateKey: join(folder, 'example.org.key'),
    revocationList: join(folder, 'example.org.crl.pem'),
  });
  assert.deepEqual([await modeOf(files.privateKey), await modeOf(files.trustBundle)], ['600', '644']);
});

test('an authority is not replaced by accident', async (context) => {
  const { folder, ca } = await world(context);
  valueOf(await ca.init('example.org', HOUR, false));
  const before = await readFile(join(folder, 'example.org.key'), 'utf8');
  assert.match(
    refusal(await ca.init('example.org', HOUR, false)),
    /^refused: .*example\.org\.key is there already; --force/,
  );
  assert.equal(await readFile(join(folder, 'example.org.key'), 'utf8'), before);
  valueOf(await ca.init('example.org', HOUR, true));
  assert.notEqual(await readFile(join(folder, 'example.org.key'), 'utf8'), before);
});

test('what init and issue write is what a sidecar reads', async (context) => {
  const { folder, ca } = await world(context);
  const authority = valueOf(await ca.init('example.org', 24 * HOUR, false));
  const issued = valueOf(await ca.issue({ id: ID, ttlMs: HOUR }, { force: false }));
  assert.deepEqual(
    [issued.certificate, issued.privateKey],
    [join(folder, 'researcher.pem'), join(folder, 'researcher.key')],
  );
  assert.equal(await modeOf(issued.privateKey), '600');
  const source = createIdentitySource(
    {
      certificate: issued.certificate,
      privateKey: issued.privateKey,
      trustBundles: { 'example.org': authority.trustBundle },
      revocationLists: [authority.revocationList],
    },
    { clock: systemClock },
  );
  await source.start();
  source.stop();
  assert.deepEqual([source.problem, source.current?.own.spiffeId, source.current?.warnings], [undefined, ID, []]);
});

test('leaves go where they are told, under the name they are told', async (context) => {
  const { folder, ca } = await world(context);
  valueOf(await ca.init('example.org', 24 * HOUR, false));
  const issued = valueOf(
    await ca.issue({ id: ID, ttlMs: HOUR }, { out: join(folder, 'out/deep'), name: 'agent', force: false }),
  );
  assert.equal(issued.certificate, join(folder, 'out/deep/agent.pem'));
});

test('a renewal replaces its own certificate, and no other', async (context) => {
  const { folder, ca } = await world(context);
  valueOf(await ca.init('example.org', 24 * HOUR, false));
  const first = valueOf(await ca.issue({ id: ID, ttlMs: HOUR }, { force: false }));
  const second = valueOf(await ca.issue({ id: ID, ttlMs: HOUR }, { force: false }));
  assert.notEqual(first.serial, second.serial);
  const other = { id: 'spiffe://example.org/other/researcher', ttlMs: HOUR };
  assert.match(
    refusal(await ca.issue(other, { force: false })),
    /researcher\.pem is the certificate of spiffe:\/\/example\.org\/ns/,
  );
  valueOf(await ca.issue(other, { force: true }));
  await writeFile(join(folder, 'notes.pem'), 'my notes');
  assert.match(
    refusal(await ca.issue({ id: 'spiffe://example.org/notes', ttlMs: HOUR }, { force: false })),
    /is no certificate of a workload/,
  );
});

test('a workload named like its trust domain does not overwrite the trust bundle', async (context) => {
  const { folder, ca } = await world(context);
  valueOf(await ca.init('example.org', 24 * HOUR, false));
  const before = await readFile(join(folder, 'example.org.key'), 'utf8');
  assert.match(
    refusal(await ca.issue({ id: 'spiffe://example.org/example.org', ttlMs: HOUR }, { force: false })),
    /^refused: /,
  );
  assert.equal(await readFile(join(folder, 'example.org.key'), 'utf8'), before);
});

test('revoking by ID revokes all that was issued for it, by serial the one; the list says so', async (context) => {
  const { ca } = await world(context);
  valueOf(await ca.init('example.org', 24 * HOUR, false));
  const first = valueOf(await ca.issue({ id: ID, ttlMs: HOUR }, { force: false }));
  const second = valueOf(await ca.issue({ id: ID, ttlMs: HOUR }, { force: false }));
  const other = valueOf(await ca.issue({ id: 'spiffe://example.org/x', ttlMs: HOUR }, { force: false }));
  const colons = other.serial.toUpperCase().replaceAll(/..(?!$)/g, '$&:');
  assert.deepEqual(valueOf(await ca.revoke('example.org', { serial: colons })).serials, [other.serial]);
  assert.deepEqual(valueOf(await ca.revoke('example.org', { id: ID })).serials, [first.serial, second.serial]);
  assert.match(refusal(await ca.revoke('example.org', { id: ID })), /^refused: .*knows no certificate/);
  assert.match(refusal(await ca.revoke('example.org', { serial: 'ff' })), /^refused: .*serial/);
  assert.equal(valueOf(await ca.crl('example.org', HOUR)).entries, 3);
});

test('issuing at the same time forgets nothing', async (context) => {
  const { ca } = await world(context);
  valueOf(await ca.init('example.org', 24 * HOUR, false));
  const issue = (name: string) => ca.issue({ id: ID, ttlMs: HOUR }, { name, force: false });
  const issued = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(issue));
  const { serials } = valueOf(await ca.revoke('example.org', { id: ID }));
  assert.deepEqual([...serials].sort(), issued.map((result) => valueOf(result).serial).sort());
});

test('a log that was damaged is a fault: a revocation must not be forgotten', async (context) => {
  const { folder, ca } = await world(context);
  valueOf(await ca.init('example.org', 24 * HOUR, false));
  await writeFile(join(folder, 'example.org.log.jsonl'), '{"event":"revoked"}\n');
  assert.match(refusal(await ca.crl('example.org', HOUR)), /^failed: .*log\.jsonl:1: /);
});

test('without an authority nothing is issued, and the way to one is told', async (context) => {
  const { ca } = await world(context);
  assert.match(
    refusal(await ca.issue({ id: ID, ttlMs: HOUR }, { force: false })),
    /ca init --trust-domain example\.org/,
  );
});

test('a trust domain cannot lead out of the folder', async (context) => {
  const { ca } = await world(context);
  for (const name of ['..', '../x', '.hidden', 'a/b', '']) {
    assert.match(refusal(await ca.init(name, HOUR, false)), /^refused: no trust domain/);
    assert.match(refusal(await ca.crl(name, HOUR)), /^refused: no trust domain/);
  }
});

test('a key is never written through a link that stands in its place', async (context) => {
  const { folder, ca } = await world(context);
  await symlink(join(folder, 'elsewhere'), join(folder, 'example.org.key'));
  valueOf(await ca.init('example.org', HOUR, true));
  await assert.rejects(stat(join(folder, 'elsewhere')));
});

test('a folder that cannot be written is a failure, not a refusal', async (context) => {
  const { folder } = await world(context);
  await writeFile(join(folder, 'file'), '');
  const ca = createAuthorityFolder(join(folder, 'file'), { clock: systemClock, random: systemRandom });
  assert.match(refusal(await ca.init('example.org', HOUR, false)), /^failed: /);
});
