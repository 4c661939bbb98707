import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { fileOf, type ImageEntry } from './entry.ts';

type LockFile = { readonly packages: Readonly<Record<string, LockEntry>> };
type LockEntry = { readonly dev?: boolean; readonly optional?: boolean };

/** Declarations, maps and prose: Node reads none of them. Licences stay. */
const NOT_READ = /\.(?:d\.[cm]?ts|[cm]?ts|map|md|markdown|flow|tsbuildinfo)$/;
const LICENCE = /^(?:licen[cs]e|copying|notice)/i;

/**
 * Manifest and licences of the production dependencies of the lock file, as npm installed them below `root`, to stand at `/app/node_modules`: what they permit depends on
 * the licence going along, and scanners know packages by their manifests. Their code is in the product (`bundle.ts`).
 */
export function productionPackages(root: string): readonly ImageEntry[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as LockFile;
  return Object.entries(lock.packages)
    .filter(([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true)
    .flatMap(([path]) => {
      if (!existsSync(join(root, path))) throw new Error(`${path} of the lock file is not installed; run npm ci first`);
      return readdirSync(join(root, path), { withFileTypes: true })
        .filter((item) => item.isFile() && (item.name === 'package.json' || LICENCE.test(item.name)))
        .map((item) => fileOf(`/app/${path}/${item.name}`, join(root, path, item.name)));
    });
}

/** Whether a file is of use in the image: code, data, or a licence. */
export function isRead(name: string): boolean {
  return LICENCE.test(name) || !NOT_READ.test(name);
}
