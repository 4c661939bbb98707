import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import * as z from 'zod';

import { DEFAULT_BUNDLE_LIMITS } from '../../core/bundle/limits.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { fitFolder, guarded, parseJson, writeWhole } from './kept-folder.ts';
import { readBounded } from './read-file.ts';

import type { SequenceState } from '../../core/bundle/sequence.ts';
import type { Result } from '../../core/kernel/result.ts';

/** What was last in force of a bundle server: enough to start without it, and to know an older bundle when it comes. */
export type LastGood = {
  /** Of the newest archive. */
  readonly etag: string | undefined;
  /** Of the newest bundle that ever was in force; undefined where it had no sequence. */
  readonly newest: SequenceState | undefined;
  /** The snapshot and the deltas after it, each as it was downloaded: they are verified again when they are read. */
  readonly archives: readonly Uint8Array[];
};

/** The folder that keeps it. */
export interface LastGoodStore {
  /**
   * What was kept for this URL; undefined where nothing was. Where an archive is missing or changed, `archives` is empty and `problem` says so: the sequence counts
   * all the same.
   */
  load(): Promise<Result<(LastGood & { readonly problem: string | undefined }) | undefined, string>>;
  /** Replaces what was kept for this URL, whole or not at all. A folder that keeps the bundle of another URL is left as it is: an error. */
  save(copy: LastGood): Promise<Result<undefined, string>>;
}

const STATE = 'state.json';
const MAX_STATE = 65_536;
/** Names of ours: archives, and what a process left half written. */
const OURS = /^(?:[0-9a-f]{64}\.tar\.gz|state\.json)(?:\.new)?$/;

const schema = z.strictObject({
  version: z.literal(1),
  url: z.string().length(64),
  etag: z.string().max(2_048).optional(),
  newest: z.strictObject({ sequence: z.int().nonnegative(), content: z.string().max(128) }).optional(),
  archives: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(1_000),
});

/** Creates the store of one process for the bundle of `url`. No effects yet. */
export function createLastGoodStore(folder: string, url: string): LastGoodStore {
  const owner = sha256(new TextEncoder().encode(url));
  return {
    load: () => guarded(folder, () => load(folder, owner)),
    save: (copy) => guarded(folder, () => save(folder, owner, copy)),
  };
}

async function load(folder: string, owner: string): ReturnType<LastGoodStore['load']> {
  const fit = await fitFolder(folder);
  if (!fit.ok) return fit;
  if (!(await readdir(folder)).includes(STATE)) return ok(undefined);
  const file = await readBounded(join(folder, STATE), MAX_STATE);
  if (!file.ok) return file;
  const state = schema.safeParse(parseJson(file.value.bytes));
  if (!state.success)
    return err(
      `${join(folder, STATE)}: cannot be understood; the copy and the sequence that was in force are unknown. Restore the file if you can: the next bundle replaces it`,
    );
  if (state.data.url !== owner) return err(ofAnother(folder));
  const { etag, newest } = state.data;
  const archives: Uint8Array[] = [];
  for (const name of state.data.archives) {
    const path = join(folder, `${name}.tar.gz`);
    // oxlint-disable-next-line no-await-in-loop -- one after the other, so that memory holds what is kept and no more
    const archive = await readBounded(path, DEFAULT_BUNDLE_LIMITS.archiveBytes);
    const problem = !archive.ok
      ? archive.error
      : sha256(archive.value.bytes) === name
        ? undefined
        : `${path}: was changed or damaged; it is not used`;
    // It goes by its hash: under that name it would pass for kept when the same bundle comes again.
    if (problem !== undefined) await rm(path, { force: true });
    if (!archive.ok || problem !== undefined) return ok({ etag: undefined, newest, archives: [], problem });
    archives.push(archive.value.bytes);
  }
  return ok({ etag, newest, archives, problem: undefined });
}

async function save(folder: string, owner: string, copy: LastGood): Promise<Result<undefined, string>> {
  const fit = await fitFolder(folder);
  if (!fit.ok) return fit;
  const present = await readdir(folder);
  if (present.includes(STATE) && (await isOfAnother(folder, owner))) return err(ofAnother(folder));
  const names = copy.archives.map(sha256);
  for (const [index, name] of names.entries()) {
    const bytes = copy.archives[index];
    // oxlint-disable-next-line no-await-in-loop -- few files, and the state may name only those that are there
    if (bytes !== undefined && !present.includes(`${name}.tar.gz`)) await writeWhole(folder, `${name}.tar.gz`, bytes);
  }
  const { etag, newest } = copy;
  const state = { version: 1, url: owner, etag, newest, archives: names } satisfies z.infer<typeof schema>;
  // From here on the new copy counts; what nothing names any more is in nobody's way.
  await writeWhole(folder, STATE, new TextEncoder().encode(JSON.stringify(state)));
  const kept = new Set([STATE, ...names.map((name) => `${name}.tar.gz`)]);
  const old = present.filter((name) => OURS.test(name) && !kept.has(name));
  await Promise.all(old.map((name) => rm(join(folder, name), { force: true })));
  return ok(undefined);
}

/** Whether the state there names another URL. One that cannot be understood has no owner that could lose by being replaced. */
async function isOfAnother(folder: string, owner: string): Promise<boolean> {
  const file = await readBounded(join(folder, STATE), MAX_STATE);
  const state = file.ok ? schema.safeParse(parseJson(file.value.bytes)) : undefined;
  return state?.success === true && state.data.url !== owner;
}

function ofAnother(folder: string): string {
  return `${folder}: keeps the bundle of another URL, and is left as it is; give each bundle a folder of its own, or empty this one if the URL was changed (its sequence is then forgotten)`;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
