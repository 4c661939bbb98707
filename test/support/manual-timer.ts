/** A timer that only the test drives: `fire(ms)` waits until one of `ms` milliseconds is set, then lets it run out. */
export interface ManualTimer {
  readonly timer: (ms: number, action: () => void) => () => void;
  fire(ms: number): Promise<void>;
  /** Lengths of the timers that are set and neither cancelled nor run out. */
  set(): readonly number[];
}

export function createManualTimer(): ManualTimer {
  const pending = new Set<{ readonly ms: number; readonly action: () => void }>();
  let changed = Promise.withResolvers<void>();
  return {
    timer: (ms, action) => {
      const entry = { ms, action };
      pending.add(entry);
      changed.resolve();
      return () => pending.delete(entry);
    },
    fire: async (ms) => {
      for (;;) {
        const due = [...pending].find((entry) => entry.ms === ms);
        if (due !== undefined) {
          pending.delete(due);
          due.action();
          return;
        }
        changed = Promise.withResolvers<void>();
        await changed.promise;
      }
    },
    set: () => [...pending].map((entry) => entry.ms),
  };
}
