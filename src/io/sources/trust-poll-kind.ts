import type { Random } from '../../core/kernel/clock.ts';
import type { IdentityPart } from './identity-part.ts';
import type { Problems } from './problem.ts';

/** What an address gave that is in force. */
export type Taken = {
  readonly part: IdentityPart;
  /** What gives the same again when it is judged anew: for the copy on disk. */
  readonly bytes: Uint8Array;
  /** The newest sequence number that ever was in force, where there are such numbers. */
  readonly sequence: bigint | undefined;
  /** When to ask again at the latest, by what was said. A hint is from any moment on, a date is one. Milliseconds. */
  readonly hintMs: number | undefined;
  readonly nextUpdateMs: number | undefined;
};

/** What content is worth. `taken`: what is in force from now on, or undefined where all stays as it is. */
export type Judged = { readonly taken: Taken | undefined; readonly problems: Problems };

/** Where content came from: what is kept on disk was signed or sent as it should be when it came. */
export type Origin = 'answer' | 'copy';

/** What differs between what is polled. Nothing of it throws for what stands in content. */
export interface PollKind {
  /** In force until something was fetched. */
  readonly first: Taken | undefined;
  judge(bytes: Uint8Array, held: Taken | undefined, origin: Origin): Judged;
  /** The pause after an answer, milliseconds. */
  pauseMs(held: Taken | undefined, wallMs: number, random: Random): number;
  /** The pause after so many failures in a row, milliseconds. */
  retryMs(failures: number, held: Taken | undefined, random: Random): number;
}

/** Nothing of `judge` is taken. */
export function refused(...problems: readonly string[]): Judged {
  return { taken: undefined, problems };
}

export function clamp(ms: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, ms));
}
