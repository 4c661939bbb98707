import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { fileOf, type ImageEntry } from './entry.ts';

type LockFile = { readonly packages: Readonly<Record<string, LockEntry>> };
type LockEntry = { readonly dev?: boolean; readonly optional?: boolean };

/** Declarations, maps and prose: Node reads none of them. Licences stay. */
const NOT_READ = /\.(?:d\.[cm]?ts|[cm]?ts|map|md|markdown|flow|tsbuildinfo)$/;
const LICENCE = /^(?:licen[cs]e|copying|notice)/i;
/** Folders at the top of packages that are for other places than Node, or for those who work on the package. */
const NOT_FOR_US = new Set([
  'test',
  'tests',
  'docs',
  'example',
  'examples',
  'benchmark',
  'benchmarks',
  'browser',
  '.github',
]);
/** What single packages carry twice: copies for browsers, and sources of what stands compiled beside them. */
const COPIES = new Set([
  'node_modules/bintrees/dist',
  'node_modules/@opentelemetry/api/build/esm',
  'node_modules/@opentelemetry/api/build/esnext',
  'node_modules/node-forge/dist',
  'node_modules/node-forge/flash',
  'node_modules/protobufjs/dist',
  'node_modules/zod/src',
]);

/** The production dependencies of the lock file, as npm installed them below `root`, without what is never read; to stand at `/app/node_modules`. */
export function productionPackages(root: string): readonly ImageEntry[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as LockFile;
  return Object.entries(lock.packages)
    .filter(([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true)
    .flatMap(([path]) => {
      if (!existsSync(join(root, path))) throw new Error(`${path} of the lock file is not installed; run npm ci first`);
      return packageFiles(root, path);
    });
}

function packageFiles(root: string, path: string, isTop = true): readonly ImageEntry[] {
  return readdirSync(join(root, path), { withFileTypes: true }).flatMap((item) => {
    const below = `${path}/${item.name}`;
    if (item.isDirectory()) {
      // Packages within packages have their own line in the lock file.
      const isLeftOut = item.name === 'node_modules' || (isTop && NOT_FOR_US.has(item.name)) || COPIES.has(below);
      return isLeftOut ? [] : packageFiles(root, below, false);
    }
    return item.isFile() && isRead(item.name) ? [fileOf(`/app/${below}`, join(root, below))] : [];
  });
}

/** Whether a file is of use in the image: code, data, or a licence. */
export function isRead(name: string): boolean {
  return LICENCE.test(name) || !NOT_READ.test(name);
}
