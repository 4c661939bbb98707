import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { freePorts } from '../../../support/free-ports.ts';
import { DECISION } from '../access.ts';
import type { PolicyName, RunningTarget, Target, World } from '../target.ts';
import { writePolicy } from './policy-folder.ts';
import { decisionLog, startProxy } from './proxy-process.ts';
import { started } from './started.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const MAIN = join(ROOT, 'dist', 'cli', 'main.js');
const BUILD_LIMIT_MS = 10 * 60_000;

let built: Promise<unknown> | undefined;

/** What the package holds, made once in a run. */
function build(): Promise<unknown> {
  built ??= run('npm', ['run', 'build'], { cwd: ROOT, timeout: BUILD_LIMIT_MS }).catch(
    (error: Error & { stdout?: string }) => {
      throw new Error(`npm run build failed: ${error.stdout ?? error.message}`);
    },
  );
  return built;
}

/** Sallyport as a user runs it: policy enforced, each decision in a journal. */
function sallyport(id: string, title: string, tls: Readonly<Record<string, unknown>>): Target {
  return {
    id,
    title,
    judge: 'Rego',
    decisionLog: true,
    version: async () => {
      await build();
      const { stdout } = await run(process.execPath, [MAIN, '--version']);
      return stdout.trim().replace(/^sallyport/, 'Sallyport');
    },
    cannot: () => undefined,
    start: (world, policy) => start(world, policy, id, tls),
  };
}

async function start(
  world: World,
  policy: PolicyName,
  id: string,
  tls: Readonly<Record<string, unknown>>,
): Promise<RunningTarget> {
  await build();
  const [bundle, [port = 0]] = await Promise.all([writePolicy(world, policy), freePorts(1)]);
  const { folder, upstream, slowLog } = world;
  const journal = await decisionLog(world, id);
  const config = join(folder, `${id}.json`);
  const settings = {
    identity: {
      certificate: join(folder, 'agent.pem'),
      privateKey: join(folder, 'agent.key'),
      trustBundles: { 'example.org': join(folder, 'ca.pem') },
    },
    inbound: [{ listen: `127.0.0.1:${port}`, upstream: `auto://127.0.0.1:${upstream.h2c}`, tls }],
    policy: { bundle, decision: DECISION },
    journal: [slowLog === undefined ? `file:${journal}` : 'stdout'],
  };
  await writeFile(config, JSON.stringify(settings));
  const begun = performance.now();
  const sidecar = startProxy(world, {
    name: id,
    command: process.execPath,
    args: [MAIN, 'run', '--config', config],
    ...(slowLog !== undefined && { decisions: { from: 'stdout', path: journal } }),
  });
  const policyFile = join(bundle, 'policy.rego');
  return started({ world, policy, judge: 'Rego', port, processes: [sidecar], begun, policyFile });
}

export const SALLYPORTS: readonly Target[] = [
  sallyport('sallyport', 'Sallyport, journal', {}),
  sallyport('sallyport-resumption', 'Sallyport, journal, TLS resumption', { resumption: true }),
];
