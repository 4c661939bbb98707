import type { Timer } from '../../core/kernel/clock.ts';

/** The real one; it does not keep the process alive. */
export const systemTimer: Timer = (ms, action) => {
  const handle = setTimeout(action, ms).unref();
  return () => clearTimeout(handle);
};
