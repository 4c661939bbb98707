/** One path of an image, absolute. Owner is root, time is the epoch: the same contents are the same bytes. */
export type ImageEntry =
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly from: FileSource };

/** Bytes, or the path of a file on this machine. */
export type FileSource = { readonly bytes: Uint8Array } | { readonly file: string };

/** What changes together: the system below seldom, the product with each version. */
export type ImageLayer = { readonly name: string; readonly entries: readonly ImageEntry[] };

export function folder(path: string, mode = 0o755): ImageEntry {
  return { kind: 'folder', path, mode };
}

export function fileOf(path: string, file: string, mode = 0o644): ImageEntry {
  return { kind: 'file', path, mode, from: { file } };
}

export function text(path: string, content: string): ImageEntry {
  return { kind: 'file', path, mode: 0o644, from: { bytes: new TextEncoder().encode(content) } };
}

/** Sorted by path, each once, with the folders above each. */
export function complete(entries: readonly ImageEntry[]): readonly ImageEntry[] {
  const byPath = new Map<string, ImageEntry>();
  for (const entry of entries) {
    for (let end = entry.path.indexOf('/', 1); end > 0; end = entry.path.indexOf('/', end + 1)) {
      const above = entry.path.slice(0, end);
      if (!byPath.has(above)) byPath.set(above, folder(above));
    }
    byPath.set(entry.path, entry);
  }
  return [...byPath.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
