import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { binary } from './binaries.ts';
import type { Cluster } from './cluster.ts';

/** A decision record of a sidecar, as far as tests ask. */
export type FollowedRecord = {
  readonly pod: string;
  readonly trace_id?: string;
  readonly sallyport: {
    /** Of this record in its chain: no two have the same. */
    readonly hash: string;
    readonly direction: string;
    readonly verdict: string;
    readonly fault?: string;
    readonly candidate?: { readonly verdict: string };
  };
};

/** The decision records of every pod that ever had a label, those that are gone too. */
export type FollowedRecords = {
  readonly all: () => readonly FollowedRecord[];
  /** What the sidecars said besides. */
  readonly log: () => readonly string[];
  /** Ends when nothing follows any more; what a running pod wrote before is there. */
  readonly stop: () => Promise<void>;
};

const LOOK_MS = 500;

/** Follows the logs of sidecars, of pods that come later as well: with a pod the node throws its logs away. */
export function followRecords(
  cluster: Cluster,
  context: TestContext,
  namespace: string,
  selector: string,
): FollowedRecords {
  // Lines may come twice when the node begins another file.
  const records = new Map<string, FollowedRecord>();
  const log: string[] = [];
  const followers = new Map<string, ChildProcess>();
  const stopped = new AbortController();
  const follow = (pod: string): void => {
    const args = ['-n', namespace, 'logs', '-f', pod, '-c', 'sallyport'];
    const child = spawn(binary('kubectl'), args, { env: cluster.env, stdio: ['ignore', 'pipe', 'ignore'] });
    followers.set(pod, child);
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{"decision_id"')) log.push(line);
      else {
        const record = JSON.parse(line) as FollowedRecord;
        records.set(record.sallyport.hash, { ...record, pod });
      }
    });
    // A sidecar that has not started yet has no log.
    child.once('exit', (code) => code !== 0 && followers.delete(pod));
  };
  const look = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const pods = await cluster.pods(namespace, selector).catch(() => []);
      for (const { metadata } of pods) if (!followers.has(metadata.name)) follow(metadata.name);
      await pause(LOOK_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  };
  const looking = look();
  const stop = async (): Promise<void> => {
    stopped.abort();
    await looking;
    await Promise.all([...followers.values()].map(endOf));
  };
  context.after(stop);
  return { all: () => [...records.values()], log: () => log, stop };
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}
