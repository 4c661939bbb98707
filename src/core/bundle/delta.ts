import * as z from 'zod';

import { ok } from '../kernel/result.ts';
import { assemble, manifestOf } from './bundle.ts';
import { MANIFEST, PATCH, SIGNATURES } from './bundle-files.ts';
import { digestOf } from './digest.ts';
import { parseExactJson } from './exact-json.ts';
import { refuse, show } from './fault.ts';
import { jsonFault } from './json-fault.ts';
import { isOwnedPlace } from './manifest.ts';
import { utf8 } from './member-name.ts';
import { patchPath } from './patch-path.ts';
import { unpack } from './verified-files.ts';
import { wellFormed } from './well-formed.ts';

import type { Result } from '../kernel/result.ts';
import type { Bundle } from './bundle.ts';
import type { BundleFault } from './fault.ts';
import type { Manifest } from './manifest.ts';
import type { ReadOptions } from './read-options.ts';
import type { Files } from './tar-reader.ts';
import type { VerifiedFiles } from './verified-files.ts';
import type { Signer } from './verify-signature.ts';

/** Most operations of one delta. */
const MAX_OPERATIONS = 10_000;
/** Deepest place that an operation may lead to. */
const MAX_SEGMENTS = 64;

/** One change of the data. */
export type PatchOperation = {
  readonly op: 'upsert' | 'replace' | 'remove';
  /** Keys and indices from the top of the data; see `patchPath`. */
  readonly segments: readonly string[];
  /** JSON value whose numbers are exact; undefined for `remove`. */
  readonly value: unknown;
};

/** A delta bundle: changes to the data of the bundle in force. `applyDelta` applies it. */
export type DeltaBundle = {
  /** The manifest's revision, or the digest where it has none. */
  readonly revision: string;
  readonly digest: string;
  readonly manifest: Manifest;
  readonly operations: readonly PatchOperation[];
  readonly sequence: number | undefined;
  readonly signer: Signer | undefined;
  readonly files: Files;
};

/** What a bundle server may answer. */
export type BundleUpdate =
  | { readonly kind: 'snapshot'; readonly bundle: Bundle }
  | { readonly kind: 'delta'; readonly delta: DeltaBundle };

/**
 * Reads a whole bundle or a delta from a `.tar.gz`. With a verification configured a delta must be signed as a whole bundle must (OPA 1.22 can sign no delta,
 * and refuses all of them then). Never throws.
 */
export function readUpdate(archive: Uint8Array, options: ReadOptions = {}): Result<BundleUpdate, BundleFault> {
  const unpacked = unpack(archive, options);
  if (!unpacked.ok) return unpacked;
  if (unpacked.value.files.has(PATCH)) {
    const delta = assembleDelta(unpacked.value);
    return delta.ok ? ok({ kind: 'delta', delta: delta.value }) : delta;
  }
  const bundle = assemble(unpacked.value);
  return bundle.ok ? ok({ kind: 'snapshot', bundle: bundle.value }) : bundle;
}

function assembleDelta({ files, signer }: VerifiedFiles): Result<DeltaBundle, BundleFault> {
  const other = [...files.keys()].find((path) => ![PATCH, MANIFEST, SIGNATURES].includes(path));
  if (other !== undefined)
    return invalid(
      `${show(other)} beside ${PATCH}: a delta changes data only; deliver a whole bundle for anything else`,
    );
  const manifest = manifestOf(files);
  if (!manifest.ok) return manifest;
  const list = readOperations(files.get(PATCH) ?? new Uint8Array());
  if (!list.ok) return list;
  const operations: PatchOperation[] = [];
  for (const [index, raw] of list.value.entries()) {
    const operation = operationOf(raw, manifest.value.roots);
    if (typeof operation === 'string') return invalid(`${PATCH}: data.${index}: ${operation}`);
    operations.push(operation);
  }
  const digest = digestOf(files);
  const { revision, sallyport } = manifest.value;
  const { sequence } = sallyport;
  return ok({ revision: revision || digest, digest, manifest: manifest.value, operations, sequence, signer, files });
}

const operationSchema = z.object({
  op: z.enum(['upsert', 'replace', 'remove']),
  path: z.string().max(4_096),
  value: z.unknown().optional(),
});
const patchSchema = z.object({ data: z.array(operationSchema).max(MAX_OPERATIONS) });

type RawOperation = z.infer<typeof operationSchema>;

function readOperations(bytes: Uint8Array): Result<readonly RawOperation[], BundleFault> {
  const text = utf8(bytes);
  if (text === undefined) return invalid(`${PATCH}: not UTF-8`);
  const parsed = parseExactJson(text);
  if (parsed === undefined) return invalid(`${PATCH}: ${jsonFault(text)}`);
  const value = wellFormed(parsed.value);
  if (!value.ok) return invalid(`${PATCH}: ${value.error}`);
  const patch = patchSchema.safeParse(value.value);
  if (!patch.success) {
    const [issue] = patch.error.issues;
    return invalid(`${PATCH}: ${issue?.path.join('.') || 'the document'}: ${issue?.message ?? 'not valid'}`);
  }
  if (patch.data.data.length > 0) return ok(patch.data.data);
  return refuse(
    'delta_empty',
    `${PATCH} has no operations; OPA would take this for a whole bundle without data and wipe everything. Deliver nothing, or a whole bundle`,
  );
}

/** A text says what is wrong. */
function operationOf({ op, path, value }: RawOperation, roots: readonly string[]): PatchOperation | string {
  const segments = patchPath(path);
  if (segments === undefined) return `the path ${show(path)} holds a percent sign that escapes no character; write %25`;
  if (segments.length > MAX_SEGMENTS) return `the path is deeper than ${MAX_SEGMENTS} levels`;
  if (!isOwnedPlace(roots, segments))
    return `the path ${show(path)} lies outside the roots ${roots.map(show).join(', ')}; a bundle changes only what it owns`;
  if (op === 'remove') return { op, segments, value: undefined };
  return value === undefined ? `${op} of ${show(path)} has no value` : { op, segments, value };
}

function invalid(what: string): Result<never, BundleFault> {
  return refuse('delta_invalid', what);
}
