import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import type { WorkerReply, WorkerRequest, WorkerSettings } from './protocol.ts';

/** What runs the compiler's thread: it takes one request at a time and is of no use any more once `ended`. */
export interface CompilerHost {
  readonly ended: boolean;
  /** Resolves with the reply, or with `died` when the host ends before it. */
  ask(request: WorkerRequest): Promise<WorkerReply>;
  /** Ends the host, even while it computes. */
  end(): Promise<void>;
}

/** Where the compiler runs; see `CompilerWorkerDeps.isolation`. */
export type Isolation = 'thread' | 'process';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const threadScript = new URL(`./worker.${extension}`, import.meta.url);
const processScript = new URL(`./process.${extension}`, import.meta.url);

/** Starts a host for the compiler's thread, or for another `script` with its protocol. */
export function startHost(isolation: Isolation, settings: WorkerSettings, script: URL = threadScript): CompilerHost {
  return isolation === 'thread' ? startThread(settings, script) : startProcess(settings, script);
}

/** The two kinds of host as far as one exchange is concerned. */
interface Port {
  post(request: WorkerRequest): void;
  /** While a request is under way the host keeps this process alive, else not. */
  keepAlive(alive: boolean): void;
  kill(): Promise<void>;
}

/** The state that both kinds share: whom to tell of a reply or of the end. */
class Host implements CompilerHost {
  ended = false;
  #port: Port | undefined;
  #settle: ((reply: WorkerReply) => void) | undefined;

  attach(port: Port): this {
    this.#port = port;
    port.keepAlive(false);
    return this;
  }

  async ask(request: WorkerRequest): Promise<WorkerReply> {
    const { promise, resolve } = Promise.withResolvers<WorkerReply>();
    this.#settle = resolve;
    this.#port?.keepAlive(true);
    this.#port?.post(request);
    const reply = await promise;
    this.#port?.keepAlive(false);
    return reply;
  }

  readonly reply = (reply: WorkerReply): void => this.#settle?.(reply);

  readonly died = (reason: string): void => {
    this.ended = true;
    this.#settle?.({ kind: 'died', reason });
  };

  async end(): Promise<void> {
    this.ended = true;
    await this.#port?.kill();
  }
}

function startThread(settings: WorkerSettings, script: URL): CompilerHost {
  const host = new Host();
  const thread = new Worker(script, { workerData: settings, env: {}, name: 'rego-compiler' });
  thread.on('message', host.reply);
  thread.on('error', (error) => host.died(String(error)));
  thread.on('exit', (code) => host.died(`its thread ended with code ${code}`));
  return host.attach({
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    post: (request) => thread.postMessage(request),
    keepAlive: (alive) => (alive ? thread.ref() : thread.unref()),
    kill: async () => void (await thread.terminate()),
  });
}

function startProcess(settings: WorkerSettings, script: URL): CompilerHost {
  const host = new Host();
  const child = fork(processScript, [script.href, JSON.stringify(settings)], {
    env: {},
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  child.on('message', (reply) => host.reply(reply as WorkerReply));
  child.on('error', (error) => host.died(String(error)));
  child.on('exit', (code, signal) => host.died(`its process ended with ${signal ?? `code ${code}`}`));
  return host.attach({
    post: (request) => void child.send(request, (error) => (error === null ? undefined : host.died(String(error)))),
    keepAlive: (alive) => {
      if (alive) child.ref();
      else child.unref();
      if (alive) child.channel?.ref();
      else child.channel?.unref();
    },
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      // Unless it counts as work under way, the wait for its end could be cut short by the end of this process.
      child.ref();
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  });
}
