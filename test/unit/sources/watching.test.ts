import assert from 'node:assert/strict';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { chmod, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { fingerprint } from '../../../src/io/sources/fingerprint.ts';
import { createFolderWatch } from '../../../src/io/sources/folder-watch.ts';
import { systemTimer } from '../../../src/io/sources/timer.ts';
import { replaceFile, tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { FolderWatch } from '../../../src/io/sources/folder-watch.ts';

const CHANGES: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  'a rename over it, same content and size': (folder) => replaceFile(join(folder, 'a'), 'one'),
  'a write': (folder) => writeFile(join(folder, 'a'), 'two!'),
  'another mode': (folder) => chmod(join(folder, 'a'), 0o600),
  'another time': (folder) => utimes(join(folder, 'a'), 1, 1),
  'its end': (folder) => rm(join(folder, 'a')),
  'a folder in its place': async (folder) => {
    await rm(join(folder, 'a'));
    await mkdir(join(folder, 'a'));
  },
  'the file at the end of its link being another': async (folder) => {
    await rm(join(folder, 'link'));
    await symlink('b', join(folder, 'link'));
  },
};
for (const [what, change] of Object.entries(CHANGES)) {
  test(`the fingerprint changes with ${what}`, async (context) => {
    const folder = await tempFolder(context);
    await writeFiles(folder, { a: 'one', b: 'one' });
    await chmod(join(folder, 'a'), 0o644);
    await symlink('a', join(folder, 'link'));
    const paths = ['a', 'link', 'none'].map((name) => join(folder, name));
    const before = await fingerprint(paths);
    assert.equal(await fingerprint(paths), before);
    await change(folder);
    assert.notEqual(await fingerprint(paths), before);
  });
}

test('the fingerprint changes with a file that appears', async (context) => {
  const folder = await tempFolder(context);
  const before = await fingerprint([join(folder, 'a')]);
  await writeFiles(folder, { a: '' });
  assert.notEqual(await fingerprint([join(folder, 'a')]), before);
});

/** A watch, and a promise of its next event. */
function watching(context: TestContext): { watch: FolderWatch; event: () => Promise<void> } {
  let next = Promise.withResolvers<void>();
  const watched = createFolderWatch(() => {
    next.resolve();
    next = Promise.withResolvers();
  });
  context.after(() => watched.close());
  return { watch: watched, event: () => next.promise };
}

test('a rename within a watched folder is an event', async (context) => {
  const folder = await tempFolder(context);
  const { watch: watched, event } = watching(context);
  watched.set([folder]);
  await writeFiles(folder, { a: '' });
  const happened = event();
  await rename(join(folder, 'a'), join(folder, 'b'));
  await happened;
});

test('a folder that is not there is passed over, and watched when it is named again', async (context) => {
  const folder = await tempFolder(context);
  const { watch: watched, event } = watching(context);
  const inner = join(folder, 'later');
  watched.set([inner]);
  await mkdir(inner);
  watched.set([inner]);
  const happened = event();
  await writeFiles(inner, { a: '' });
  await happened;
});

test('a folder no longer named is no longer watched, and nothing is after close', async (context) => {
  const folder = await tempFolder(context);
  let events = 0;
  const watched = createFolderWatch(() => void (events += 1));
  context.after(() => watched.close());
  // A watch of the test's own tells when an event would have come.
  const own = watch(folder);
  context.after(() => own.close());
  const writeAndSee = async (name: string): Promise<void> => {
    const seen = once(own, 'change');
    await writeFiles(folder, { [name]: '' });
    await seen;
    await new Promise((resolve) => setImmediate(resolve));
  };
  watched.set([folder]);
  await writeAndSee('a');
  const before = events;
  assert.ok(before > 0);
  watched.set([]);
  await writeAndSee('b');
  watched.set([folder]);
  watched.close();
  await writeAndSee('c');
  assert.equal(events, before);
});

test('the timer runs once, or never where it is cancelled', async () => {
  const ran: string[] = [];
  systemTimer(0, () => ran.push('cancelled'))();
  await new Promise<void>((resolve) => {
    systemTimer(1, resolve);
    // The timer alone does not keep a process alive: something else has to, here.
    const alive = setTimeout(() => {}, 5_000);
    systemTimer(1, () => clearTimeout(alive));
  });
  assert.deepEqual(ran, []);
});
