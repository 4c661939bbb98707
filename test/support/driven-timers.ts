import type { TestContext } from 'node:test';

type Entry = { readonly action: () => void; readonly ms: number; dueMs: number };

/**
 * Puts `setTimeout` and `clearTimeout` into the test's hands until it ends, and gives the function that lets time pass. Unlike the test runner's own
 * mock, its timers can be refreshed.
 */
export function driveTimers(t: TestContext): (ms: number) => void {
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  const pending = new Set<Entry>();
  let nowMs = 0;
  const set = (action: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): object => {
    const entry: Entry = { action: () => action(...args), ms, dueMs: nowMs + ms };
    pending.add(entry);
    return Object.assign(entry, { refresh: () => (entry.dueMs = nowMs + ms), unref: () => entry });
  };
  globalThis.setTimeout = set as unknown as typeof setTimeout;
  globalThis.clearTimeout = ((entry: Entry) => pending.delete(entry)) as unknown as typeof clearTimeout;
  t.after(() => Object.assign(globalThis, real));
  return (ms) => {
    const endMs = nowMs + ms;
    for (;;) {
      const due = [...pending].filter((entry) => entry.dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (due === undefined) break;
      nowMs = due.dueMs;
      pending.delete(due);
      due.action();
    }
    nowMs = endMs;
  };
}
