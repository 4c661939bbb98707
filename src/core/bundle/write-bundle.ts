import { ok } from '../kernel/result.ts';
import { DATA, MANIFEST, MODULE, PLAN, SIGNATURES } from './bundle-files.ts';
import { parseExactJson } from './exact-json.ts';
import { gzip } from './gzip.ts';
import { isPlainObject } from './plain-object.ts';
import { signBundle } from './sign-bundle.ts';
import { writeTar } from './tar-writer.ts';
import { tieOf } from './tie.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { SallyportMetadata } from './sallyport-metadata.ts';
import type { SigningKey } from './signature-key.ts';
import type { Files } from './tar-reader.ts';

/** What goes into a bundle. Texts are written as they are, but for what is added to the manifest. */
export type BundleParts = {
  /** `.manifest`; `manifestJson` makes one. */
  readonly manifestJson: string;
  readonly policyWasm?: Uint8Array | undefined;
  /** The plan that came with the module from one run of the compiler: `readBundle` believes it because the manifest then names the hashes of both. */
  readonly planJson?: string | undefined;
  /** `data.json`; `{}` where left out, because OPA expects the file. */
  readonly dataJson?: string | undefined;
  /** Further files by path, such as the Rego that the module was made from. */
  readonly files?: Files | undefined;
  /** Added to what `metadata.sallyport` in the manifest says already. */
  readonly sallyport?: Pick<SallyportMetadata, 'sequence' | 'budget' | 'compiler'> | undefined;
};

/** Writes a bundle that OPA and `readBundle` read: a `.tar.gz`, byte for byte the same for the same parts. */
export function writeBundle(parts: BundleParts): Uint8Array<ArrayBuffer> {
  return packBundle(bundleFiles(parts));
}

/** As `writeBundle`, signed. With HS and RS keys the same parts give the same bytes; ES and PS signatures are other ones each time. */
export function writeSignedBundle(parts: BundleParts, key: SigningKey): Result<Uint8Array<ArrayBuffer>, BundleFault> {
  const files = signedFiles(bundleFiles(parts), key);
  return files.ok ? ok(packBundle(files.value)) : files;
}

/** The files with a signature over all of them in place of an older one. */
export function signedFiles(files: Files, key: SigningKey): Result<Files, BundleFault> {
  const signatures = signBundle(files, key);
  return signatures.ok ? ok(new Map([...files, [SIGNATURES, new TextEncoder().encode(signatures.value)]])) : signatures;
}

/** Packs files as a bundle, names as OPA writes them. */
export function packBundle(files: Files): Uint8Array<ArrayBuffer> {
  return gzip(writeTar(files));
}

function bundleFiles(parts: BundleParts): Files {
  const text = new TextEncoder();
  const files = new Map(parts.files);
  files.set(MANIFEST, text.encode(tiedManifest(parts)));
  files.set(DATA, text.encode(parts.dataJson ?? '{}'));
  if (parts.policyWasm !== undefined) files.set(MODULE, parts.policyWasm);
  if (parts.planJson !== undefined) files.set(PLAN, text.encode(parts.planJson));
  return files;
}

/** Text of the manifest that ties module and plan together, for those who write a bundle as a folder. Everything else in it stays, numbers with every digit. */
export function tiedManifest(parts: BundleParts): string {
  const { policyWasm, planJson, sallyport = {} } = parts;
  const tie = policyWasm === undefined || planJson === undefined ? {} : tieOf(policyWasm, planJson);
  const added = Object.entries({ ...sallyport, ...tie }).filter(([, value]) => value !== undefined);
  const manifest = parseExactJson(parts.manifestJson)?.value;
  if (added.length === 0 || !isPlainObject(manifest)) return parts.manifestJson;
  const metadata = isPlainObject(manifest['metadata']) ? manifest['metadata'] : {};
  const own = isPlainObject(metadata['sallyport']) ? metadata['sallyport'] : {};
  return JSON.stringify({
    ...manifest,
    metadata: { ...metadata, sallyport: { ...own, ...Object.fromEntries(added) } },
  });
}

/** Text of a manifest that owns all data and whose module answers `entrypoints`. */
export function manifestJson(revision: string | undefined, entrypoints: readonly string[]): string {
  const wasm = entrypoints.map((entrypoint) => ({ entrypoint, module: `/${MODULE}` }));
  return JSON.stringify({ ...(revision === undefined ? {} : { revision }), roots: [''], wasm });
}
