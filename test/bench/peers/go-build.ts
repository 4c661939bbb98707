import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { cacheHome } from '../../support/cache-home.ts';
import { commandPath, isExecutable } from '../../support/commands.ts';

const run = promisify(execFile);
/** A first build on a loaded machine, modules fetched. */
const LIMIT_MS = 15 * 60_000;
const NO_GO =
  'the Go programs of this bench need the command go on the PATH: install Go 1.26 or later from https://go.dev/dl/, or the package golang of your system';
const SETTINGS = { GOFLAGS: '-mod=readonly', GOWORK: 'off', CGO_ENABLED: '0' } as const;

/** Why Go programs cannot be built here; undefined where they can. */
export function goMissing(): string | undefined {
  return commandPath('go') === undefined ? NO_GO : undefined;
}

/**
 * Path of the executable of a program of the Go module in `folder`: the package `cmd/PROGRAM`, or the module's own folder where there is none. It is
 * built into the user's cache the first time, and again when a source, `go.mod`, `go.sum` or the Go command changed. Throws with what to do without Go.
 */
export async function buildGo(folder: string, program: string): Promise<string> {
  const missing = goMissing();
  if (missing !== undefined) throw new Error(`${join(folder, 'cmd', program)} cannot be built: ${missing}`);
  const { stdout: version } = await run('go', ['version'], { cwd: folder, env: { ...process.env, ...SETTINGS } });
  const digest = createHash('sha256')
    .update(version)
    .update(await digestOfModule(folder))
    .digest('hex');
  const cache = join(cacheHome(), 'sallyport', 'bench');
  const path = join(cache, `${program}-${digest.slice(0, 16)}`);
  if (isExecutable(path)) return path;
  await mkdir(cache, { recursive: true });
  await build(folder, await packageOf(folder, program), path);
  return path;
}

/** SHA-256 over all that the programs of a module are made from: its Go files but for tests, `go.mod` and `go.sum`. */
export async function digestOfModule(folder: string): Promise<string> {
  const names = (await readdir(folder, { recursive: true }))
    .filter((name) => (name.endsWith('.go') && !name.endsWith('_test.go')) || /(?:^|[/\\])go\.(?:mod|sum)$/.test(name))
    .toSorted();
  const hash = createHash('sha256');
  for (const name of names) {
    const content = await readFile(join(folder, name));
    hash.update(`${name}\n${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

async function packageOf(folder: string, program: string): Promise<string> {
  const found = await stat(join(folder, 'cmd', program)).catch(() => undefined);
  return found?.isDirectory() === true ? `./cmd/${program}` : '.';
}

async function build(folder: string, name: string, path: string): Promise<void> {
  // Another run of the bench sees the whole file or none.
  const fresh = `${path}.new-${process.pid}`;
  const args = ['build', '-trimpath', '-buildvcs=false', '-o', fresh, name];
  await run('go', args, { cwd: folder, env: { ...process.env, ...SETTINGS }, timeout: LIMIT_MS, maxBuffer: 16 << 20 });
  await rename(fresh, path);
}
