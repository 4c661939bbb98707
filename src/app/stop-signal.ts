import { systemClock } from './system.ts';

/** Exit code of a process that was told twice. */
const AT_ONCE = 3;

/** Signals of one stop may come twice (npm, systemd and a terminal each send their own); only one that comes later means "at once". */
const REPEATED_SIGNAL_MS = 1_000;

/** The first signal that asks the process to end. One that comes more than a second later ends it without a drain. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    const heard = (signal: NodeJS.Signals): void => {
      const now = systemClock.monotonicMs();
      firstAtMs ??= now;
      if (now - firstAtMs > REPEATED_SIGNAL_MS) process.exit(AT_ONCE);
      resolve(signal);
    };
    for (const one of ['SIGTERM', 'SIGINT'] as const) process.on(one, heard);
  });
}
