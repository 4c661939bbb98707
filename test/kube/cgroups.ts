import { existsSync, readFileSync, readdirSync, rmdirSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { until } from '../support/until.ts';

const ROOT = '/sys/fs/cgroup';
const isUnified = (): boolean => existsSync(join(ROOT, 'cgroup.controllers'));

/** Each hierarchy of control groups: one with version 2, one a controller with version 1. */
function hierarchies(): readonly string[] {
  if (isUnified()) return [ROOT];
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((item) => item.isDirectory() && existsSync(join(ROOT, item.name, 'cgroup.procs')))
    .map((item) => join(ROOT, item.name));
}

/** Why control groups cannot be made here; undefined where they can. */
export function cgroupsMissing(): string | undefined {
  const name = `sallyport-probe-${process.pid}`;
  try {
    makeCgroup(name);
    return undefined;
  } catch (error) {
    return `control groups cannot be made (${String(error)})`;
  } finally {
    for (const top of hierarchies()) if (existsSync(join(top, name))) rmdirSync(join(top, name));
  }
}

/** Makes a control group at the top of each hierarchy, for the pods of one cluster. */
export function makeCgroup(name: string): void {
  if (isUnified()) {
    const controllers = readFileSync(join(ROOT, 'cgroup.controllers'), 'utf8').trim().split(' ');
    writeFileSync(join(ROOT, 'cgroup.subtree_control'), controllers.map((each) => `+${each}`).join(' '));
  }
  for (const top of hierarchies()) {
    const group = join(top, name);
    mkdirSync(group);
    // Version 1 gives a new group no processors and no memory nodes.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if (!isUnified() && existsSync(join(group, file)))
        writeFileSync(join(group, file), readFileSync(join(top, file)));
    }
  }
}

/** Removes it with all below it; their processes have ended, and the kernel may need a moment to see that. */
export async function removeCgroup(name: string): Promise<void> {
  for (const top of hierarchies())
    await until(`the end of control group ${top}/${name}`, () => removed(join(top, name)));
}

function removed(group: string): boolean {
  if (!existsSync(group)) return true;
  for (const item of readdirSync(group, { withFileTypes: true })) {
    if (item.isDirectory() && !removed(join(group, item.name))) return false;
  }
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

/** Names of groups at the top that begin with `prefix`. */
export function cgroupsNamed(prefix: string): readonly string[] {
  const names = hierarchies().flatMap((top) => readdirSync(top).filter((name) => name.startsWith(prefix)));
  return [...new Set(names)];
}
