import { readBundle } from '../../src/core/bundle/bundle.ts';
import { packBundle, signedFiles } from '../../src/core/bundle/write-bundle.ts';

import type { SigningKey } from '../../src/core/bundle/signature-key.ts';

/** A bundle for tests of how bundles come, not of what they decide: its module is none. */
export type ArchiveParts = {
  readonly revision?: string;
  readonly sequence?: number;
  readonly data?: unknown;
  /** Default: all. */
  readonly roots?: readonly string[];
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

function archive(
  { revision, sequence, key, roots = [''] }: ArchiveParts,
  files: Readonly<Record<string, string>>,
): Uint8Array {
  const metadata = sequence === undefined ? {} : { metadata: { sallyport: { sequence } } };
  const manifest = { revision, roots, ...metadata };
  const text = new TextEncoder();
  const all = new Map([['.manifest', text.encode(JSON.stringify(manifest))]]);
  for (const [path, content] of Object.entries(files)) all.set(path, text.encode(content));
  return key === undefined ? packBundle(all) : packSigned(all, key);
}

/** A bundle as it is, with a sequence in its manifest and, with a key, signed. */
export function sequenced(bytes: Uint8Array, sequence: number, key?: SigningKey): Uint8Array {
  const bundle = readBundle(bytes);
  if (!bundle.ok) throw new Error(bundle.error.detail);
  const manifest = JSON.parse(new TextDecoder().decode(bundle.value.files.get('.manifest'))) as Record<string, unknown>;
  const metadata = (manifest['metadata'] ?? {}) as Record<string, object>;
  manifest['metadata'] = { ...metadata, sallyport: { ...metadata['sallyport'], sequence } };
  const files = new Map([...bundle.value.files, ['.manifest', new TextEncoder().encode(JSON.stringify(manifest))]]);
  return key === undefined ? packBundle(files) : packSigned(files, key);
}

function packSigned(files: ReadonlyMap<string, Uint8Array>, key: SigningKey): Uint8Array {
  const signed = signedFiles(files, key);
  if (!signed.ok) throw new Error(signed.error.detail);
  return packBundle(signed.value);
}
