import * as z from 'zod';

/** `metadata.sallyport` of a manifest: what OPA passes over and we hold a bundle to. The signature covers it, since it covers `.manifest`. */
export type SallyportMetadata = {
  /** Grows with every delivery: an older one than that in force is refused. */
  readonly sequence?: number | undefined;
  /** In a delta bundle: the sequence that it was made for. Default: its own less one. */
  readonly base?: number | undefined;
  /** Steps that an evaluation of this policy is meant to stay under. */
  readonly budget?: number | undefined;
  /** SHA-256 of `policy.wasm` and `plan.json`, which were made in one run from one source. */
  readonly wasm_sha256?: string | undefined;
  readonly plan_sha256?: string | undefined;
  /** What compiled them, such as `opa 1.22.0`. */
  readonly compiler?: string | undefined;
};

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits');

/** An unknown key is refused: a misspelt `sequence` would silently protect nothing. */
export const sallyportMetadataSchema = z.strictObject({
  sequence: count.optional(),
  base: count.optional(),
  budget: z.int().positive().optional(),
  wasm_sha256: sha256.optional(),
  plan_sha256: sha256.optional(),
  compiler: z.string().max(200).optional(),
});
