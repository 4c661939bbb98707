import { chmodSync, copyFileSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ImageLayer } from './entry.ts';

/** Lays a layer out below `folder`, as a Dockerfile copies it. */
export function writeTree({ entries }: ImageLayer, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const entry of entries) {
    const path = join(folder, entry.path);
    if (entry.kind === 'folder') mkdirSync(path, { recursive: true });
    else if (entry.kind === 'link') symlinkSync(entry.target, path);
    else if ('file' in entry.from) copyFileSync(entry.from.file, path);
    else writeFileSync(path, entry.from.bytes);
    if (entry.kind !== 'link') chmodSync(path, entry.mode);
  }
  // Last, since what is made in a folder changes its time.
  for (const { kind, path } of entries) if (kind !== 'link') utimesSync(join(folder, path), 0, 0);
}
