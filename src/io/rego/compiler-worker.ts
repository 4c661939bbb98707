import { Worker } from 'node:worker_threads';

import type { Answer, WorkerReply, WorkerRequest, WorkerSettings } from './protocol.ts';

const PAGE_BYTES = 64 * 1024;

/** Bounds of the compiler; `createCompilerWorker` keeps them. */
export interface CompilerLimits {
  /** Longest a call may take, loading included, in milliseconds. Default 60,000. Beyond it the worker is ended. */
  readonly deadlineMs: number;
  /** A worker without work for this long, in milliseconds, is ended, which frees some 150 MB. Default 30,000. */
  readonly idleMs: number;
  /** A worker whose instance is larger than this after a call, in bytes, is replaced. Default 256 MiB. */
  readonly recycleBytes: number;
  /** Hard bound of the instance's memory in bytes; running into it ends the call. Default 1 GiB. */
  readonly maxBytes: number;
}

export const defaultLimits: CompilerLimits = {
  deadlineMs: 60_000,
  idleMs: 30_000,
  recycleBytes: 256 * 1024 * 1024,
  maxBytes: 1024 * 1024 * 1024,
};

/** Runs `action` once after `ms` milliseconds unless the returned function is called before. */
export type Timer = (ms: number, action: () => void) => () => void;

/** The real timer; it does not keep the process alive. */
export const realTimer: Timer = (ms, action) => {
  const timer = setTimeout(action, ms).unref();
  return () => clearTimeout(timer);
};

/** How one call ended; after anything but `answered` the next call gets a fresh worker. */
export type CallResult =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'deadline'; readonly ms: number }
  | { readonly kind: 'stopped' };

/** The compiler's worker thread as seen from outside: started by the first call, replaced when it is no longer sound. */
export interface CompilerWorker {
  /** Calls run one after another, in order. Never rejects. */
  call(request: WorkerRequest): Promise<CallResult>;
  /** Ends the worker; calls under way and later ones answer `stopped`. */
  stop(): Promise<void>;
}

/** What `createCompilerWorker` takes from outside; the defaults are the real ones. */
export interface CompilerWorkerDeps {
  readonly timer?: Timer;
  /** The worker's script: `worker.ts`, or `worker.js` in the built package. */
  readonly script?: URL;
}

const ownScript = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** Makes the compiler's worker; nothing is started or loaded before the first call. */
export function createCompilerWorker(limits: CompilerLimits, deps: CompilerWorkerDeps = {}): CompilerWorker {
  const timer = deps.timer ?? realTimer;
  let current: Worker | undefined;
  let stopped = false;
  let queue: Promise<unknown> = Promise.resolve();
  let cancelIdle: (() => void) | undefined;

  function start(): Worker {
    const settings: WorkerSettings = { maxPages: Math.floor(limits.maxBytes / PAGE_BYTES) };
    const worker = new Worker(deps.script ?? ownScript, { workerData: settings, env: {}, name: 'rego-compiler' });
    // An error outside a call (the calls listen for themselves) is followed by the end of the thread.
    worker.on('error', () => undefined);
    worker.once('exit', () => {
      if (current === worker) current = undefined;
    });
    return worker;
  }

  async function end(): Promise<void> {
    const ended = current;
    current = undefined;
    await ended?.terminate();
  }

  async function run(request: WorkerRequest): Promise<CallResult> {
    if (stopped) return { kind: 'stopped' };
    cancelIdle?.();
    current ??= start();
    const { result, memoryBytes } = await exchange(current, request, limits.deadlineMs, timer);
    if (stopped) return { kind: 'stopped' };
    if (result.kind !== 'answered' || memoryBytes > limits.recycleBytes) await end();
    else cancelIdle = timer(limits.idleMs, () => void end());
    return result;
  }

  return {
    call: (request) => {
      const result = queue.then(() => run(request));
      queue = result;
      return result;
    },
    stop: async () => {
      stopped = true;
      cancelIdle?.();
      await end();
      await queue;
    },
  };
}

interface Exchange {
  readonly result: CallResult;
  readonly memoryBytes: number;
}

/** Posts one request and waits for its reply, the worker's end or the deadline, whichever is first. */
function exchange(worker: Worker, request: WorkerRequest, deadlineMs: number, timer: Timer): Promise<Exchange> {
  const { promise, resolve } = Promise.withResolvers<Exchange>();
  const finish = (result: CallResult, memoryBytes = 0): void => resolve({ result, memoryBytes });
  const onMessage = (reply: WorkerReply): void => {
    if (reply.kind === 'answered') finish({ kind: 'answered', answer: reply.answer }, reply.memoryBytes);
    else finish({ kind: 'failed', reason: reply.reason });
  };
  const onError = (error: unknown): void => finish({ kind: 'failed', reason: String(error) });
  const onExit = (code: number): void => finish({ kind: 'failed', reason: `its thread ended with code ${code}` });
  const cancel = timer(deadlineMs, () => finish({ kind: 'deadline', ms: deadlineMs }));
  worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  worker.ref();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  worker.postMessage(request);
  return promise.finally(() => {
    cancel();
    worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    worker.unref();
  });
}
