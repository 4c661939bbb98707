import { readdirSync, readFileSync } from 'node:fs';

/** Processes of the node (containers' too, which share its process namespace for us) of which `isIt` says so by their command line or control group. */
export function processesOf(isIt: (of: { readonly command: string; readonly cgroup: string }) => boolean): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => isIt({ command: textOf(pid, 'cmdline').replaceAll('\0', ' '), cgroup: textOf(pid, 'cgroup') }))
    .map(Number);
}

/** The first process of a container, by `containerID` of its status. */
export function processOfContainer(containerId: string): number {
  const id = containerId.replace('containerd://', '');
  const [first] = processesOf(({ cgroup }) => cgroup.includes(id)).toSorted((a, b) => a - b);
  if (first === undefined) throw new Error(`no process of ${containerId}`);
  return first;
}

/** Stops the API server as a hung machine would, and lets it go on: connections stay, and nothing answers. */
export async function withoutApiServer(act: () => Promise<void>): Promise<void> {
  const pids = processesOf(({ command }) => /^\S*kube-apiserver /.test(command));
  if (pids.length !== 1) throw new Error(`${pids.length} API servers run`);
  const signal = (name: NodeJS.Signals): void => pids.forEach((pid) => process.kill(pid, name));
  signal('SIGSTOP');
  try {
    await act();
  } finally {
    signal('SIGCONT');
  }
}

/** Empty where the process has ended meanwhile. */
function textOf(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
