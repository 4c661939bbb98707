import { fault, type Fault } from '../../core/model/faults.ts';

/** Watches, from sweep to sweep, that bytes move. No timer and no clock reading per byte or request. */
export class ProgressWatch {
  #moved = 0;
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /**
   * `moved`: bytes in both directions so far. `pending`: bytes written that nobody has taken. Gives `peer_not_reading` or `stream_idle_timeout`
   * when nothing has moved for `limitMs` (0: never).
   */
  check(moved: number, pending: number, nowMs: number, limitMs: number): Fault | undefined {
    if (moved !== this.#moved) {
      this.#moved = moved;
      this.#sinceMs = nowMs;
      return undefined;
    }
    if (limitMs === 0 || nowMs - this.#sinceMs < limitMs) return undefined;
    return fault(pending > 0 ? 'peer_not_reading' : 'stream_idle_timeout', `no byte moved for ${limitMs} ms`);
  }
}
