import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import type { TestContext } from 'node:test';

import { until } from '../../support/until.ts';

const run = promisify(execFile);

/** Building takes half a minute with cold caches, and never longer than this. */
const BUILD_MS = 240_000;

/** The judge as it was built, or why it could not be. */
export type Judge = { readonly path: string; readonly remove: () => Promise<void> } | { readonly missing: string };

/** Builds the Go program beside this file into a folder of its own. Where there is no Go, or its modules cannot be had, says so; a program that does not compile rejects. */
export async function buildJudge(): Promise<Judge> {
  const cwd = import.meta.dirname;
  const env = { ...process.env, GOFLAGS: '-mod=readonly', GOWORK: 'off', CGO_ENABLED: '0' };
  const failed = await run('go', ['mod', 'download'], { cwd, env, timeout: BUILD_MS }).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : 'it failed'),
  );
  if (failed !== undefined) return { missing: `go 1.26 and the modules of go-spiffe are needed: ${failed}` };
  const folder = await mkdtemp(join(tmpdir(), 'go-spiffe-judge-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const path = join(folder, 'judge');
  try {
    await run('go', ['build', '-buildvcs=false', '-o', path, '.'], { cwd, env, timeout: BUILD_MS });
    return { path, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** One line of its output. */
export type Line = Readonly<Record<string, unknown>>;

/** The judge at work in one of its modes; ended with the test. */
export class RunningJudge {
  readonly lines: Line[] = [];
  readonly complaints: string[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #isOver = false;

  constructor(context: TestContext, path: string, ...args: readonly string[]) {
    this.#child = spawn(path, args);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.lines.push(JSON.parse(line) as Line));
    createInterface({ input: this.#child.stderr }).on('line', (line) => this.complaints.push(line));
    this.#child.stdin.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    void closed.then(() => (this.#isOver = true));
    context.after(async () => {
      this.#child.kill('SIGKILL');
      await closed;
    });
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  end(text = ''): void {
    this.#child.stdin.end(text);
  }

  /** The first line that `select` takes, past or to come. */
  async line(what: string, select: (line: Line) => boolean): Promise<Line> {
    return until(what, () => {
      const found = this.lines.find(select);
      if (found === undefined && this.#isOver) throw new Error(`${what}: ${this.complaints.join('\n')}`);
      return found;
    });
  }

  /** All lines, when it has ended by itself. */
  async all(): Promise<readonly Line[]> {
    await until('the end of the judge', () => this.#isOver);
    return this.lines;
  }
}
