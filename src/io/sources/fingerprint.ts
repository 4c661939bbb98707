import { stat } from 'node:fs/promises';

/**
 * A text that changes whenever the content of one of the files may have: which file stands at the end of all links, its size and when it
 * was changed. A file that cannot be looked at has its own text, so that it appearing is a change.
 */
export async function fingerprint(paths: readonly string[]): Promise<string> {
  const parts = await Promise.all(paths.map(oneFile));
  return parts.join('\n');
}

async function oneFile(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs, mode } = await stat(path, { bigint: true });
    return `${path} ${dev}:${ino} ${size} ${mtimeNs} ${ctimeNs} ${mode}`;
  } catch {
    return `${path} -`;
  }
}
