import { readFileSync } from 'node:fs';

/** Memory of a process, MiB (proc(5), `smaps_rollup`). */
export type Memory = {
  /** All its pages in memory, the program's own file among them (50 MiB of Node's), which processes on a machine share. */
  readonly rss: number;
  /** The same, each page divided by the number of processes that have it. */
  readonly pss: number;
  /** Pages of no file: what every further process costs. */
  readonly anonymous: number;
};

/** Reads what a process has now. */
export function memoryOf(pid: number): Memory {
  return parseMemory(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'));
}

export function parseMemory(text: string): Memory {
  const mebibytes = (field: string): number => {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text);
    if (found === null) throw new Error(`smaps_rollup without ${field}: ${text.slice(0, 200)}`);
    return Number(found[1]) / 1_024;
  };
  return { rss: mebibytes('Rss'), pss: mebibytes('Pss'), anonymous: mebibytes('Anonymous') };
}
