import { createHash } from 'node:crypto';

import { hex } from '../kernel/uuid.ts';
import { ok } from '../kernel/result.ts';
import { canonicalJson } from './canonical-json.ts';
import { refuse } from './fault.ts';

import type { Result } from '../kernel/result.ts';
import type { Bundle } from './bundle.ts';
import type { BundleFault } from './fault.ts';

/** What is remembered of the bundle in force, to know an older one by; kept over restarts. Undefined: it has no sequence. */
export type SequenceState = {
  readonly sequence: number;
  /** Hash over what the bundle means. The same for a whole bundle and for an earlier one with its delta applied. */
  readonly content: string;
};

/** The state to remember once `bundle` is in force. */
export function sequenceState(bundle: Bundle): SequenceState | undefined {
  const { sequence } = bundle;
  return sequence === undefined ? undefined : { sequence, content: contentHash(bundle) };
}

/**
 * May `next` replace what is in force? The same or a higher sequence may, the same one only with the same content. Refused: an older one (`sequence_older`:
 * a signed bundle stays validly signed for ever, so the old rules could be served again), none where there was one (`sequence_missing`), and the
 * same one with other content (`sequence_reused`). The sequence stands in `.manifest`, which the signature covers: without a signature it only stops mistakes.
 */
export function checkSequence(
  active: SequenceState | undefined,
  next: SequenceState | undefined,
): Result<void, BundleFault> {
  if (active === undefined) return ok(undefined);
  const was = `the one in force has ${active.sequence}`;
  if (next === undefined)
    return refuse('sequence_missing', `.manifest has no metadata.sallyport.sequence, ${was}; build with a higher one`);
  if (next.sequence < active.sequence)
    return refuse(
      'sequence_older',
      `.manifest has the sequence ${next.sequence}, ${was}: an old bundle is offered again; to go back to its rules, build them with a higher sequence`,
    );
  if (next.sequence === active.sequence && next.content !== active.content)
    return refuse(
      'sequence_reused',
      `.manifest has the sequence ${next.sequence}, as the one in force, and other content; build every change with a higher sequence`,
    );
  return ok(undefined);
}

/** Over roots, entrypoints, module, plan, budget, Rego and data, each with its length; not over revision, file layout and spaces. */
function contentHash({ manifest, module, planJson, budget, rego, dataJson }: Bundle): string {
  const hash = createHash('sha256');
  const add = (part: Uint8Array): void => void hash.update(`${part.length}:`).update(part);
  const text = new TextEncoder();
  const { roots, wasm, regoVersion } = manifest;
  add(text.encode(JSON.stringify([[...roots].sort(), wasm, regoVersion ?? null, budget ?? null])));
  add(module?.bytes ?? new Uint8Array());
  add(text.encode(planJson ?? ''));
  for (const [path, bytes] of [...rego].sort(([a], [b]) => (a < b ? -1 : 1))) {
    add(text.encode(path));
    add(bytes);
  }
  const data = canonicalJson(dataJson);
  add(text.encode(data.ok ? data.value : dataJson));
  return `sha256:${hex(hash.digest())}`;
}
