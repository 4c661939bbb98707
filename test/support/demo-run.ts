import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { processesWith, type RunningProcess } from './processes-with.ts';
import { until } from './until.ts';

import type { TestContext } from 'node:test';

const ROOT = resolve(import.meta.dirname, '../..');

/** One line of the demo's table. */
export type TableRow = {
  readonly who: string;
  readonly agent: string;
  readonly what: string;
  readonly verdict: string;
  readonly status: string;
  readonly why: string;
  readonly micros: string;
};

/** `sallyport demo` as a process, with a temporary folder of its own by which all that it leaves behind is found. */
export class DemoRun {
  readonly temp: string;
  out = '';
  err = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | NodeJS.Signals>;

  constructor(temp: string, args: readonly string[], shell: boolean) {
    this.temp = temp;
    const env = { ...process.env, TMPDIR: temp };
    const command = [process.execPath, join(ROOT, 'src/cli/main.ts'), 'demo', ...args];
    const [program = '', ...rest] = shell ? ['/bin/sh', '-c', '"$@"; true', 'sh', ...command] : command;
    this.#child = spawn(program, rest, { cwd: ROOT, env });
    const { promise, resolve: ended } = Promise.withResolvers<number | NodeJS.Signals>();
    this.#ended = promise;
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.out += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.err += chunk.toString()));
    this.#child.on('close', (code, signal) => ended(code ?? signal ?? -1));
  }

  /** Its exit code, or the signal that it died of, once nobody holds its output any more. */
  ended(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  /** Waits until it has printed what there is to try. */
  async isUp(): Promise<void> {
    await until(`the demo to be up: ${this.err}`, () => this.out.includes('Ctrl-C') || this.#child.exitCode !== null);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Its own process and all that it started, as far as they run. */
  processes(): readonly RunningProcess[] {
    return processesWith(`TMPDIR=${this.temp}`);
  }

  /** What there is of it after its end: nothing, if all is well. */
  async remains(): Promise<readonly string[]> {
    return [...this.processes().map(({ command }) => command), ...(await readdir(this.temp))];
  }
}

/** The rows of a table that begins with the text and ends with an empty line. */
export function rowsOf(text: string): readonly TableRow[] {
  const lines = text.split('\n');
  return lines.slice(1, lines.indexOf('')).map((line) => {
    const [who = '', agent = '', what = '', verdict = '', status = '', why = '', micros = ''] = line.split(/ {2,}/);
    return { who, agent, what, verdict, status, why, micros };
  });
}

export type DemoOptions = {
  /** Where its temporary folder is made. */
  readonly folder?: string;
  /** Puts a shell between, as npm does: signals reach that one. */
  readonly shell?: boolean;
};

/** Starts the demo. Whatever is left of it ends with the test. */
export async function startDemo(
  context: TestContext,
  args: readonly string[],
  { folder = '/tmp/sp-', shell = false }: DemoOptions = {},
): Promise<DemoRun> {
  const run = new DemoRun(await mkdtemp(folder), args, shell);
  context.after(async () => {
    run.signal('SIGTERM');
    for (const { pid } of run.processes()) if (pid !== process.pid) kill(pid);
    await rm(run.temp, { recursive: true, force: true });
  });
  return run;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
