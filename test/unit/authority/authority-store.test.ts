import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';

import { openAuthorityStore } from '../../../src/io/authority/authority-store.ts';
import { metaOf, setMeta } from '../../../src/io/authority/meta-rows.ts';
import { valueOf } from '../../support/authority-world.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { AuthorityStore, StoreSettings } from '../../../src/io/authority/authority-store.ts';

async function open(context: TestContext, settings?: StoreSettings, folder?: string): Promise<AuthorityStore> {
  const store = openAuthorityStore(folder ?? join(await tempFolder(context), 'ca'), settings);
  context.after(() => store.close());
  return store;
}

function domain(store: AuthorityStore): string | undefined {
  return valueOf(store.read((database) => metaOf(database, 'trust_domain')));
}

function write(store: AuthorityStore, value: string): ReturnType<AuthorityStore['write']> {
  return store.write(({ database }) => setMeta(database, 'trust_domain', value));
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe('the files', () => {
  test('are for their owner only, from the first byte on, whatever the umask', async (context) => {
    const umask = process.umask(0);
    context.after(() => process.umask(umask));
    const store = await open(context);
    valueOf(write(store, 'a'));
    assert.equal(await modeOf(store.folder), '700');
    const files = await readdir(store.folder);
    assert.deepEqual(files.toSorted(), ['authority.db', 'authority.db-shm', 'authority.db-wal']);
    for (const file of files) assert.equal(await modeOf(join(store.folder, file)), '600', file);
  });

  test('a database that others may read is refused', async (context) => {
    const { folder, close } = await openAndClose(context);
    close();
    for (const mode of [0o640, 0o604, 0o666]) {
      await chmod(join(folder, 'authority.db'), mode);
      assert.throws(() => openAuthorityStore(folder), /authority\.db \(mode 0\d{3}\); `chmod 0600/);
    }
  });

  test('a volume as Kubernetes mounts it with fsGroup: refused itself, a folder below it is made and is private', async (context) => {
    const mount = await tempFolder(context);
    await chmod(mount, 0o2777);
    assert.throws(() => openAuthorityStore(mount), /in a pod: take a folder below the mount, and fsGroupChangePolicy/);
    const store = await open(context, undefined, join(mount, 'ca'));
    assert.equal(await modeOf(store.folder), '700');
    store.close();
    const again = await open(context, undefined, join(mount, 'ca'));
    assert.equal(await modeOf(join(again.folder, 'authority.db')), '600');
    again.close();
    // What `fsGroupChangePolicy: Always` does at the next start of the pod.
    await chmod(store.folder, 0o2770);
    assert.throws(() => openAuthorityStore(store.folder), /OnRootMismatch/);
  });

  test('a folder that others may write to is refused', async (context) => {
    const { folder, close } = await openAndClose(context);
    close();
    for (const mode of [0o770, 0o702]) {
      await chmod(folder, mode);
      assert.throws(() => openAuthorityStore(folder), /others than its owner can get at .*chmod go-w/);
    }
  });

  test(
    'a folder, or a database, of another user is refused: its owner may change it whatever its mode',
    { skip: process.getuid?.() === 0 ? false : 'only root can give files away' },
    async (context) => {
      const { folder, close } = await openAndClose(context);
      close();
      for (const path of [folder, join(folder, 'authority.db')]) {
        await chown(path, 12_345, 0);
        assert.throws(() => openAuthorityStore(folder), /belongs to another user \(uid 12345\)/);
        await chown(path, 0, 0);
      }
      openAuthorityStore(folder).close();
    },
  );
});

async function openAndClose(context: TestContext): Promise<{ readonly folder: string; readonly close: () => void }> {
  const store = await open(context);
  return { folder: store.folder, close: () => store.close() };
}

describe('a database', () => {
  test('is durable: WAL, FULL, foreign keys, as SQLite itself says', async (context) => {
    const store = await open(context);
    const pragma = (name: string): unknown =>
      valueOf(store.read((database) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]));
    assert.deepEqual(['journal_mode', 'synchronous', 'foreign_keys'].map(pragma), ['wal', 2, 1]);
  });

  test('of a newer version is left alone', async (context) => {
    const { folder, close } = await openAndClose(context);
    close();
    const database = new DatabaseSync(join(folder, 'authority.db'));
    database.exec('PRAGMA user_version = 99');
    database.close();
    assert.throws(() => openAuthorityStore(folder), /written by a newer version \(tables 99, known \d+\)/);
  });

  test('of something else, or no database at all, is left alone', async (context) => {
    const folder = join(await tempFolder(context), 'ca');
    await mkdir(folder, { mode: 0o700 });
    const path = join(folder, 'authority.db');
    await writeFile(path, 'these are not the tables you are looking for'.repeat(100), { mode: 0o600 });
    assert.throws(() => openAuthorityStore(folder), /authority\.db: file is not a database/);
    await writeFile(path, '', { mode: 0o600 });
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE x (y); PRAGMA user_version = 1');
    database.close();
    assert.throws(() => openAuthorityStore(folder), /is no database of an authority/);
  });

  test('opened twice is migrated once, and both see the same', async (context) => {
    const one = await open(context);
    const other = await open(context, undefined, one.folder);
    valueOf(write(one, 'a'));
    assert.equal(domain(other), 'a');
  });
});

describe('a transaction', () => {
  test('that throws leaves nothing, and the next one works', async (context) => {
    const store = await open(context);
    assert.throws(
      () =>
        store.write(({ database }) => {
          setMeta(database, 'trust_domain', 'a');
          throw new RangeError('a bug');
        }),
      RangeError,
    );
    assert.equal(domain(store), undefined);
    valueOf(write(store, 'b'));
    assert.equal(domain(store), 'b');
  });

  test('that SQLite refuses leaves nothing and says why', async (context) => {
    const store = await open(context);
    const refused = store.write(({ database }) => {
      setMeta(database, 'trust_domain', 'a');
      database.exec("INSERT INTO revocations VALUES ('unknown', 1, 'x')");
    });
    assert.deepEqual(refused, { ok: false, error: 'FOREIGN KEY constraint failed' });
    assert.equal(domain(store), undefined);
  });

  test('of another process holds this one up for no longer than was allowed', async (context) => {
    const store = await open(context, { busyMs: 20 });
    const other = new DatabaseSync(join(store.folder, 'authority.db'));
    context.after(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    assert.deepEqual(write(store, 'a'), { ok: false, error: 'database is locked' });
    // Readers do not wait for a writer.
    assert.equal(domain(store), undefined);
    other.exec('COMMIT');
    assert.equal(write(store, 'a').ok, true);
  });

  test('after the end is refused', async (context) => {
    const store = await open(context);
    store.close();
    store.close();
    assert.deepEqual(write(store, 'a'), { ok: false, error: 'the store is closed' });
  });
});

test('a change is noticed when it was made elsewhere, once, and not when it was our own', async (context) => {
  const one = await open(context);
  const other = await open(context, undefined, one.folder);
  assert.equal(one.changedElsewhere(), false);
  valueOf(write(one, 'a'));
  assert.equal(one.changedElsewhere(), false);
  valueOf(write(other, 'b'));
  assert.deepEqual([one.changedElsewhere(), one.changedElsewhere()], [true, false]);
});
