/**
 * `npm run bench:footprint`: memory at rest and with idle connections, and what a start costs, beside bare Node and a bare `node:https` server (docs/benchmarks/footprint.md).
 * `--rounds N` (5), `--connections N` (1000), `--only NAME,NAME`. Linux only. Compiles what the image holds into a folder for temporary files first.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';

import { compileProduct } from '../../helm/image/contents.ts';
import { openIdle } from './footprint-connections.ts';
import { memoryOf, type Memory } from './footprint-memory.ts';
import { writeIdentities } from './peers/identities.ts';
import { loadAverage } from './peers/machine.ts';
import { cpuMs, median } from './process-cost.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '1000' },
    only: { type: 'string' },
  },
});
const ROUNDS = Number(values.rounds);
const CONNECTIONS = Number(values.connections);
const ROOT = resolve(import.meta.dirname, '../..');
const CLONE = join(ROOT, 'src/cli/main.ts');
/** Collections of garbage that a start or many handshakes left behind begin by themselves; figures are taken after that. */
const SETTLE_MS = 2_000;

const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), 'sallyport-footprint-'));
const children = new Set<ChildProcess>();

type Target = {
  readonly name: string;
  readonly args: readonly string[];
  /** Whether it takes connections. */
  readonly serves: boolean;
};
type Round = {
  readonly startCpuMs: number;
  readonly startMs: number;
  readonly rest: Memory;
  readonly loaded: Memory | undefined;
};

/** Starts a target and measures it until it is ended. */
async function measure({ args, serves }: Target): Promise<Round> {
  const began = performance.now();
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  try {
    const port = await Promise.race([portOf(child.stdout), portOf(child.stderr)]);
    const startMs = performance.now() - began;
    const pid = child.pid ?? 0;
    const startCpuMs = cpuMs(pid);
    await delay(SETTLE_MS);
    const rest = memoryOf(pid);
    return { startCpuMs, startMs, rest, loaded: serves ? await withConnections(pid, port) : undefined };
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    children.delete(child);
  }
}

async function withConnections(pid: number, port: number): Promise<Memory> {
  const files = ['client.pem', 'client.key', 'ca.pem'].map((name) => readFile(join(folder, name), 'utf8'));
  const [cert, key, ca] = await Promise.all(files);
  const sockets = await openIdle(CONNECTIONS, port, { cert, key, ca });
  await delay(SETTLE_MS);
  const memory = memoryOf(pid);
  if (sockets.some((socket) => socket.destroyed)) throw new Error('an idle connection was closed');
  for (const socket of sockets) socket.destroy();
  return memory;
}

/** The port of the line with which a target says that it listens; one that says nothing on a stream is waited for on the other. */
async function portOf(stream: ChildProcess['stdout']): Promise<number> {
  if (stream === null) throw new Error('no output');
  const said: string[] = [];
  for await (const line of createInterface({ input: stream })) {
    said.push(line);
    const { port, msg = 'listening' } = JSON.parse(line) as { readonly port?: number; readonly msg?: string };
    if (port !== undefined && msg === 'listening') return port;
  }
  throw new Error(`a target ended before it listened: ${said.join('\n')}`);
}

/** The agent: every path is answered with 1,000 bytes. */
async function startAgent(): Promise<Server> {
  const agent = createServer((_request, response) => response.end('x'.repeat(1_000))).listen(0, '127.0.0.1');
  await once(agent, 'listening');
  return agent;
}

/** Identity, a compiled policy and the configuration of a sidecar as users run it: policy enforced, each decision written to a file. */
async function prepare(agent: Server): Promise<string> {
  await writeIdentities(folder);
  await cp(join(ROOT, 'test/bench/rbac'), join(folder, 'policy'), { recursive: true });
  const decision = 'bench/authz/allow';
  const bundle = join(folder, 'bundle.tar.gz');
  const options = ['--decision', decision, '--output', bundle];
  await run(process.execPath, [CLONE, 'policy', 'build', join(folder, 'policy'), ...options]);
  const config = join(folder, 'sallyport.json');
  const settings = {
    identity: { certificate: 'agent.pem', privateKey: 'agent.key', trustBundles: { 'example.org': 'ca.pem' } },
    inbound: [{ listen: '127.0.0.1:0', upstream: `http://127.0.0.1:${(agent.address() as AddressInfo).port}` }],
    policy: { bundle, decision },
    journal: ['file:journal.ndjson'],
  };
  await writeFile(config, JSON.stringify(settings));
  return config;
}

async function targets(config: string): Promise<readonly Target[]> {
  const compiled = join(folder, 'package');
  compileProduct(ROOT, join(compiled, 'dist'));
  await cp(join(ROOT, 'package.json'), join(compiled, 'package.json'));
  await symlink(join(ROOT, 'node_modules'), join(compiled, 'node_modules'));
  const image = join(folder, 'image');
  await run(process.execPath, [join(ROOT, 'helm/image/build.ts'), '--tree', image], { cwd: ROOT });
  const serve = ['run', '--config', config];
  const all: readonly Target[] = [
    { name: 'bare Node', args: [await baseline('idle')], serves: false },
    { name: 'bare node:https', args: [await baseline('https-answer'), folder, '0'], serves: true },
    { name: 'sallyport, clone', args: [CLONE, ...serve], serves: true },
    { name: 'sallyport, package', args: [join(compiled, 'dist/cli/main.js'), ...serve], serves: true },
    { name: 'sallyport, image', args: [join(image, 'product/app/dist/cli/main.js'), ...serve], serves: true },
  ];
  return all.filter(({ name }) => values.only?.split(',').includes(name) ?? true);
}

/** A baseline as plain JavaScript: Node's reader of types alone takes 11 MiB. */
async function baseline(name: string): Promise<string> {
  for (const each of [name, 'settings']) {
    const source = await readFile(join(ROOT, 'test/bench/targets', `${each}.ts`), 'utf8');
    await writeFile(join(folder, `${each}.mjs`), stripTypeScriptTypes(source).replaceAll(".ts'", ".mjs'"));
  }
  return join(folder, `${name}.mjs`);
}

function print(all: ReadonlyMap<string, readonly Round[]>): void {
  const many = `${CONNECTIONS} connections`;
  console.log(
    `\nMedians of ${ROUNDS} rounds; memory in MiB: RSS / PSS / anonymous; load average now ${loadAverage().toFixed(1)}`,
  );
  console.log(`| | start, CPU ms | start, wall ms | at rest | ${many} | KiB a connection |\n|---|---|---|---|---|---|`);
  for (const [name, rounds] of all) {
    const grown = rounds.flatMap(({ rest, loaded }) => (loaded ? [loaded.anonymous - rest.anonymous] : []));
    const each = grown.length === 0 ? '' : ((median(grown) * 1_024) / CONNECTIONS).toFixed(0);
    const start = [median(rounds.map((one) => one.startCpuMs)), median(rounds.map((one) => one.startMs))];
    const memory = [cells(rounds.map((one) => one.rest)), cells(rounds.map((one) => one.loaded)), each];
    console.log(`| ${[name, ...start.map((ms) => ms.toFixed(0)), ...memory].join(' | ')} |`);
  }
}

function cells(memory: readonly (Memory | undefined)[]): string {
  const some = memory.filter((one) => one !== undefined);
  const of = (key: keyof Memory): string => median(some.map((one) => one[key])).toFixed(0);
  return some.length === 0 ? '' : `${of('rss')} / ${of('pss')} / ${of('anonymous')}`;
}

const agent = await startAgent();
try {
  const all = await targets(await prepare(agent));
  const rounds = new Map<string, Round[]>(all.map(({ name }) => [name, []]));
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const one of all) {
      console.error(`round ${round} of ${ROUNDS}: ${one.name}; load average ${loadAverage().toFixed(1)}`);
      rounds.get(one.name)?.push(await measure(one));
    }
  }
  print(rounds);
} finally {
  for (const child of children) child.kill('SIGKILL');
  agent.closeAllConnections();
  agent.close();
  await rm(folder, { recursive: true, force: true });
}
