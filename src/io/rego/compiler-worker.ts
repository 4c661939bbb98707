import { startHost } from './compiler-host.ts';

import type { Timer } from '../../core/kernel/clock.ts';
import type { CompilerHost, Isolation } from './compiler-host.ts';
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

/** The compiler's worker as seen from outside: started by the first call, replaced when it is no longer sound. */
export interface CompilerWorker {
  /** Calls run one after another, in order. Never rejects. */
  call(request: WorkerRequest): Promise<CallResult>;
  /** Ends the worker; calls under way and later ones answer `stopped`. */
  stop(): Promise<void>;
}

/** What `createCompilerWorker` takes from outside; the defaults are the real ones. */
export interface CompilerWorkerDeps {
  readonly timer?: Timer;
  /**
   * Where the compiler's thread runs: in a process of its own (default), or in this one. It takes 300 MB; what a thread
   * took the allocator largely keeps when it ends, while a process gives all of it back, and can be killed in any state.
   */
  readonly isolation?: Isolation;
  /** The thread's script; `worker.ts`, or `worker.js` in the built package. */
  readonly script?: URL;
}

/** Makes the compiler's worker; nothing is started or loaded before the first call. */
export function createCompilerWorker(limits: CompilerLimits, deps: CompilerWorkerDeps = {}): CompilerWorker {
  const timer = deps.timer ?? realTimer;
  const settings: WorkerSettings = { maxPages: Math.floor(limits.maxBytes / PAGE_BYTES) };
  let host: CompilerHost | undefined;
  let stopped = false;
  let queue: Promise<unknown> = Promise.resolve();
  let cancelIdle: (() => void) | undefined;

  async function end(): Promise<void> {
    const ended = host;
    host = undefined;
    await ended?.end();
  }

  async function run(request: WorkerRequest): Promise<CallResult> {
    if (stopped) return { kind: 'stopped' };
    cancelIdle?.();
    if (host === undefined || host.ended) host = startHost(deps.isolation ?? 'process', settings, deps.script);
    const reply = await withDeadline(host.ask(request), limits.deadlineMs, timer);
    if (stopped) return { kind: 'stopped' };
    if (reply.kind !== 'answered' || reply.memoryBytes > limits.recycleBytes) await end();
    else cancelIdle = timer(limits.idleMs, () => void end());
    return resultOf(reply);
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

interface Late {
  readonly kind: 'deadline';
  readonly ms: number;
}

/** The reply, or that it has not come in time. */
async function withDeadline(reply: Promise<WorkerReply>, ms: number, timer: Timer): Promise<WorkerReply | Late> {
  const { promise: late, resolve } = Promise.withResolvers<Late>();
  const cancel = timer(ms, () => resolve({ kind: 'deadline', ms }));
  try {
    return await Promise.race([reply, late]);
  } finally {
    cancel();
  }
}

function resultOf(reply: WorkerReply | Late): CallResult {
  switch (reply.kind) {
    case 'answered':
      return { kind: 'answered', answer: reply.answer };
    case 'died':
      return { kind: 'failed', reason: reply.reason };
    case 'deadline':
      return reply;
    default:
      return reply satisfies never;
  }
}
