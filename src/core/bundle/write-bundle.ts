import { gzip } from './gzip.ts';
import { writeTar } from './tar-writer.ts';

import type { Files } from './tar-reader.ts';

/** What goes into a bundle. Texts are written as they are. */
export type BundleParts = {
  /** `.manifest`; `manifestJson` makes one. */
  readonly manifestJson: string;
  readonly policyWasm?: Uint8Array | undefined;
  readonly planJson?: string | undefined;
  /** `data.json`; `{}` where left out, because OPA expects the file. */
  readonly dataJson?: string | undefined;
  /** Further files by path, such as the Rego that the module was made from. */
  readonly files?: Files | undefined;
};

/** Writes a bundle that OPA and `readBundle` read: a `.tar.gz`, byte for byte the same for the same parts. */
export function writeBundle(parts: BundleParts): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  const files = new Map(parts.files);
  files.set('.manifest', text.encode(parts.manifestJson));
  files.set('data.json', text.encode(parts.dataJson ?? '{}'));
  if (parts.policyWasm !== undefined) files.set('policy.wasm', parts.policyWasm);
  if (parts.planJson !== undefined) files.set('plan.json', text.encode(parts.planJson));
  return gzip(writeTar(files));
}

/** Text of a manifest that owns all data and whose module answers `entrypoints`. */
export function manifestJson(revision: string | undefined, entrypoints: readonly string[]): string {
  const wasm = entrypoints.map((entrypoint) => ({ entrypoint, module: '/policy.wasm' }));
  return JSON.stringify({ ...(revision === undefined ? {} : { revision }), roots: [''], wasm });
}
