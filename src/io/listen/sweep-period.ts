import type { Limits } from '../../core/model/limits.ts';

const LONGEST_MS = 500;
const SHORTEST_MS = 5;

/**
 * How often all connections are looked at: a quarter of the shortest deadline, so that none is missed by more; never longer than half a second, so that
 * an expired certificate ends its connections within one (promise 6).
 */
export function sweepPeriodMs(limits: Limits): number {
  const { handshakeTimeoutMs, headTimeoutMs, idleTimeoutMs, streamIdleTimeoutMs, requestTimeoutMs } = limits;
  const all = [handshakeTimeoutMs, headTimeoutMs, idleTimeoutMs, streamIdleTimeoutMs, requestTimeoutMs];
  const deadlines = all.filter((ms) => ms > 0);
  return Math.max(SHORTEST_MS, Math.min(LONGEST_MS, Math.floor(Math.min(...deadlines) / 4)));
}
