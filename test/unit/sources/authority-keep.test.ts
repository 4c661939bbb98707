import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import fc from 'fast-check';

import { createIdentityKeep } from '../../../src/io/sources/authority-keep.ts';
import { createAuthority } from '../../support/pki.ts';
import { trustOf } from '../../support/scripted-authority.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { KeptIdentity } from '../../../src/io/sources/authority-keep.ts';

const AUTHORITY = 'spiffe://example.org/sallyport/authority';
const home = createAuthority();
const leaf = home.issue();
const KEPT: KeptIdentity = {
  chain: leaf.chain,
  privateKey: leaf.privateKey,
  trust: trustOf('7', [home, createAuthority({ trustDomain: 'partner.example' })], [home.crl().der]),
  firstRoots: 'a'.repeat(64),
};

function assertSame(loaded: KeptIdentity | undefined): void {
  assert.ok(loaded !== undefined);
  assert.ok(loaded.privateKey.equals(KEPT.privateKey));
  assert.deepEqual(
    loaded.chain.map((der) => Buffer.from(der)),
    KEPT.chain.map((der) => Buffer.from(der)),
  );
  assert.equal(loaded.trust.revision, '7');
  assert.deepEqual([...loaded.trust.bundles.keys()], ['example.org', 'partner.example']);
  for (const [domain, bundle] of KEPT.trust.bundles)
    assert.equal(
      Buffer.compare(loaded.trust.bundles.get(domain)?.[0] ?? Buffer.alloc(0), bundle[0] ?? Buffer.alloc(1)),
      0,
    );
  assert.equal(loaded.trust.crls.length, 1);
  assert.equal(loaded.firstRoots, KEPT.firstRoots);
}

test('what is kept is read back the same; before anything was kept there is nothing', async (context) => {
  const keep = createIdentityKeep(join(await tempFolder(context), 'new'), AUTHORITY);
  assert.deepEqual(await keep.load(), { ok: true, value: undefined });
  assert.deepEqual(await keep.save(KEPT), { ok: true, value: undefined });
  const loaded = await keep.load();
  assert.ok(loaded.ok);
  assertSame(loaded.value);
});

test('one file that only we can read, in a folder that only we can write to, and nothing half written', async (context) => {
  const folder = join(await tempFolder(context), 'new');
  const keep = createIdentityKeep(folder, AUTHORITY);
  await keep.save(KEPT);
  await keep.save({ ...KEPT, privateKey: home.issue().privateKey });
  assert.deepEqual(await readdir(folder), ['identity.json']);
  assert.equal((await stat(join(folder, 'identity.json'))).mode & 0o777, 0o600);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
});

test('what is kept while something is being kept comes after it: each is whole, and the last one stays', async (context) => {
  const folder = join(await tempFolder(context), 'new');
  const keep = createIdentityKeep(folder, AUTHORITY);
  const all = Array.from({ length: 8 }, (_, index) => ({ ...KEPT, firstRoots: String(index).repeat(64) }));
  const saved = await Promise.all(all.map((kept) => keep.save(kept)));
  for (const result of saved) assert.deepEqual(result, { ok: true, value: undefined });
  const loaded = await keep.load();
  assert.equal(loaded.ok && loaded.value?.firstRoots, '7'.repeat(64));
  assert.deepEqual(await readdir(folder), ['identity.json']);
});

test('a passphrase encrypts the key on disk, and opens it; without it, or with another one, it is not used', async (context) => {
  const folder = await tempFolder(context);
  const keep = createIdentityKeep(folder, AUTHORITY, 'a good one');
  await keep.save(KEPT);
  const text = await readFile(join(folder, 'identity.json'), 'utf8');
  assert.match(text, /BEGIN ENCRYPTED PRIVATE KEY/);
  assert.equal(text.includes(leaf.keyPem.split('\n')[1] ?? ''), false);
  const loaded = await keep.load();
  assert.ok(loaded.ok);
  assertSame(loaded.value);
  for (const wrong of [undefined, 'a bad one']) {
    const result = await createIdentityKeep(folder, AUTHORITY, wrong).load();
    assert.deepEqual(result, {
      ok: false,
      error: `${join(folder, 'identity.json')}: its key cannot be opened; it is not used`,
    });
  }
});

for (const mode of [0o604, 0o640, 0o660, 0o644]) {
  test(`a file of mode ${mode.toString(8)} is refused: others know its key`, async (context) => {
    const folder = await tempFolder(context);
    const keep = createIdentityKeep(folder, AUTHORITY);
    await keep.save(KEPT);
    await chmod(join(folder, 'identity.json'), mode);
    const loaded = await keep.load();
    assert.match(loaded.ok ? '' : loaded.error, new RegExp(`others can read it \\(mode 0${mode.toString(8)}\\)`));
    await keep.save(KEPT);
    assert.equal((await keep.load()).ok, true);
  });
}

test('a folder that others can write to is refused, for reading and for writing', async (context) => {
  const folder = await tempFolder(context);
  const keep = createIdentityKeep(folder, AUTHORITY);
  await chmod(folder, 0o777);
  for (const result of [await keep.load(), await keep.save(KEPT)])
    assert.equal(result.ok ? '' : result.error, `${folder}: others can write to it (mode 777); chmod 700 it`);
  assert.deepEqual(await readdir(folder), []);
});

test('the identity from another authority is not ours', async (context) => {
  const folder = await tempFolder(context);
  await createIdentityKeep(folder, 'spiffe://other.example/ca').save(KEPT);
  const loaded = await createIdentityKeep(folder, AUTHORITY).load();
  assert.match(loaded.ok ? '' : loaded.error, /is an identity from spiffe:\/\/other\.example\/ca, not from /);
});

test('a disk that cannot be written is an error, and what was kept stays', async (context) => {
  const folder = await tempFolder(context);
  const keep = createIdentityKeep(folder, AUTHORITY);
  await keep.save(KEPT);
  // A folder in the way of the new file, that cannot be removed as a file: whoever runs this, root included, cannot write there.
  await mkdir(join(folder, 'identity.json.new', 'x'), { recursive: true });
  const saved = await keep.save({ ...KEPT, firstRoots: 'other' });
  assert.equal(saved.ok, false);
  const loaded = await keep.load();
  assert.ok(loaded.ok);
  assertSame(loaded.value);
});

test('property: whatever stands in the file, it is refused by its path or read whole, and nothing of a key is told', async (context) => {
  const folder = await tempFolder(context);
  const path = join(folder, 'identity.json');
  const keep = createIdentityKeep(folder, AUTHORITY);
  await keep.save(KEPT);
  const sound = await readFile(path, 'utf8');
  const secret = leaf.keyPem.split('\n')[1] ?? 'none';
  const damage = fc.oneof(
    fc.nat(sound.length).map((length) => sound.slice(0, length)),
    fc
      .tuple(fc.nat(sound.length - 1), fc.string({ maxLength: 3 }))
      .map(([at, text]) => sound.slice(0, at) + text + sound.slice(at + 1)),
    fc.jsonValue().map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(damage, async (text) => {
      await writeFile(path, text);
      const loaded = await keep.load();
      if (loaded.ok) return assert.notEqual(loaded.value?.chain.length, 0);
      assert.ok(loaded.error.startsWith(`${path}: `), loaded.error);
      assert.equal(loaded.error.includes(secret), false);
    }),
    { numRuns: 150 },
  );
});
