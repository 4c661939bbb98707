import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** One running process. */
export type RunningProcess = { readonly pid: number; readonly command: string };

/**
 * The running processes that were started with `assignment` (`NAME=value`) in their environment: a run that is given a variable of its own is found
 * with all its children and grandchildren, whatever groups they are in. Those that have ended but were not waited for are not among them.
 */
export function processesWith(assignment: string): readonly RunningProcess[] {
  return process.platform === 'linux' ? fromProc(assignment) : fromPs(assignment);
}

function fromProc(assignment: string): readonly RunningProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => read(`/proc/${pid}/environ`).split('\0').includes(assignment))
    .map((pid) => ({ pid: Number(pid), command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }));
}

/** Empty where the process is gone or not ours to look at. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** BSD's way: `e` shows the environment after the command. */
function fromPs(assignment: string): readonly RunningProcess[] {
  const lines = execFileSync('ps', ['axeww', '-o', 'pid=,command='], { encoding: 'utf8' }).split('\n');
  return lines
    .filter((line) => line.split(' ').includes(assignment))
    .map((line) => ({ pid: Number.parseInt(line, 10), command: line.trim().replace(/^\d+ /, '') }));
}
