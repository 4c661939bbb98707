import { createHash } from 'node:crypto';

import { hex } from '../kernel/uuid.ts';

import type { Files } from './tar-reader.ts';

/** `sha256:` and the hash over names and content, each with its length, in the order of the names: the same for a folder and an archive of it. */
export function digestOf(files: Files): string {
  const hash = createHash('sha256');
  for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = new TextEncoder().encode(path);
    hash.update(`${name.length}:${bytes.length}:`).update(name).update(bytes);
  }
  return `sha256:${hex(hash.digest())}`;
}
