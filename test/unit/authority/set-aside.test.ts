import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { initAuthority } from '../../../src/io/authority/ca-setup.ts';
import { openAuthorityStore } from '../../../src/io/authority/authority-store.ts';
import { readInventory } from '../../../src/io/authority/inventory.ts';
import { setAside } from '../../../src/io/authority/set-aside.ts';
import { createAuthorityWorld, DAY, DOMAIN, valueOf } from '../../support/authority-world.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

const AT = Date.parse('2026-01-02T03:04:05.678Z');
const NAME = 'replaced-2026-01-02T03-04-05-678Z';

test('an authority that anybody has open stays where it is', async (context) => {
  const world = await createAuthorityWorld(context);
  const before = await readdir(world.folder);
  const refused = await setAside(world.folder, DOMAIN, AT);
  assert.match(refused.ok ? '' : refused.error, /is in use; end what runs on it/);
  assert.deepEqual((await readdir(world.folder)).toSorted(), before.toSorted());
  // And it still works.
  assert.equal(valueOf(readInventory(world.store, 0)).trustDomain, DOMAIN);
});

test('state, log, bundle, lists and keys are moved together, nothing else is, and another can be made in the place', async (context) => {
  const world = await createAuthorityWorld(context);
  world.store.close();
  await writeFiles(world.folder, { 'agent.pem': '', 'agent.key': '', 'other.org.pem': '', [`${DOMAIN}.crl.pem`]: '' });
  assert.equal(valueOf(await setAside(world.folder, 'whatever', AT)), join(world.folder, NAME));
  assert.deepEqual((await readdir(world.folder)).toSorted(), ['agent.key', 'agent.pem', 'other.org.pem', NAME]);
  const moved = (await readdir(join(world.folder, NAME))).map((name) => name.replace(/-[0-9a-f]{8}/, '')).toSorted();
  const own = ['crl.pem', 'issuing.key', 'pem', 'root.key'].map((name) => `${DOMAIN}.${name}`);
  assert.deepEqual(moved, ['authority.db', ...own, 'issuance.jsonl']);
  assert.equal((await stat(join(world.folder, NAME))).mode & 0o777, 0o700);
  const fresh = openAuthorityStore(world.folder);
  context.after(() => fresh.close());
  const root = { keyKind: 'p256', ttlMs: DAY } as const;
  const issuing = { ttlMs: DAY, key: { kind: 'new', keyKind: 'p256' } } as const;
  valueOf(await initAuthority(fresh, { trustDomain: DOMAIN, root, issuing }, world.deps));
});

test('nothing is moved where there is nothing, and no folder is made', async (context) => {
  const folder = await tempFolder(context);
  assert.equal(valueOf(await setAside(join(folder, 'none'), DOMAIN, AT)), undefined);
  await writeFiles(folder, { 'agent.pem': '' });
  assert.equal(valueOf(await setAside(folder, DOMAIN, AT)), undefined);
  assert.deepEqual(await readdir(folder), ['agent.pem']);
});

test('the files of an authority of before the state was a database are moved by the name of their domain', async (context) => {
  const folder = await tempFolder(context);
  const files = ['crl.pem', 'key', 'log.jsonl', 'pem'].map((name) => `${DOMAIN}.${name}`);
  await writeFiles(folder, Object.fromEntries(files.map((name) => [name, ''])));
  valueOf(await setAside(folder, DOMAIN, AT));
  assert.deepEqual((await readdir(join(folder, NAME))).toSorted(), files);
});
