import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { until } from '../../../support/until.ts';
import type { Target, World } from '../target.ts';
import { startProxy } from './proxy-process.ts';
import { started } from './started.ts';

const SCRIPTS = join(import.meta.dirname, '..', '..', 'targets');

/** A script of bare Node; it prints its port. */
function bare(id: string, title: string, script: string, settings: (world: World) => readonly string[]): Target {
  return {
    id,
    title,
    judge: 'nothing',
    decisionLog: false,
    version: async () => `Node ${process.version.slice(1)}`,
    cannot: () => undefined,
    start: async (world, policy) => {
      const begun = performance.now();
      const args = [join(SCRIPTS, script), world.folder, ...settings(world)];
      const one = startProxy(world, { name: id, command: process.execPath, args });
      const said = (): number | undefined => saidPort(join(world.folder, `${id}.log`));
      const port = await until(`the port of ${id}`, () => said() ?? (one.isRunning() ? undefined : 0));
      return started({ world, policy, judge: 'nothing', port, processes: [one], begun });
    },
  };
}

function saidPort(path: string): number | undefined {
  const said = /"port":(\d+)/.exec(readFileSync(path, 'utf8'))?.[1];
  return said === undefined ? undefined : Number(said);
}

export const NODES: readonly Target[] = [
  bare('node-raw', 'Node, TLS to TCP, bytes only', 'raw-passthrough.ts', ({ upstream }) => [String(upstream.h2c)]),
  bare('node-piped', 'Node, its HTTP modules piped, no policy', 'alpn-pipe.ts', ({ upstream }) => [
    String(upstream.http1),
    String(upstream.h2c),
  ]),
  bare('node-tls', 'Node, TLS and an answer, no proxy', 'tls-answer.ts', () => []),
];
