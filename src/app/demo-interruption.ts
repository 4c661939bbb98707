import type { EventEmitter } from 'node:events';

/** SIGHUP: the terminal is gone. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The wish to end, as a signal for what must not begin any more and as a promise for what waits. */
export type Interruption = {
  readonly signal: AbortSignal;
  readonly aborted: Promise<void>;
  /** Stops listening. */
  readonly dispose: () => void;
};

/** What is listened to: this process. */
export type SignalSource = EventEmitter & { readonly stdout: EventEmitter };

/** Listens for Ctrl-C and its like. `again` is called at the second signal; a third ends the process as Node does by default. */
export function interruption(again: () => void, source: SignalSource = process): Interruption {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const dispose = (): void => {
    for (const name of SIGNALS) source.off(name, heard);
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
  for (const name of SIGNALS) source.on(name, heard);
  // What reads our output is gone (`| head`): as good as Ctrl-C. It is said for every line that is left, so only the first counts.
  source.stdout.on('error', () => controller.signal.aborted || heard());
  return { signal: controller.signal, aborted: promise, dispose };
}
