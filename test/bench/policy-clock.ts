import { median } from './process-cost.ts';

/** Something that is measured: its name and one turn of it, which is given a number that counts up. */
export type Contestant = { readonly name: string; readonly run: (turn: number) => unknown };

/** Nanoseconds of CPU a turn, the median of all rounds, and as a multiple of the first contestant: the median of the ratios round by round. */
export type Standing = { readonly name: string; readonly ns: number; readonly ratio: number };

/** How long a round of one contestant is to take, milliseconds. */
const ROUND_MS = 40;

/** Measures contestants in turn, round by round, so that whatever else the machine does falls on all of them alike. */
export function race(contestants: readonly Contestant[], rounds = 9): readonly Standing[] {
  const turns = contestants.map(({ run }) => warm(run));
  const times = contestants.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    contestants.forEach(({ run }, at) => times[at]?.push(nanoseconds(run, turns[at] ?? 1)));
  }
  return contestants.map(({ name }, at) => ({
    name,
    ns: median(times[at] ?? []),
    ratio: median((times[at] ?? []).map((time, round) => time / (times[0]?.[round] ?? time))),
  }));
}

/** Runs until compiled; how many turns make a round. */
function warm(run: Contestant['run']): number {
  const end = performance.now() + 10 * ROUND_MS;
  let turns = 0;
  const start = performance.now();
  while (performance.now() < end) run((turns += 1));
  return Math.max(1, Math.round((turns * ROUND_MS) / (performance.now() - start)));
}

/** CPU time, so that others on the machine count less. Includes this process's garbage collection. */
function nanoseconds(run: Contestant['run'], turns: number): number {
  const start = process.cpuUsage();
  for (let turn = 0; turn < turns; turn += 1) run(turn);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) / turns) * 1e3;
}

/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  console.log(['', line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n'));
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}

export function microseconds(ns: number): string {
  return (ns / 1e3).toFixed(ns < 10_000 ? 2 : 1);
}
