/**
 * `node .ci/complete-lock-file.ts`: adds the platform packages that an `npm install` left out of package-lock.json because the registry it asked does not
 * serve them. Without their entries `npm ci` calls the lock file out of sync. Run it after every `npm install` of a development tool.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Entry = {
  version?: string;
  dev?: true;
  optional?: true;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
};
type LockFile = { packages: Record<string, Entry> };

const PATH = join(import.meta.dirname, '..', 'package-lock.json');

/** Platform packages are named `…/binding-linux-x64-gnu` or `…/darwin-arm64`: system, processor, C library. */
function platformEntry(name: string, version: string, parent: Entry): Entry {
  const [os = '', cpu = '', library = ''] = (name.split('/').at(-1) ?? '').replace('binding-', '').split('-');
  const libc = library.includes('musl') ? { libc: ['musl'] } : library.includes('gnu') ? { libc: ['glibc'] } : {};
  return { version, ...(parent.dev && { dev: true }), optional: true, os: [os], cpu: [cpu], ...libc };
}

const lock = JSON.parse(readFileSync(PATH, 'utf8')) as LockFile;
let added = 0;
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    if (`node_modules/${name}` in lock.packages) continue;
    lock.packages[`node_modules/${name}`] = platformEntry(name, version, parent);
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(PATH, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} platform packages added to package-lock.json`);
