import { applyDelta } from '../../core/bundle/apply-delta.ts';
import { readUpdate } from '../../core/bundle/delta.ts';
import { checkSequence, sequenceState } from '../../core/bundle/sequence.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { Bundle } from '../../core/bundle/bundle.ts';
import type { BundleUpdate } from '../../core/bundle/delta.ts';
import type { BundleFault } from '../../core/bundle/fault.ts';
import type { SequenceState } from '../../core/bundle/sequence.ts';
import type { Verification } from '../../core/bundle/verify-signature.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Problems } from './problem.ts';

/** A bundle that may come into force: whole, for a delta what it makes of the one before. */
export type JudgedBundle = {
  readonly bundle: Bundle;
  readonly type: 'snapshot' | 'delta';
  /** What to remember once it is in force. */
  readonly sequence: SequenceState | undefined;
};

/**
 * Judges an archive that came from a server or from the last good copy. `base`: the bundle in force, which a delta changes; `newest`: the state of the newest that
 * ever was in force. The errors are for people.
 */
export type JudgeArchive = (
  archive: Uint8Array,
  base: Bundle | undefined,
  newest: SequenceState | undefined,
) => Promise<Result<JudgedBundle, Problems>>;

/** Creates the judge: form and bounds, signature, delta, sequence. `verification` is asked each time, so that keys can be changed. */
export function createArchiveJudge(
  verification: () => Promise<Result<Verification | undefined, Problems>>,
): JudgeArchive {
  return async (archive, base, newest) => {
    const keys = await verification();
    if (!keys.ok) return keys;
    const update = readUpdate(archive, { verification: keys.value });
    if (!update.ok) return told(update.error);
    const bundle = wholeBundle(update.value, base);
    if (!bundle.ok) return told(bundle.error);
    const sequence = sequenceState(bundle.value);
    const inOrder = checkSequence(newest, sequence);
    return inOrder.ok ? ok({ bundle: bundle.value, type: update.value.kind, sequence }) : told(inOrder.error);
  };
}

function wholeBundle(update: BundleUpdate, base: Bundle | undefined): Result<Bundle, BundleFault> {
  if (update.kind === 'snapshot') return ok(update.bundle);
  if (base !== undefined) return applyDelta(base, update.delta);
  return err({
    code: 'delta_unexpected',
    detail: 'a delta came, and there is no bundle in force that it could change',
  });
}

function told({ code, detail }: BundleFault): Result<never, Problems> {
  return err([`${code}: ${detail}`]);
}
