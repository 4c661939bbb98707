/** Runs `action` once after `ms` milliseconds; the function it returns cancels it. */
export type Timer = (ms: number, action: () => void) => () => void;

/** The real one; it does not keep the process alive. */
export const systemTimer: Timer = (ms, action) => {
  const handle = setTimeout(action, ms).unref();
  return () => clearTimeout(handle);
};
