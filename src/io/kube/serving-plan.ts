import type { ServingState, StoredCertificate } from './serving-state.ts';

/** How long certificates live, milliseconds. */
export type ServingLives = {
  /** Default 30 days. */
  readonly leafMs: number;
  /** Default 2 years; at least four times as long as a leaf. */
  readonly authorityMs: number;
};

/** What has to be done next to what the replicas share. */
export type ServingStep =
  /** There is nothing that could be used: a new authority and a leaf of it. */
  | 'begin'
  /** A new leaf of the same authority. */
  | 'renew'
  /** A new authority, which signs nothing yet: first everybody has to believe it. */
  | 'announce'
  /** The announced authority takes over, with a leaf of its own; the one before stays believed until its last leaf has ended. */
  | 'promote'
  /** The last leaf of the authority before has ended. */
  | 'forget';

/**
 * The next step, or undefined where there is none. `announced` says of an authority (by fingerprint) that every caller has had the time to learn of
 * it. Any replica may take it at any time: what it does is stored only where nobody was faster.
 */
export function servingStep(
  state: ServingState | undefined,
  lives: ServingLives,
  announced: (fingerprint: string) => boolean,
  nowMs: number,
): ServingStep | undefined {
  if (state === undefined || nowMs >= state.authority.notAfterMs) return 'begin';
  const { authority, leaf, next, old } = state;
  if (old !== undefined && nowMs >= old.untilMs) return 'forget';
  const nextEnded = next !== undefined && isHalfway(next, lives.authorityMs, nowMs);
  if (next !== undefined && !nextEnded && old === undefined && announced(next.fingerprint)) return 'promote';
  if (isHalfway(leaf, lives.leafMs, nowMs)) return 'renew';
  return isHalfway(authority, lives.authorityMs, nowMs) && (next === undefined || nextEnded) ? 'announce' : undefined;
}

/**
 * True from the middle of a certificate's life on. It is counted from the end: the beginning is backdated, which would make a short life older
 * than it is; what the end of its authority cut short is as old as it says.
 */
function isHalfway({ notBeforeMs, notAfterMs }: StoredCertificate, lifeMs: number, nowMs: number): boolean {
  return nowMs >= notAfterMs - Math.min(lifeMs, notAfterMs - notBeforeMs) / 2;
}
