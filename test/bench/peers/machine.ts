import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

/** What a reader has to know of the machine; nothing that names it. */
export type Machine = {
  readonly cores: number;
  /** As the processor calls itself. */
  readonly processor: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** The policy of the processor's clock, where the kernel shows one (Linux `cpufreq`). */
  readonly governor: string | undefined;
  readonly node: string;
  /** Whether each side had a core of its own. */
  readonly pinned: boolean;
};

const GOVERNOR = '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor';

/** Two cores at least, and `taskset`: one core for the target, the other for load and upstream. */
export function canPin(): boolean {
  return availableParallelism() > 1 && spawnSync('taskset', ['-c', '1', 'true']).status === 0;
}

export function describeMachine(pinned: boolean): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    governor: governor(),
    node: process.version,
    pinned,
  };
}

function governor(): string | undefined {
  try {
    return readFileSync(GOVERNOR, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Processes that ran or wanted to, on the average of the last minute. */
export function loadAverage(): number {
  return loadavg()[0] ?? 0;
}

/** Resident memory of processes together, MiB: now, and the sum of what each had at most (proc(5), `status`, VmRSS and VmHWM). */
export function memoryOf(pids: readonly number[]): { readonly rssMiB: number; readonly peakRssMiB: number } {
  const texts = pids.map((pid) => readFileSync(`/proc/${pid}/status`, 'latin1'));
  return { rssMiB: sum(texts, 'VmRSS'), peakRssMiB: sum(texts, 'VmHWM') };
}

function sum(statuses: readonly string[], field: string): number {
  const kib = statuses.map((text) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0));
  return kib.reduce((total, one) => total + one, 0) / 1_024;
}
