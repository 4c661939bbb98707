import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { dyingWithUs } from '../../../kube/daemon.ts';
import type { World } from '../target.ts';

const GRACE_MS = 5_000;
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One process of a target. */
export type ProxyProcess = {
  readonly pid: number;
  readonly isRunning: () => boolean;
  /** SIGTERM, and SIGKILL for one that does not take it; resolved when it is gone. */
  readonly stop: () => Promise<void>;
  /** The end of what it wrote, for messages. */
  readonly story: () => string;
};

export type ProxyCommand = {
  /** Names the file of its output. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Beside our own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Which of its outputs is its decision log, that goes to `path`; the rest goes to `NAME.log` in the world's folder. */
  readonly decisions?: { readonly from: 'stdout' | 'stderr'; readonly path: string };
};

/** Where a target's decision log goes: a file that begins anew with each start, or what the world has in its place. */
export async function decisionLog({ folder, slowLog }: World, id: string): Promise<string> {
  if (slowLog !== undefined) return slowLog;
  const path = join(folder, `${id}.ndjson`);
  await rm(path, { force: true });
  return path;
}

/** Starts a process on the target's core, so that its id is the program's own: what is put before it only sets something and becomes it. */
export function startProxy(world: World, { name, command, args, env, decisions }: ProxyCommand): ProxyProcess {
  const logFile = join(world.folder, `${name}.log`);
  const log = openSync(logFile, 'w');
  const journal = decisions === undefined ? log : openSync(decisions.path, 'a');
  const outputs = [decisions?.from === 'stdout' ? journal : log, decisions?.from === 'stderr' ? journal : log];
  const [first = command, ...rest] = [...dyingWithUs(), ...world.pin, command, ...args];
  const child = spawn(first, rest, { stdio: ['ignore', ...outputs], env: { ...process.env, ...env } });
  for (const file of new Set([log, journal])) closeSync(file);
  running.add(child);
  const gone = once(child, 'exit').finally(() => running.delete(child));
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? 0,
    isRunning,
    story: () => `--- ${name}:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`,
    async stop() {
      if (!isRunning()) return;
      child.kill('SIGTERM');
      const wait = new AbortController();
      await Promise.race([gone, pause(GRACE_MS, undefined, { signal: wait.signal }).catch(() => undefined)]);
      wait.abort();
      child.kill('SIGKILL');
      await gone;
    },
  };
}
