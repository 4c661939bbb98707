import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { buildGo } from './go-build.ts';
import { GO_FOLDER } from './load-job.ts';
import type { World } from './target.ts';

/** The agent behind all targets, one process for a whole run. */
export async function startUpstream(
  pin: readonly string[],
): Promise<{ readonly ports: World['upstream']; readonly pid: number; readonly stop: () => Promise<void> }> {
  const [command, ...args] = [...pin, await buildGo(GO_FOLDER, 'upstream')];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    ended.then(() => ['{}']),
  ])) as [string];
  const { http1, h2c } = JSON.parse(line) as Partial<World['upstream']>;
  if (http1 === undefined || h2c === undefined || child.pid === undefined)
    throw new Error('the upstream of the bench did not start');
  return {
    ports: { http1, h2c },
    pid: child.pid,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
