import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

import { runLoad } from './load-job.ts';
import type { RunningTarget, World } from './target.ts';

/** What the harness says to whoever makes trouble. */
export type Scene = {
  readonly world: World;
  readonly running: RunningTarget;
  /** Puts another certificate and key of the target in place of the ones it has. */
  readonly renew: () => Promise<void>;
  /** `taskset` words for processes that are not the target's. */
  readonly pinOther: readonly string[];
  /** How long the load will run, seconds. */
  readonly seconds: number;
};

/** Ends a trouble; resolves when it is over. */
export type End = () => Promise<void>;

/** What goes wrong while a target is measured. */
export type Trouble = {
  /** Begins when the target answers. */
  readonly make?: (scene: Scene) => Promise<End>;
  /** It asks so much of the target that its CPU time cannot be put down to the requests that are counted. */
  readonly hasOtherRequests?: true;
  /** The target is told to write its log into a pipe that is read slowly. */
  readonly slowLog?: true;
};

const RELOAD_MS = 1_000;

/** Each second another certificate, and another revision of the policy. */
export async function reloading({ running, renew }: Scene): Promise<End> {
  const { revise } = running;
  if (revise === undefined) throw new Error('this target does not say how its policy may be changed');
  const over = new AbortController();
  const until = (async () => {
    for (let revision = 1; !over.signal.aborted; revision += 1) {
      await renew();
      await revise(revision);
      await pause(RELOAD_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return () => {
    over.abort();
    return until;
  };
}

/** Another peer that may do what the measured one does asks `perSecond` times a second, from a process of its own. */
export function flooding(perSecond: number): NonNullable<Trouble['make']> {
  return async ({ world, running, pinOther, seconds }) => {
    const flood = runLoad(
      {
        ...calling(world, running, 'flood'),
        protocol: 'http1',
        connections: 64,
        requests: [{ method: 'GET', path: '/api/v1/catalog/items' }],
        loop: { kind: 'open', perSecond },
        warmupSeconds: 0,
        seconds,
        pids: [],
      },
      pinOther,
    );
    // What becomes of a flood is its own affair, unless it could not begin.
    flood.catch(() => undefined);
    return async () => {
      await flood;
    };
  };
}

/** Whom a load calls, and as whom: the name of an identity of the world. */
export function calling(
  { folder }: World,
  { port }: RunningTarget,
  identity: 'client' | 'flood',
): { address: string; serverName: string; ca: string; cert: string; key: string } {
  return {
    address: `127.0.0.1:${port}`,
    serverName: 'localhost',
    ca: join(folder, 'ca.pem'),
    cert: join(folder, `${identity}.pem`),
    key: join(folder, `${identity}.key`),
  };
}

/** A named pipe whose reader is slow (`slow-sink.ts`), and what ends that. */
export async function slowPipe(folder: string, pin: readonly string[]): Promise<{ path: string; end: End }> {
  const path = join(folder, 'slow-log');
  await promisify(execFile)('mkfifo', [path]);
  const words = [...pin, process.execPath, join(import.meta.dirname, 'slow-sink.ts'), path];
  const child = spawn(words[0] ?? '', words.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    path,
    end: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      await promisify(execFile)('rm', [path]);
    },
  };
}
