import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { allLiving } from '../../../src/io/authority/certificate-rows.ts';
import { issueFiles } from '../../../src/io/authority/issued-files.ts';
import { AGENT, createAuthorityWorld, DAY, HOUR, newCsr, valueOf } from '../../support/authority-world.ts';

import type { Result } from '../../../src/core/kernel/result.ts';
import type { IssuedFiles, IssuedKey, IssueTarget } from '../../../src/io/authority/issued-files.ts';
import type { AuthorityWorld } from '../../support/authority-world.ts';

const NEW = { kind: 'new', keyKind: 'p256' } as const;

function issue(
  { store, deps }: AuthorityWorld,
  id: string = AGENT,
  target: IssueTarget = {},
  key: IssuedKey = NEW,
): Promise<Result<IssuedFiles, string>> {
  return issueFiles(store, { id, ttlMs: HOUR }, key, target, deps);
}

function why(result: Result<unknown, string>): string {
  return result.ok ? 'done' : result.error;
}

function issuedSoFar({ store }: AuthorityWorld): number {
  return valueOf(store.read((database) => allLiving(database, 0))).length;
}

test('the certificate is written with its CA, the key for its owner only, under the last part of the ID', async (context) => {
  const world = await createAuthorityWorld(context);
  const { certificate, privateKey = '', serial, notAfter } = valueOf(await issue(world));
  assert.deepEqual(
    [certificate, privateKey],
    [join(world.folder, 'researcher.pem'), join(world.folder, 'researcher.key')],
  );
  const leaf = new X509Certificate(await readFile(certificate));
  assert.equal(leaf.serialNumber.toLowerCase(), serial);
  assert.equal(leaf.validToDate.toISOString(), notAfter);
  assert.equal(leaf.checkPrivateKey(createPrivateKey(await readFile(privateKey))), true);
  assert.equal((await stat(privateKey)).mode & 0o777, 0o600);
});

test('issuing at the same time loses nothing', async (context) => {
  const world = await createAuthorityWorld(context);
  const issued = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => issue(world, AGENT, { name })));
  const serials = issued.map((one) => valueOf(one).serial);
  const stored = valueOf(world.store.read((database) => allLiving(database, 0))).map(({ serial }) => serial);
  assert.deepEqual(stored.toSorted(), serials.toSorted());
});

test('what is refused for its file is not issued', async (context) => {
  const world = await createAuthorityWorld(context);
  await writeFile(join(world.folder, 'researcher.key'), 'mine');
  assert.match(why(await issue(world)), /researcher\.key is there already, without its certificate; .*--force/);
  assert.match(why(await issue(world, AGENT, { name: 'example.org', force: true })), /file of the authority itself/);
  assert.equal(issuedSoFar(world), 0);
  valueOf(await issue(world, AGENT, { force: true }));
});

test('a key is never written through a link that stands in its place', async (context) => {
  const world = await createAuthorityWorld(context);
  await symlink(join(world.folder, 'elsewhere'), join(world.folder, 'researcher.key'));
  valueOf(await issue(world, AGENT, { force: true }));
  await assert.rejects(stat(join(world.folder, 'elsewhere')));
});

test('a key that lives elsewhere stays there', async (context) => {
  const world = await createAuthorityWorld(context);
  const issued = valueOf(await issue(world, AGENT, {}, { kind: 'elsewhere', csr: await newCsr() }));
  assert.equal(issued.privateKey, undefined);
  await assert.rejects(stat(join(world.folder, 'researcher.key')));
});

test('keys are written as they are to be encoded', async (context) => {
  const world = await createAuthorityWorld(context);
  const { privateKey = '' } = valueOf(await issue(world, AGENT, {}, { ...NEW, encodeKey: () => 'encoded' }));
  assert.equal(await readFile(privateKey, 'utf8'), 'encoded');
});

test('files that cannot be written are said with the code of the system; the certificate is known all the same, to be revoked', async (context) => {
  const world = await createAuthorityWorld(context);
  await mkdir(join(world.folder, 'taken.pem'));
  await writeFile(join(world.folder, 'file'), '');
  assert.match(why(await issue(world, AGENT, { out: join(world.folder, 'file/deep') })), /^E[A-Z]+: /);
  assert.match(why(await issue(world, AGENT, { name: 'taken', force: true })), /^E[A-Z]+: /);
  assert.equal(issuedSoFar(world), 2);
  assert.match(why(await issueFiles(world.store, { id: AGENT, ttlMs: 999 * DAY }, NEW, {}, world.deps)), /ends at/);
});
