import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { missingFor, remedy } from './binaries.ts';
import { cgroupsMissing, cgroupsNamed, makeCgroup, removeCgroup } from './cgroups.ts';
import { createKubeTools } from './kube-tools.ts';
import { inOwnNamespaces } from './own-namespaces.ts';
import { CLUSTER_VARIABLE, startCluster } from './start-cluster.ts';

/**
 * `npm run test:cluster [-- [--shell] [--logs FOLDER] [FILE...]]`: brings up a whole cluster in namespaces of its own, runs tests against it (default: all of
 * test/kube/cluster), and takes it away. `--shell` gives a shell with kubectl and helm instead of tests; `--logs` keeps what the cluster's programs said.
 */
const ROOT = resolve(import.meta.dirname, '../..');
/** Folders and control groups are named so, and nothing else is. */
const PREFIX = 'sallyport-kube-cluster-';
const INSIDE = 'SALLYPORT_TEST_CLUSTER_FOLDER';

const { values, positionals } = parseArgs({
  options: { shell: { type: 'boolean', default: false }, logs: { type: 'string' } },
  allowPositionals: true,
});

async function outside(): Promise<number> {
  const missing = machineLacks();
  if (missing.length > 0) {
    say(`CANNOT TEST against a cluster on this machine: ${missing.join('; ')}\n${remedy('cluster')}`);
    return 3;
  }
  await sweep();
  const folder = await mkdtemp(join(tmpdir(), PREFIX));
  const cgroup = basename(folder);
  try {
    await writeFile(join(folder, 'owner'), String(process.pid));
    makeCgroup(cgroup);
    const self = [process.execPath, import.meta.filename, ...process.argv.slice(2)];
    return await inOwnNamespaces(self, { ...process.env, [INSIDE]: folder });
  } finally {
    await takeAway(folder);
  }
}

function machineLacks(): readonly string[] {
  if (process.platform !== 'linux') return ['it needs Linux'];
  if (process.getuid?.() !== 0) return ['it needs root'];
  const cgroups = cgroupsMissing();
  return [...missingFor('cluster'), ...(cgroups === undefined ? [] : [cgroups])];
}

/** What an earlier run left whose process was killed: with it everything that ran has ended. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (name.startsWith(PREFIX) && !(await isOwned(join(tmpdir(), name)))) await takeAway(join(tmpdir(), name));
  }
  for (const name of cgroupsNamed(PREFIX)) if (!existsSync(join(tmpdir(), name))) await removeCgroup(name);
}

async function isOwned(folder: string): Promise<boolean> {
  const pid = await readFile(join(folder, 'owner'), 'utf8').catch(() => '');
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return pid !== '' && command.includes(basename(import.meta.filename));
}

async function takeAway(folder: string): Promise<void> {
  await removeCgroup(basename(folder));
  await rm(folder, { recursive: true, force: true });
}

async function inside(folder: string): Promise<number> {
  const began = performance.now();
  const timed = (line: string): void => say(`${line}, ${((performance.now() - began) / 1000).toFixed(1)} s`);
  try {
    const facts = await startCluster(folder, basename(folder), timed);
    const { env } = createKubeTools(join(folder, 'kubeconfig'), folder);
    const child = spawn(...programFor(positionals), {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...(values.shell ? env : process.env), [CLUSTER_VARIABLE]: facts },
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    if (values.logs !== undefined) await keepLogs(folder, resolve(values.logs));
  }
}

function programFor(files: readonly string[]): [string, string[]] {
  if (values.shell) return [process.env['SHELL'] ?? 'sh', []];
  const which = files.length > 0 ? files : ['test/kube/cluster/**/*.kube.ts'];
  const options = [
    '--import',
    './test/support/property-seed.ts',
    '--test',
    '--test-concurrency=1',
    '--test-reporter=spec',
  ];
  return [process.execPath, [...options, ...which]];
}

async function keepLogs(folder: string, where: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith('.log') || name === 'pod-logs')
      await cp(join(folder, name), join(where, name), { recursive: true });
  }
  say(`logs are in ${where}`);
}

function say(line: string): void {
  process.stderr.write(`cluster: ${line}\n`);
}

const within = process.env[INSIDE];
// What was started in the background would keep the process: its end is that of the namespaces.
process.exit(within === undefined ? await outside() : await inside(within));
