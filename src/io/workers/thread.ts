import { Worker } from 'node:worker_threads';

/** What a thread's owner hears. */
export type ThreadHooks<Out> = {
  readonly message: (message: Out) => void;
  /** Once, after its last message. `reason`: for people. */
  readonly ended: (reason: string) => void;
};

/** A thread that runs. */
export interface Thread<In> {
  post(message: In): void;
  /** Ends it, even while it computes. Resolves when it is gone. */
  end(): Promise<void>;
}

/** A script of this process in a thread of its own, with a copy of `data`. `name`: for tools. */
export function startThread<In, Out>(script: URL, name: string, data: unknown, hooks: ThreadHooks<Out>): Thread<In> {
  const worker = new Worker(script, { workerData: data, name });
  let reason: string | undefined;
  worker.on('message', hooks.message);
  worker.on('messageerror', (error) => (reason ??= describe(error)));
  worker.on('error', (error) => (reason ??= describe(error)));
  // What was posted before the end is delivered before this.
  worker.once('exit', (code) => hooks.ended(reason ?? `its thread ended with code ${code}`));
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    post: (message) => worker.postMessage(message),
    end: async () => {
      await worker.terminate();
    },
  };
}

/** With the first line of its stack that tells where: what ended a thread is a fault of ours. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split('\n').find((line) => line.trimStart().startsWith('at '));
  return place === undefined ? String(error) : `${String(error)} ${place.trim()}`;
}
