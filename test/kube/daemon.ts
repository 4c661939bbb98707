import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { commandPath } from '../support/commands.ts';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program in the background that writes to a log file: ended by the process id that it was started with, and never outliving the tests. */
export type Daemon = {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  readonly isRunning: () => boolean;
  /** SIGTERM, and SIGKILL after `graceMs` (default none: SIGKILL at once); resolved when it is gone. */
  readonly stop: (graceMs?: number) => Promise<void>;
  /** The end of its log, for messages. */
  readonly story: () => string;
};

export type DaemonOptions = {
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
};

/** Starts a program; where Linux can, it dies with this process however that ends. */
export function startDaemon(name: string, options: DaemonOptions): Daemon {
  const { command, args, logFile, cwd, env } = options;
  const log = openSync(logFile, 'a');
  const [first, ...rest] = [...dyingWithUs(), command, ...args];
  const child = spawn(first ?? command, rest, { stdio: ['ignore', log, log], cwd, env: env ?? process.env });
  closeSync(log);
  running.add(child);
  const gone = once(child, 'exit').finally(() => running.delete(child));
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    name,
    pid: child.pid ?? 0,
    logFile,
    isRunning,
    story: () => `--- ${name}: ${logFile}\n${endOf(logFile)}`,
    async stop(graceMs) {
      if (graceMs !== undefined && isRunning()) {
        child.kill('SIGTERM');
        const wait = new AbortController();
        await Promise.race([gone, pause(graceMs, undefined, { signal: wait.signal }).catch(() => undefined)]);
        wait.abort();
      }
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** What to put before a command so that it dies with this process, however that ends; nothing where the machine has no such thing. */
export function dyingWithUs(): readonly string[] {
  const setpriv = process.platform === 'linux' ? commandPath('setpriv') : undefined;
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--'];
}

function endOf(path: string): string {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines
    .slice(-12)
    .map((line) => line.slice(0, 400))
    .join('\n');
}
