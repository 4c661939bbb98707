import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { sallyport } from './cli.ts';
import { tempFolder } from './temp-folder.ts';

import type { TestContext } from 'node:test';
import type { CommandRun } from './cli.ts';

/** Whom the tests issue to. */
export const ID = 'spiffe://example.org/agents/planner';

/** `sallyport ca` on one folder. */
export type Ca = (...args: readonly string[]) => Promise<CommandRun>;

/** A folder, and `sallyport ca` on it. */
export async function emptyFolder(context: TestContext): Promise<{ readonly dir: string; readonly ca: Ca }> {
  const dir = join(await tempFolder(context), 'certs');
  return { dir, ca: (...args) => sallyport(['ca', ...args, '--dir', dir]) };
}

/** The same with an authority in it. */
export async function caFolder(context: TestContext, ...init: readonly string[]): Promise<{ dir: string; ca: Ca }> {
  const made = await emptyFolder(context);
  await done(made.ca('init', ...init));
  return made;
}

/** What a command that must succeed printed. */
export async function done(run: Promise<CommandRun>): Promise<readonly string[]> {
  const { code, out, err } = await run;
  assert.equal(code, 0, err.join('\n'));
  return out;
}

/** The one line of JSON that a command that must succeed printed. */
export async function json<T = Readonly<Record<string, unknown>>>(run: Promise<CommandRun>): Promise<T> {
  const [line = '', another] = await done(run);
  assert.equal(another, undefined);
  return JSON.parse(line) as T;
}

/** Exit code and the last line of stderr; nothing may be on stdout. */
export async function refusal(run: Promise<CommandRun>): Promise<string> {
  const { code, out, err } = await run;
  assert.deepEqual(out, []);
  return `${code} ${err.at(-1) ?? ''}`;
}

/** `ca list --json`. */
export type Listed = {
  readonly sequence: number;
  readonly roots: readonly { readonly state: string; readonly key: string }[];
  readonly issuing: readonly { readonly state: string; readonly key: string }[];
  readonly certificates: readonly {
    readonly id: string;
    readonly serial: string;
    readonly how: string;
    readonly key: string;
  }[];
  readonly tokens: readonly { readonly id: string }[];
  readonly bars: readonly { readonly kind: string; readonly value: string }[];
};

/** What is in force. */
export const list = (ca: Ca): Promise<Listed> => json<Listed>(ca('list', '--json'));

/** Permission bits of a file, octal. */
export async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}
