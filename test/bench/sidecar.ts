/**
 * `npm run bench`: what a request costs in the sidecar, beside two bare Node baselines, in one run (see README.md of this folder).
 * `--quick`: short rounds, for a look. `--rounds N`, `--seconds N`. `--compiled`: builds and measures what the package holds, as users run it,
 * instead of the sources of the clone.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { createAuthority } from '../support/pki.ts';
import { cpuMs, median, peakRssMiB } from './process-cost.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    compiled: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
  },
});
const ROUNDS = Number(values.rounds ?? (values.quick ? 1 : 3));
const SECONDS = Number(values.seconds ?? (values.quick ? 2 : 5));
const CONNECTIONS = 64;
const RATE = 1_000;
const HERE = import.meta.dirname;
const ROOT = join(HERE, '..', '..');
const ENTRY = values.compiled ? join(ROOT, 'dist', 'cli', 'main.js') : join(ROOT, 'src', 'cli', 'main.ts');

type Kind = 'http1' | 'grpc';
type Target = {
  readonly name: string;
  readonly kind: Kind;
  readonly start: () => Promise<{ child: ChildProcess; port: number }>;
};
type Loaded = { readonly requests: number; readonly errors: number; readonly p50: number; readonly p99: number };
type Figures = { cpu: number[]; cpuAtRate: number[]; p50: number[]; p99: number[]; rss: number };

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
const children = new Set<ChildProcess>();
/** One core for the target, the other for load and upstream, where the system lets us say so. */
const pinnable = spawnSync('taskset', ['-c', '0', 'true']).status === 0;

function start(core: 0 | 1, args: readonly string[], stdio: 'ignore' | 'inherit' = 'inherit'): ChildProcess {
  const command = pinnable ? ['taskset', '-c', String(core), process.execPath, ...args] : [process.execPath, ...args];
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', stdio] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** First line of a child's standard output that is JSON and fits. */
async function said<T>(child: ChildProcess, key: string): Promise<T> {
  if (child.stdout === null) throw new Error('no output');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes(`"${key}"`)) return JSON.parse(line) as T;
  }
  throw new Error(`a process ended without saying ${key}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
}

function writeIdentities(): void {
  const authority = createAuthority({ trustDomain: 'example.org' });
  const agent = authority.issue({ id: 'spiffe://example.org/agents/agent' });
  const client = authority.issue({ id: 'spiffe://example.org/agents/client' });
  writeFileSync(join(folder, 'agent.pem'), agent.chainPem);
  writeFileSync(join(folder, 'agent.key'), agent.keyPem, { mode: 0o600 });
  writeFileSync(join(folder, 'client.pem'), client.chainPem);
  writeFileSync(join(folder, 'client.key'), client.keyPem, { mode: 0o600 });
  writeFileSync(join(folder, 'ca.pem'), authority.bundlePem);
  mkdirSync(join(folder, 'policy'));
  cpSync(join(HERE, 'rbac'), join(folder, 'policy'), { recursive: true });
}

async function baseline(script: string, upstream: number): Promise<{ child: ChildProcess; port: number }> {
  const child = start(0, [join(HERE, 'targets', script), folder, String(upstream)]);
  return { child, ...(await said<{ port: number }>(child, 'port')) };
}

/** The sidecar as a user runs it: policy on, every decision written to a file. */
async function sidecar(kind: Kind, upstream: string): Promise<{ child: ChildProcess; port: number }> {
  const config = join(folder, `${kind}.json`);
  const identity = { certificate: 'agent.pem', privateKey: 'agent.key', trustBundles: { 'example.org': 'ca.pem' } };
  const inbound = [{ listen: '127.0.0.1:0', upstream }];
  const policy = { bundle: 'policy', decision: 'bench/authz/allow' };
  writeFileSync(config, JSON.stringify({ identity, inbound, policy, journal: [`file:${kind}.ndjson`] }));
  const child = spawnSidecar(config);
  const stderr = child.stderr;
  if (stderr === null) throw new Error('no log');
  return new Promise((resolve, reject) => {
    createInterface({ input: stderr }).on('line', (line) => {
      const entry = JSON.parse(line) as { msg: string; port?: number };
      if (entry.msg === 'listening' && entry.port !== undefined) resolve({ child, port: entry.port });
    });
    child.once('exit', () => reject(new Error('the sidecar did not start')));
  });
}

function spawnSidecar(config: string): ChildProcess {
  const args = [ENTRY, 'run', '--config', config];
  const command = pinnable ? ['taskset', '-c', '0', process.execPath, ...args] : [process.execPath, ...args];
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function load(kind: Kind, port: number, seconds: number, rate: number): Promise<Loaded> {
  const settings = { kind, port, folder, connections: CONNECTIONS, seconds, rate };
  const child = start(1, [join(HERE, 'load.ts'), JSON.stringify(settings)]);
  return said<Loaded>(child, 'requests');
}

async function measure(target: Target, figures: Figures): Promise<void> {
  const { child, port } = await target.start();
  const pid = child.pid ?? 0;
  await load(target.kind, port, 1, 0);
  for (const rate of [0, RATE]) {
    const before = cpuMs(pid);
    const loaded = await load(target.kind, port, SECONDS, rate);
    if (loaded.errors > 0) throw new Error(`${target.name}: ${loaded.errors} requests failed`);
    const cpu = ((cpuMs(pid) - before) * 1_000) / loaded.requests;
    (rate === 0 ? figures.cpu : figures.cpuAtRate).push(cpu);
    if (rate !== 0) {
      figures.p50.push(loaded.p50);
      figures.p99.push(loaded.p99);
    }
  }
  figures.rss = Math.max(figures.rss, peakRssMiB(pid));
  await end(child);
}

function print(targets: readonly Target[], all: ReadonlyMap<Target, Figures>): void {
  const columns = [38, 14, 12, 12, 10, 10, 10];
  const row = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(columns[i] ?? 0) : cell.padStart(columns[i] ?? 0))).join('');
  for (const kind of ['http1', 'grpc'] as const) {
    const of = targets.filter((target) => target.kind === kind);
    const base = of.map((target) => median(all.get(target)?.cpu ?? []));
    console.log(
      `\n${kind === 'http1' ? 'HTTP/1.1, 1,000-byte answers' : 'gRPC unary, 51-byte messages'}, ${CONNECTIONS} connections; medians of ${ROUNDS} rounds of ${SECONDS} s`,
    );
    console.log(row(['target', 'CPU us/req', 'x raw', 'x piped', 'p50 us', 'p99 us', 'RSS MiB']));
    for (const target of of) {
      const { cpu, cpuAtRate, p50, p99, rss } = all.get(target) as Figures;
      const at = median(cpu);
      const ratio = (other: number | undefined): string => (other === undefined ? '-' : (at / other).toFixed(2));
      console.log(
        row([
          target.name,
          `${at.toFixed(1)} (${median(cpuAtRate).toFixed(0)})`,
          ratio(base[0]),
          ratio(base[1]),
          String(median(p50)),
          String(median(p99)),
          String(rss),
        ]),
      );
    }
  }
  console.log(
    `\nCPU: saturated (in brackets: at ${RATE} requests a second, where p50 and p99 were taken).${pinnable ? ' Target on one core, load and upstream on the other.' : ' Not pinned.'}`,
  );
}

if (values.compiled && spawnSync('npm', ['run', 'build'], { cwd: ROOT, stdio: 'inherit' }).status !== 0)
  process.exit(1);
writeIdentities();
const agent = start(1, [join(HERE, 'upstream.ts')]);
try {
  const { http1, h2c } = await said<{ http1: number; h2c: number }>(agent, 'http1');
  const targets: readonly Target[] = [
    { name: 'raw TLS to TCP passthrough', kind: 'http1', start: () => baseline('raw-passthrough.ts', http1) },
    { name: 'https server + http.request, piped', kind: 'http1', start: () => baseline('https-pipe.ts', http1) },
    { name: 'sallyport (policy, journal)', kind: 'http1', start: () => sidecar('http1', `http://127.0.0.1:${http1}`) },
    { name: 'raw TLS to TCP passthrough', kind: 'grpc', start: () => baseline('raw-passthrough.ts', h2c) },
    { name: 'http2 server + h2c client, piped', kind: 'grpc', start: () => baseline('http2-pipe.ts', h2c) },
    { name: 'sallyport (policy, journal)', kind: 'grpc', start: () => sidecar('grpc', `h2c://127.0.0.1:${h2c}`) },
  ];
  const all = new Map<Target, Figures>(
    targets.map((target) => [target, { cpu: [], cpuAtRate: [], p50: [], p99: [], rss: 0 }]),
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const target of targets) {
      console.error(`round ${round + 1} of ${ROUNDS}: ${target.kind} ${target.name}`);
      await measure(target, all.get(target) as Figures);
    }
  }
  print(targets, all);
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
