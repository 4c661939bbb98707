import { jsonFlaw } from '../kernel/json-flaw.ts';
import { err, ok } from '../kernel/result.ts';
import { isMap, mapAt, stableJson } from './json-value.ts';

import type { Result } from '../kernel/result.ts';
import type { JsonMap } from './json-value.ts';

/** What an injection changed in a container that is not ours, as it was before. */
export type OriginalContainer = {
  /** Handlers of probes that now go through the sidecar, by key of the probe, such as `{tcpSocket: {port: 8080}}`. */
  readonly probes?: Readonly<Record<string, JsonMap>> | undefined;
  /** Names of ports that are the sidecar's now, by number. */
  readonly ports?: Readonly<Record<string, string>> | undefined;
  /** `lifecycle`, where names of ports in it became numbers or a pause was put in; null where there was none. */
  readonly lifecycle?: JsonMap | null | undefined;
  /** What `lifecycle` became. */
  readonly lifecycleNow?: JsonMap | undefined;
};

/**
 * What is to be put back when a pod is injected again: the API server calls twice, and people make new pods of the text of running ones. It is the pod's own
 * business: whoever writes something else into it changes his own probes, as he could anyway.
 */
export type Original = {
  readonly containers: Readonly<Record<string, OriginalContainer>>;
  /** `terminationGracePeriodSeconds`; null where there was none. */
  readonly grace?: { readonly was: number | null; readonly is: number } | undefined;
};

const MAX_TEXT = 131_072;

/** The text of the annotation `original`. */
export function writeOriginal(original: Original): string {
  return stableJson(original);
}

/** Reads the annotation `original`; what in it is of no use is passed over when it is applied. */
export function readOriginal(text: string): Result<Original, string> {
  if (text.length > MAX_TEXT || jsonFlaw(text, 32) !== undefined) return err('what an injection wrote there');
  try {
    const value: unknown = JSON.parse(text);
    if (!isMap(value) || !isMap(value['containers'])) return err('what an injection wrote there');
    const grace = mapAt(value, 'grace');
    const { was, is } = grace;
    const isGrace = typeof is === 'number' && (was === null || typeof was === 'number');
    const containers = value['containers'] as Original['containers'];
    return ok(isGrace ? { containers, grace: { was, is } } : { containers });
  } catch {
    return err('what an injection wrote there');
  }
}
