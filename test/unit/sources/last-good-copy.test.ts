import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import fc from 'fast-check';

import { createLastGoodStore, type LastGood } from '../../../src/io/sources/last-good-copy.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const URL = 'https://b.test/agents?sig=secret';
const COPY: LastGood = {
  etag: '"2"',
  newest: { sequence: 2, content: 'sha256:x' },
  archives: [Buffer.from('snapshot'), Buffer.from('delta')],
};

async function place(context: TestContext): Promise<string> {
  return join(await tempFolder(context), 'keep/agents');
}

test('what was saved is loaded, by a store of the same URL, with modes that keep others out', async (context) => {
  const folder = await place(context);
  const store = createLastGoodStore(folder, URL);
  assert.deepEqual(await store.load(), { ok: true, value: undefined });
  assert.deepEqual(await store.save(COPY), { ok: true, value: undefined });
  const loaded = await createLastGoodStore(folder, URL).load();
  assert.ok(loaded.ok && loaded.value !== undefined);
  const { archives, ...rest } = loaded.value;
  assert.deepEqual(rest, { etag: COPY.etag, newest: COPY.newest, problem: undefined });
  assert.deepEqual(
    archives.map((bytes) => Buffer.from(bytes).toString()),
    ['snapshot', 'delta'],
  );
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const name of await readdir(folder)) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600);
  assert.ok(!(await readFile(join(folder, 'state.json'), 'utf8')).includes('secret'));
});

test('a newer copy replaces the older one, and nothing of that is left; foreign files are', async (context) => {
  const folder = await place(context);
  const store = createLastGoodStore(folder, URL);
  await store.save(COPY);
  await writeFile(join(folder, 'foreign.txt'), 'x');
  await writeFile(join(folder, `${'0'.repeat(64)}.tar.gz.new`), 'half');
  await store.save({ etag: undefined, newest: undefined, archives: [Buffer.from('newer')] });
  const names = await readdir(folder);
  assert.equal(names.length, 3);
  assert.ok(names.includes('foreign.txt') && names.includes('state.json'));
  const loaded = await store.load();
  assert.ok(loaded.ok);
  assert.deepEqual(
    [loaded.value?.etag, loaded.value?.newest, loaded.value?.archives.length],
    [undefined, undefined, 1],
  );
});

test('a copy of which a file was changed, cut or taken is none; its sequence counts', async (context) => {
  const folder = await place(context);
  const store = createLastGoodStore(folder, URL);
  for (const damage of ['change', 'cut', 'remove'] as const) {
    await rm(folder, { recursive: true, force: true });
    await store.save(COPY);
    const name = (await readdir(folder)).find((each) => each.endsWith('.tar.gz')) ?? '';
    if (damage === 'remove') await rm(join(folder, name));
    else await writeFile(join(folder, name), damage === 'cut' ? '' : 'snapshoT');
    const loaded = await store.load();
    assert.ok(loaded.ok && loaded.value !== undefined, damage);
    assert.deepEqual([loaded.value.archives, loaded.value.etag, loaded.value.newest], [[], undefined, COPY.newest]);
    assert.match(loaded.value.problem ?? '', /was changed or damaged|no such file/);
  }
});

test('a file that was damaged is written anew when the same bundle comes again', async (context) => {
  const folder = await place(context);
  const store = createLastGoodStore(folder, URL);
  const copy = { ...COPY, archives: [Buffer.from('snapshot')] };
  await store.save(copy);
  const archive = (await readdir(folder)).find((name) => name.endsWith('.tar.gz')) ?? '';
  await writeFile(join(folder, archive), 'damaged');
  const damaged = await store.load();
  assert.match((damaged.ok && damaged.value?.problem) || '', /changed or damaged/);
  await store.save(copy);
  const loaded = await store.load();
  assert.ok(loaded.ok);
  assert.deepEqual([loaded.value?.problem, loaded.value?.archives.length], [undefined, 1]);
});

test('a state that cannot be understood is told and not used; the next bundle replaces it', async (context) => {
  const folder = await place(context);
  const store = createLastGoodStore(folder, URL);
  await store.save(COPY);
  for (const text of ['', '{', '[]', '{"version":2}', '{"version":1,"url":"x","archives":["../../etc/passwd"]}']) {
    await writeFile(join(folder, 'state.json'), text);
    const loaded = await store.load();
    assert.ok(!loaded.ok);
    assert.match(loaded.error, /state\.json: cannot be understood; .* the sequence that was in force are unknown/);
    assert.equal((await store.save(COPY)).ok, true);
    const again = await store.load();
    assert.deepEqual(again.ok && again.value?.newest, COPY.newest);
  }
});

test('a folder of another URL is neither used nor changed, and what to do is said', async (context) => {
  const folder = await place(context);
  const mine = createLastGoodStore(folder, URL);
  await mine.save(COPY);
  const names = (await readdir(folder)).toSorted();
  const other = createLastGoodStore(folder, 'https://b.test/other');
  const refused = {
    ok: false,
    error: `${folder}: keeps the bundle of another URL, and is left as it is; give each bundle a folder of its own, or empty this one if the URL was changed (its sequence is then forgotten)`,
  };
  const theirs = { etag: undefined, newest: { sequence: 1, content: 'sha256:y' }, archives: [Buffer.from('theirs')] };
  assert.deepEqual([await other.load(), await other.save(theirs)], [refused, refused]);
  assert.deepEqual((await readdir(folder)).toSorted(), names);
  const loaded = await mine.load();
  assert.ok(loaded.ok && loaded.value !== undefined);
  assert.deepEqual([loaded.value.newest, loaded.value.archives.length], [COPY.newest, 2]);
});

test('property: of stores with one folder, the first to save keeps it, whatever the others do after it', async (context) => {
  const root = await tempFolder(context);
  const steps = fc.array(fc.record({ who: fc.nat(2), sequence: fc.nat(9) }), { minLength: 1, maxLength: 6 });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      run += 1;
      const folder = join(root, String(run));
      const stores = [0, 1, 2].map((who) => createLastGoodStore(folder, `https://b.test/${who}`));
      const owner = script[0]?.who;
      let newest: number | undefined;
      for (const { who, sequence } of script) {
        const copy = { etag: undefined, newest: { sequence, content: 'x' }, archives: [] };
        // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
        assert.equal((await stores[who]?.save(copy))?.ok, who === owner);
        if (who === owner) newest = sequence;
      }
      const loaded = await stores[owner ?? 0]?.load();
      assert.equal(loaded?.ok === true ? loaded.value?.newest?.sequence : undefined, newest);
    }),
    { numRuns: 25 },
  );
});

test('a folder that others can write to is neither read nor written', async (context) => {
  const folder = await place(context);
  const store = createLastGoodStore(folder, URL);
  await store.save(COPY);
  for (const mode of [0o702, 0o720, 0o777]) {
    await chmod(folder, mode);
    const refused = { ok: false, error: `${folder}: others can write to it (mode ${mode.toString(8)}); chmod 700 it` };
    assert.deepEqual([await store.load(), await store.save(COPY)], [refused, refused]);
  }
});

test('a place that is no folder is an error, not an exception', async (context) => {
  const folder = await place(context);
  await mkdir(join(folder, '..'), { recursive: true });
  await writeFile(folder, 'a file');
  const loaded = await createLastGoodStore(folder, URL).load();
  assert.ok(!loaded.ok && loaded.error.startsWith(folder));
});
