import assert from 'node:assert/strict';
import { appendFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { ok } from '../../../src/core/kernel/result.ts';
import { createSource } from '../../../src/io/sources/follower.ts';
import { createManualTimer, type ManualTimer } from '../../support/manual-timer.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

const SETTLE = 100;

type Following = {
  readonly timer: ManualTimer;
  readonly looks: () => number;
  readonly settles: () => number;
  change(): void;
};

/** Follows a folder; `change` says that what it reads has changed. */
async function following(context: TestContext, folder: string): Promise<Following> {
  const timer = createManualTimer();
  let version = 0;
  let looks = 0;
  let settles = 0;
  const source = createSource(
    {
      fingerprint: () => {
        looks += 1;
        return Promise.resolve(String(version));
      },
      folders: () => [folder],
      read: () => Promise.resolve(ok(version)),
      digest: String,
      apply: (value) => Promise.resolve(ok(value)),
    },
    {
      timer: (ms, run) => {
        if (ms === SETTLE) settles += 1;
        return timer.timer(ms, run);
      },
    },
  );
  context.after(() => source.stop());
  await source.start();
  return { timer, looks: () => looks, settles: () => settles, change: () => void (version += 1) };
}

/** Writes to a file until the folder's watch has told of it: a watch begins a moment after it was asked for. */
async function heard(file: string, by: Following): Promise<void> {
  const before = by.settles();
  await until('the watch to tell', async () => {
    await appendFile(file, 'x');
    return by.settles() > before;
  });
}

async function look(by: Following): Promise<void> {
  const before = by.looks();
  await by.timer.fire(SETTLE);
  await until('a look', () => by.looks() > before);
  await new Promise(setImmediate);
}

/** A file in a folder, and who follows that folder and has looked once because of it, in vain. */
async function lookedInVain(
  context: TestContext,
  name: string,
): Promise<{ folder: string; file: string; one: Following }> {
  const folder = await tempFolder(context);
  const file = join(folder, name);
  await writeFile(file, '');
  const one = await following(context, folder);
  await heard(file, one);
  await look(one);
  return { folder, file, one };
}

test('a file that is written all the time beside ours asks for one look, not for one each time', async (context) => {
  const { folder, file, one } = await lookedInVain(context, 'journal.ndjson');
  const settled = one.settles();
  // Another one that has not heard of it yet tells when the event is through: both are told of the same event, in the order in which they began.
  const witness = await following(context, folder);
  await heard(file, witness);
  assert.equal(one.settles(), settled);
});

test('a name that stands for another file is looked at, however often its content changed', async (context) => {
  const { folder, file, one } = await lookedInVain(context, 'journal.ndjson');
  const settled = one.settles();
  await writeFile(join(folder, 'next'), 'y');
  await rename(join(folder, 'next'), file);
  await until('the watch to tell', () => one.settles() > settled);
});

test('what meant nothing is heard again once something has changed', async (context) => {
  const { file, one } = await lookedInVain(context, 'certificate.pem');
  one.change();
  await one.timer.fire(1_000);
  await until('the regular look', () => one.timer.set().includes(1_000));
  await heard(file, one);
});
