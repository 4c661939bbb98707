import { execFile } from 'node:child_process';
import { copyFile, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { freePorts } from '../../../support/free-ports.ts';
import { DECISION } from '../access.ts';
import type { PolicyName, RunningTarget, Target, World } from '../target.ts';
import { replace } from '../replace-file.ts';
import { writePolicy } from './policy-folder.ts';
import { decisionLog, startProxy } from './proxy-process.ts';
import { product } from './sallyport-product.ts';
import { started } from './started.ts';

const run = promisify(execFile);
/** How a target is set up that differs from another. */
type Arrangement = {
  readonly id: string;
  readonly title: string;
  readonly tls?: Readonly<Record<string, unknown>> /** How it gets the policy; a bundle by default. */;
  readonly policy?: 'rego' | 'bundle';
};

/** Sallyport as a user runs it: policy enforced, each decision in a journal. */
function sallyport(arrangement: Arrangement): Target {
  return {
    id: arrangement.id,
    title: arrangement.title,
    judge: 'Rego',
    decisionLog: true,
    version: async () => {
      const { stdout } = await run(process.execPath, [await product(), '--version']);
      return stdout.trim().replace(/^sallyport/, 'Sallyport');
    },
    cannot: () => undefined,
    start: (world, policy) => start(world, policy, arrangement),
  };
}

async function start(
  world: World,
  policy: PolicyName,
  { id, tls = {}, policy: form = 'bundle' }: Arrangement,
): Promise<RunningTarget> {
  const main = await product();
  const rego = await writePolicy(world, policy);
  const [source, [port = 0]] = await Promise.all([form === 'rego' ? inRego(rego) : inBundles(rego), freePorts(1)]);
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
    policy: { bundle: source.bundle, decision: DECISION },
    journal: [slowLog === undefined ? `file:${journal}` : 'stdout'],
  };
  await writeFile(config, JSON.stringify(settings));
  const begun = performance.now();
  const sidecar = startProxy(world, {
    name: id,
    command: process.execPath,
    args: [main, 'run', '--config', config],
    ...(slowLog !== undefined && { decisions: { from: 'stdout', path: journal } }),
  });
  const { revise } = source;
  return started({ world, policy, judge: 'Rego', port, processes: [sidecar], begun, revise });
}

/** Where a policy stands, and what puts its next revision there. */
type PolicySource = { readonly bundle: string; readonly revise: NonNullable<RunningTarget['revise']> };

/** A folder of Rego, which the sidecar compiles itself. */
async function inRego(folder: string): Promise<PolicySource> {
  const path = join(folder, 'policy.rego');
  const original = await readFile(path, 'utf8');
  const revise = (revision: number): Promise<void> => replace(path, `${original}\n# revision ${revision}\n`);
  return { bundle: folder, revise };
}

/** Bundles as `sallyport policy build` makes them of the same Rego; two of them take turns. */
async function inBundles(folder: string): Promise<PolicySource> {
  const bundle = `${folder}.tar.gz`;
  const revisions = [`${folder}-even.tar.gz`, `${folder}-odd.tar.gz`];
  for (const [index, path] of revisions.entries()) await bundled(folder, String(index), path);
  const revise = async (revision: number): Promise<void> => {
    await copyFile(revisions[revision % 2] as string, `${bundle}.new`);
    await rename(`${bundle}.new`, bundle);
  };
  await revise(0);
  return { bundle, revise };
}

async function bundled(folder: string, revision: string, output: string): Promise<void> {
  const words = ['policy', 'build', folder, '-d', DECISION, '--revision', revision, '-o', output];
  await run(process.execPath, [await product(), ...words]);
}

export const SALLYPORTS: readonly Target[] = [
  sallyport({ id: 'sallyport', title: 'Sallyport, journal' }),
  sallyport({ id: 'sallyport-rego', title: 'Sallyport, journal, compiles Rego itself', policy: 'rego' }),
  sallyport({ id: 'sallyport-resumption', title: 'Sallyport, journal, TLS resumption', tls: { resumption: true } }),
];
