import * as z from 'zod';

import { ok } from '../kernel/result.ts';
import { refuse } from './fault.ts';

import type { Result } from '../kernel/result.ts';
import type { BundleFault } from './fault.ts';

/** `.manifest` (OPA documentation, "Bundle File Format"). Keys that OPA does not know are ignored, as OPA does. */
export type Manifest = {
  readonly revision?: string | undefined;
  /** Paths below `data` that the bundle owns, without outer slashes; `''` owns all. */
  readonly roots: readonly string[];
  /** Which module answers which entrypoint. */
  readonly wasm: readonly { readonly entrypoint: string; readonly module: string }[];
  readonly regoVersion?: 0 | 1 | undefined;
  readonly metadata: Readonly<Record<string, unknown>>;
};

/** What a bundle without `.manifest` means: it owns all of `data`. */
export const NO_MANIFEST: Manifest = Object.freeze({ roots: [''], wasm: [], metadata: {} });

const schema = z.object({
  revision: z.string().max(1_024).optional(),
  roots: z.array(z.string()).min(1).max(1_000).optional(),
  wasm: z
    .array(z.object({ entrypoint: z.string().min(1), module: z.string().min(1) }))
    .max(1_000)
    .optional(),
  rego_version: z.union([z.literal(0), z.literal(1)]).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

/** Reads `.manifest`. Roots that overlap are refused, as in OPA: two owners of one path. */
export function readManifest(json: string): Result<Manifest, BundleFault> {
  const parsed = schema.safeParse(parse(json));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return refuse('manifest_invalid', `${issue?.path.join('.') || 'the document'}: ${issue?.message ?? 'not valid'}`);
  }
  const { revision, roots = [''], wasm = [], rego_version: regoVersion, metadata = {} } = parsed.data;
  const trimmed = roots.map(trimSlashes);
  const clash = trimmed.find((root, index) => trimmed.some((other, at) => at !== index && contains(other, root)));
  if (clash !== undefined) return refuse('manifest_invalid', `the root ${JSON.stringify(clash)} overlaps another root`);
  const resolvers = wasm.map(({ entrypoint, module }) => ({
    entrypoint: trimSlashes(entrypoint),
    module: module.replace(/^\//, ''),
  }));
  const outside = resolvers.find(({ entrypoint }) => !isOwned(trimmed, entrypoint));
  if (outside !== undefined)
    return refuse('manifest_invalid', `the entrypoint ${outside.entrypoint} lies outside the roots`);
  return ok({ revision, roots: trimmed, wasm: resolvers, regoVersion, metadata });
}

/** True where `path` (slash separated, below `data`) lies under one of `roots`. */
export function isOwned(roots: readonly string[], path: string): boolean {
  return roots.some((root) => contains(root, path));
}

/** True where `path` is `root` or below it. */
function contains(root: string, path: string): boolean {
  return root === '' || path === root || path.startsWith(`${root}/`);
}

function trimSlashes(text: string): string {
  return text.replaceAll(/^\/+|\/+$/g, '');
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
