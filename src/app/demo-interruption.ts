import type { EventEmitter } from 'node:events';

/** SIGHUP: the terminal is gone. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How often to look whether the parent is still there, milliseconds. */
const LOOK_MS = 500;

/** The wish to end, as a signal for what must not begin any more and as a promise for what waits. */
export type Interruption = {
  readonly signal: AbortSignal;
  readonly aborted: Promise<void>;
  /** Stops listening. */
  readonly dispose: () => void;
};

/** What is listened to: this process. */
export type SignalSource = EventEmitter & { readonly stdout: EventEmitter; readonly ppid: number };

/**
 * Listens for Ctrl-C and its like. `again` is called at the second signal; a third ends the process as Node does by default. Who cannot be told any
 * more wants it to end as well: a reader of our output that is gone (`| head`), and a parent that ended without a word (npm and its shell do not
 * hand on SIGTERM).
 */
export function interruption(again: () => void, source: SignalSource = process): Interruption {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const abort = (): void => {
    controller.abort(new Error('interrupted'));
    resolve();
  };
  const heard = (): void => {
    if (!controller.signal.aborted) return abort();
    for (const name of SIGNALS) source.off(name, heard);
    again();
  };
  for (const name of SIGNALS) source.on(name, heard);
  source.stdout.on('error', abort);
  const parent = source.ppid;
  const watch = setInterval(() => source.ppid === parent || abort(), LOOK_MS).unref();
  const dispose = (): void => {
    clearInterval(watch);
    for (const name of SIGNALS) source.off(name, heard);
  };
  return { signal: controller.signal, aborted: promise, dispose };
}
