import * as z from 'zod';

import { ok } from '../kernel/result.ts';
import { MANIFEST } from './bundle-files.ts';
import { parseExactJson } from './exact-json.ts';
import { refuse, show } from './fault.ts';
import { jsonFault } from './json-fault.ts';
import { sallyportMetadataSchema } from './sallyport-metadata.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';
import type { SallyportMetadata } from './sallyport-metadata.ts';

/** `.manifest` (OPA documentation, "Bundle File Format"). Keys that OPA does not know are ignored, as OPA does. */
export type Manifest = {
  readonly revision?: string | undefined;
  /** Paths below `data` that the bundle owns, without outer slashes; `''` owns all. */
  readonly roots: readonly string[];
  /** Which module answers which entrypoint. */
  readonly wasm: readonly { readonly entrypoint: string; readonly module: string }[];
  readonly regoVersion?: 0 | 1 | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** `metadata.sallyport`, checked. */
  readonly sallyport: SallyportMetadata;
};

/** What a bundle without `.manifest` means: it owns all of `data`. */
export const NO_MANIFEST: Manifest = Object.freeze({ roots: [''], wasm: [], metadata: {}, sallyport: {} });

const schema = z.object({
  revision: z.string().max(1_024).optional(),
  roots: z.array(z.string()).min(1).max(1_000).optional(),
  wasm: z
    .array(z.object({ entrypoint: z.string().min(1), module: z.string().min(1) }))
    .max(1_000)
    .optional(),
  rego_version: z.union([z.literal(0), z.literal(1)]).optional(),
  metadata: z.looseObject({ sallyport: sallyportMetadataSchema.optional() }).optional(),
});

/** Reads `.manifest`. Roots that overlap are refused, as in OPA: two owners of one path. */
export function readManifest(json: string): Result<Manifest, BundleFault> {
  const document = parseExactJson(json);
  if (document === undefined) return invalid(jsonFault(json));
  const parsed = schema.safeParse(document.value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return invalid(`${issue?.path.join('.') || 'the document'}: ${issue?.message ?? 'not valid'}`);
  }
  const { revision, roots = [''], wasm = [], rego_version: regoVersion, metadata = {} } = parsed.data;
  const trimmed = roots.map(trimSlashes);
  const clash = trimmed.find((root, index) => trimmed.some((other, at) => at !== index && contains(other, root)));
  if (clash !== undefined)
    return invalid(`the root ${show(clash)} overlaps another root; leave out the one below the other`);
  const resolvers = wasm.map(({ entrypoint, module }) => ({
    entrypoint: trimSlashes(entrypoint),
    module: module.replace(/^\//, ''),
  }));
  const outside = resolvers.find(({ entrypoint }) => !isOwned(trimmed, entrypoint));
  if (outside !== undefined)
    return invalid(
      `the entrypoint ${show(outside.entrypoint)} lies outside the roots ${trimmed.map(show).join(', ')}; add its root`,
    );
  return ok({ revision, roots: trimmed, wasm: resolvers, regoVersion, metadata, sallyport: metadata.sallyport ?? {} });
}

function invalid(what: string): Result<never, BundleFault> {
  return refuse('manifest_invalid', `${MANIFEST}: ${what}`);
}

/** True where `path` (slash separated, below `data`) lies under one of `roots`. */
export function isOwned(roots: readonly string[], path: string): boolean {
  return isOwnedPlace(roots, path.split('/'));
}

/** True where the place that `segments` lead to below `data` lies under one of `roots`; a segment may hold `/` itself. */
export function isOwnedPlace(roots: readonly string[], segments: readonly string[]): boolean {
  return roots.some((root) => root === '' || root.split('/').every((part, index) => segments[index] === part));
}

/** True where `path` is `root` or below it. */
function contains(root: string, path: string): boolean {
  return root === '' || path === root || path.startsWith(`${root}/`);
}

function trimSlashes(text: string): string {
  return text.replaceAll(/^\/+|\/+$/g, '');
}
