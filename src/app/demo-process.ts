import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A program of the demo, run by this very Node. */
export type Program = {
  readonly name: string;
  /** Script and arguments. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** A process that did not start, or ended by itself. The message ends with the last lines that it wrote. */
export class ProcessFault extends Error {
  constructor(name: string, what: string, lines: readonly string[]) {
    super([`${name} ${what}`, ...lines.map((line) => `  | ${line}`)].join('\n'));
    this.name = 'ProcessFault';
  }
}

const KEPT_LINES = 40;
const SHOWN_LINES = 12;

/** One child process: what it says, that it ends. */
export class OwnedProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #readers = new Set<(line: string) => void>();
  readonly #closed: Promise<void>;
  #end: string | undefined;

  /** Starts it. */
  constructor({ name, args, env = {} }: Program) {
    this.#name = name;
    this.#child = spawn(process.execPath, [...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C in a terminal reaches the demo alone, and a sidecar hears of it once, as the signal that it drains on.
      detached: true,
      env: { ...process.env, ...env },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#hear(line));
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    const over = (how: string): void => {
      this.#end ??= how;
      resolve();
    };
    this.#child.on('error', (error) => over(`could not be started: ${error.message}`));
    this.#child.on('close', (code, signal) => over(`ended ${code === null ? `by ${signal}` : `with code ${code}`}`));
  }

  get name(): string {
    return this.#name;
  }

  /** Resolves with the fault when it has ended, for whatever reason. */
  async ended(): Promise<ProcessFault> {
    await this.#closed;
    return this.#fault(this.#end ?? 'ended');
  }

  /** What `read` makes of the first line of its output for which that is not undefined. Rejects with `ProcessFault` after `withinMs`, or when it ends before. */
  async line<T>(read: (line: string) => T | undefined, withinMs: number): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const reader = (line: string): void => {
      const value = read(line);
      if (value !== undefined) resolve(value);
    };
    this.#readers.add(reader);
    const timer = setTimeout(() => reject(this.#fault(`was not ready after ${withinMs} ms`)), withinMs);
    void this.ended().then(reject);
    this.#lines.forEach(reader);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#readers.delete(reader);
    }
  }

  /** SIGTERM, and SIGKILL when it has not ended after `graceMs`. Resolves when it has. */
  async stop(graceMs: number): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.#closed;
    clearTimeout(timer);
  }

  /** SIGKILL, now. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #hear(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    for (const reader of this.#readers) reader(line);
  }

  #fault(what: string): ProcessFault {
    return new ProcessFault(this.#name, what, this.#lines.slice(-SHOWN_LINES));
  }
}
