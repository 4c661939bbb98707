import { readFileSync } from 'node:fs';

/** Linux counts process times in ticks of 10 ms (sysconf(_SC_CLK_TCK) is 100 wherever Node runs). */
const TICK_MS = 10;

/** User and system time that a process has used, milliseconds (proc(5), `stat` fields 14 and 15). */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Largest resident set of a process so far, MiB (proc(5), `status`, VmHWM). */
export function peakRssMiB(pid: number): number {
  const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Math.round(Number(found?.[1] ?? 0) / 1_024);
}

/** The middle value; of an even count the lower of the two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;
}
