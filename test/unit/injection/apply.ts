import assert from 'node:assert/strict';

import { applyPatch } from 'rfc6902';

import type { Operation } from 'rfc6902';

/** What an independent reader of RFC 6902 makes of our patch. */
export function applied(before: unknown, patch: readonly unknown[]): unknown {
  const copy = structuredClone(before);
  const faults = applyPatch(copy, structuredClone(patch) as Operation[]).filter((fault) => fault !== null);
  assert.deepEqual(faults, []);
  return copy;
}
