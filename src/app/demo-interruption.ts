/** SIGHUP: the terminal is gone. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The wish to end, as a signal for what must not begin any more and as a promise for what waits. */
export type Interruption = {
  readonly signal: AbortSignal;
  readonly aborted: Promise<void>;
  /** Stops listening. */
  readonly dispose: () => void;
};

/** Listens for Ctrl-C and its like. `again` is called at each signal after the first; the third ends the process as Node does by default. */
export function interruption(again: () => void): Interruption {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const dispose = (): void => {
    for (const name of SIGNALS) process.off(name, heard);
  };
  const heard = (): void => {
    if (controller.signal.aborted) {
      dispose();
      again();
    } else {
      controller.abort(new Error('interrupted'));
      resolve();
    }
  };
  for (const name of SIGNALS) process.on(name, heard);
  // What reads our output is gone (`| head`): as good as Ctrl-C.
  process.stdout.on('error', heard);
  return { signal: controller.signal, aborted: promise, dispose };
}
