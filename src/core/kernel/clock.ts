/** Time as core sees it. `io` hands in the real one, tests hand in one they drive. */
export interface Clock {
  /** Wall clock: milliseconds since the Unix epoch, for certificates, records and everything people read. */
  wallMs(): number;
  /** Monotonic clock: milliseconds (with fraction) since an arbitrary start, for durations only. */
  monotonicMs(): number;
}

/** A source of random bytes fit for identifiers and keys. Returns `length` fresh bytes. */
export type Random = (length: number) => Uint8Array;

/** Runs `action` once after `ms` milliseconds; the function it returns cancels it. Handed in where something has to happen later. */
export type Timer = (ms: number, action: () => void) => () => void;
