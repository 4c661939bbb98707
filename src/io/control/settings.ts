import type { Timer } from '../../core/kernel/clock.ts';
import type { ServerAccess } from '../../core/config/targets.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { OwnIdentity } from './peer-connection.ts';

/** One endpoint of a management API and how it is reached. Durations in milliseconds. */
export type ControlSettings = ServerAccess & { readonly url: string };

/** Reads a regular file of at most `maxBytes`; the error begins with the path. `mode`: its permission bits. */
export type ReadFile = (
  path: string,
  maxBytes: number,
) => Promise<Result<{ readonly bytes: Uint8Array; readonly mode: number }, string>>;

export type ControlDeps = {
  readonly readFile: ReadFile;
  readonly timer: Timer;
  /** For settings with `peer`; without it such a server is not asked. */
  readonly identity?: OwnIdentity | undefined;
};

/** A URL as it may be shown: queries can hold secrets (signed links do). */
export function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
