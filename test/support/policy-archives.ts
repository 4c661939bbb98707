import { packBundle, signedFiles } from '../../src/core/bundle/write-bundle.ts';

import type { SigningKey } from '../../src/core/bundle/signature-key.ts';

/** A bundle for tests of how bundles come, not of what they decide: its module is none. */
export type ArchiveParts = {
  readonly revision?: string;
  readonly sequence?: number;
  readonly data?: unknown;
  readonly key?: SigningKey;
};

/** A whole bundle. */
export function snapshotArchive(parts: ArchiveParts): Uint8Array {
  return archive(parts, { 'data.json': JSON.stringify(parts.data ?? {}), 'policy.wasm': 'no module' });
}

/** A delta with these operations. `base`: the sequence that it changes. */
export function deltaArchive(parts: ArchiveParts & { readonly operations: readonly unknown[] }): Uint8Array {
  return archive(parts, { 'patch.json': JSON.stringify({ data: parts.operations }) });
}

function archive({ revision, sequence, key }: ArchiveParts, files: Readonly<Record<string, string>>): Uint8Array {
  const metadata = sequence === undefined ? {} : { metadata: { sallyport: { sequence } } };
  const manifest = { revision, roots: [''], ...metadata };
  const text = new TextEncoder();
  const all = new Map([['.manifest', text.encode(JSON.stringify(manifest))]]);
  for (const [path, content] of Object.entries(files)) all.set(path, text.encode(content));
  if (key === undefined) return packBundle(all);
  const signed = signedFiles(all, key);
  if (!signed.ok) throw new Error(signed.error.detail);
  return packBundle(signed.value);
}
