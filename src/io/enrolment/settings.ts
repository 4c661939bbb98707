import type { Clock, Timer } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';

/** How an authority is reached, what it must prove, and what we prove to it first. */
export type EnrolmentSettings = {
  /** `https://HOST[:PORT][/PATH]`. */
  readonly url: string;
  /** The SPIFFE ID that the authority must prove; its trust domain is ours. */
  readonly id: string;
  readonly method: 'join-token' | 'kubernetes';
  /** File with the token; read at each enrolment. */
  readonly token: string;
  /** For a whole exchange, connecting included, milliseconds; a long poll has its wait besides. Default 10,000. */
  readonly timeoutMs?: number | undefined;
};

/** Reads a regular file of at most `maxBytes`; the error begins with the path. `mode`: its permission bits. */
export type ReadFile = (
  path: string,
  maxBytes: number,
) => Promise<Result<{ readonly bytes: Uint8Array; readonly mode: number }, string>>;

export type EnrolmentDeps = { readonly readFile: ReadFile; readonly clock: Clock; readonly timer: Timer };
