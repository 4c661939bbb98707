import type { Clock } from '../../src/core/kernel/clock.ts';

/** A clock with timers that moves only when the test says so. */
export interface DrivenClock extends Clock {
  readonly timer: (ms: number, action: () => void) => () => void;
  /** Lets time pass, and every timer that falls due on the way run out, in order. */
  advance(ms: number): void;
  /** How many timers are set. */
  readonly timers: number;
}

export function createDrivenClock(startMs = 1_700_000_000_000): DrivenClock {
  const pending = new Set<{ readonly at: number; readonly action: () => void }>();
  let now = 0;
  return {
    wallMs: () => startMs + now,
    monotonicMs: () => now,
    timer: (ms, action) => {
      const entry = { at: now + ms, action };
      pending.add(entry);
      return () => pending.delete(entry);
    },
    advance: (ms) => {
      const until = now + ms;
      for (;;) {
        const due = [...pending].filter((entry) => entry.at <= until).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        pending.delete(due);
        now = Math.max(now, due.at);
        due.action();
      }
      now = until;
    },
    get timers() {
      return pending.size;
    },
  };
}
