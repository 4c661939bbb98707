/** `npm run bench:peers`: Sallyport beside the proxies people take instead, under the same load, in turn. See README.md of this folder, and `--list`. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { AIMS } from './aims.ts';
import { writeBodies } from './bodies.ts';
import { writeIdentities } from './identities.ts';
import { canPin, describeMachine } from './machine.ts';
import { USAGE, readOptions } from './options.ts';
import type { Options } from './options.ts';
import { data, page } from './report.ts';
import type { LeftOut, Run, TargetFacts } from './report.ts';
import { runRounds, secondsOf } from './rounds.ts';
import type { Target } from './target.ts';
import { ALL } from './targets/all.ts';
import { startUpstream } from './upstream.ts';
import { WORKLOADS } from './workloads.ts';
import type { Workload } from './workloads.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

const args = process.argv.slice(2);
const asked = readOptions(args, { workloads: WORKLOADS.map(({ id }) => id), targets: ALL.map(({ id }) => id) });
if (typeof asked === 'string') {
  console.error(`${asked}\n\n${USAGE}`);
  process.exitCode = 2;
} else if (asked.list) {
  for (const { id, title, targets } of WORKLOADS) console.log(`${id}: ${title}\n  ${targets.join(', ')}`);
  console.log(`\n${ALL.map(({ id, title }) => `${id}: ${title}`).join('\n')}`);
} else {
  process.exitCode = await main(asked);
}

async function main(options: Options): Promise<number> {
  const began = performance.now();
  const date = new Date().toISOString();
  const over = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => over.abort());
  const workloads = WORKLOADS.filter(({ id }) => options.workloads?.includes(id) ?? true);
  const wanted = ALL.filter(({ id }) => options.targets?.includes(id) ?? true);
  const used = wanted.filter(({ id }) => workloads.some(({ targets }) => targets.includes(id)));
  const { present, facts, leftOut } = await install(used);
  sayEstimate(options, workloads, present);
  const { samples, leftOut: failed } = await inWorld(options, workloads, present, over.signal);
  const run: Run = {
    date,
    minutes: (performance.now() - began) / 60_000,
    commit: commit(),
    command: ['npm run bench:peers', ...(args.length === 0 ? [] : ['--', ...args])].join(' '),
    rounds: options.rounds,
    seconds: options.seconds,
    machine: describeMachine(canPin()),
    targets: facts,
    leftOut: [...leftOut, ...failed].map((one) => ({ ...one, reason: withoutPlaces(one.reason) })),
    samples,
  };
  const text = page(run, workloads, AIMS);
  console.log(text);
  if (over.signal.aborted) return 130;
  if (options.out !== undefined) await write(resolve(ROOT, options.out), text, data(run));
  return samples.length === 0 ? 1 : 0;
}

/** Asking for its version fetches or builds a target; one that cannot be had is left out with the reason. */
async function install(
  targets: readonly Target[],
): Promise<{ present: readonly Target[]; facts: readonly TargetFacts[]; leftOut: readonly LeftOut[] }> {
  const present: Target[] = [];
  const facts: TargetFacts[] = [];
  const leftOut: LeftOut[] = [];
  for (const target of targets) {
    const { id, title, judge, decisionLog } = target;
    say(`installing ${id}`);
    try {
      facts.push({ id, title, judge, decisionLog, version: await target.version() });
      present.push(target);
    } catch (error) {
      leftOut.push({ target: id, workload: undefined, reason: (error as Error).message });
      say(`${id} is left out: ${(error as Error).message}`);
    }
  }
  return { present, facts, leftOut };
}

function sayEstimate({ rounds, seconds }: Options, workloads: readonly Workload[], targets: readonly Target[]): void {
  const total = rounds * secondsOf(workloads, targets, seconds);
  say(
    `${workloads.length} workloads, ${targets.length} targets, ${rounds} round(s) of ${seconds} s: about ${Math.ceil(total / 60)} minutes`,
  );
}

async function inWorld(
  { rounds, seconds }: Options,
  workloads: readonly Workload[],
  targets: readonly Target[],
  over: AbortSignal,
): ReturnType<typeof runRounds> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-peers-'));
  const [pin, pinOther] = canPin() ? [core(0), core(1)] : [[], []];
  const upstream = await startUpstream(pinOther);
  // Without the upstream the load under way fails, and everything is put away in order.
  over.addEventListener('abort', () => void upstream.stop());
  try {
    const { renew } = await writeIdentities(folder);
    await writeBodies(folder);
    const world = { folder, upstream: upstream.ports, pin };
    const stage = { world, renew, helpers: [upstream.pid, process.pid], pinOther, seconds };
    return await runRounds(stage, workloads, targets, rounds, over, say);
  } finally {
    await upstream.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function core(number: number): readonly string[] {
  return ['taskset', '-c', String(number)];
}

async function write(folder: string, text: string, json: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'peers.md'), text);
  await writeFile(join(folder, 'peers.json'), json);
  say('written: peers.md, peers.json');
}

/** A reason for the page: one line, which says nothing of where things are on this machine. */
function withoutPlaces(reason: string): string {
  const places = [ROOT, tmpdir(), homedir()].reduce((text, place) => text.replaceAll(place, '...'), reason);
  return places.replaceAll(/\s+/g, ' ').slice(0, 400);
}

/** As short as git says it, and whether the sources are those of the commit. */
function commit(): string {
  try {
    const git = (...words: readonly string[]): string =>
      execFileSync('git', words, { cwd: ROOT, encoding: 'utf8' }).trim();
    const changed = git('status', '--porcelain', '--', 'src', 'test/bench', 'package-lock.json') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' (with changes that are not committed)' : ''}`;
  } catch {
    return 'unknown';
  }
}

function say(line: string): void {
  console.error(line);
}
