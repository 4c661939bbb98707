import { parentPort, threadId, workerData } from 'node:worker_threads';

import type { WorkerReply, WorkerRequest } from '../../src/io/rego/protocol.ts';

/** What a test tells this stand-in for the compiler's worker thread to do with one request. */
export type WorkerScript =
  | { readonly do: 'answer'; readonly memoryBytes?: number }
  | { readonly do: 'die' | 'exit' | 'throw' | 'exit-after-answer' | 'nothing' | 'spin' };

parentPort?.on('message', (request: WorkerRequest) => {
  const script = request.arguments as WorkerScript;
  if (script.do === 'answer' || script.do === 'exit-after-answer') {
    const value = { pid: process.pid, threadId, workerData: workerData as unknown };
    const memoryBytes = script.do === 'answer' ? (script.memoryBytes ?? 0) : 0;
    post({ kind: 'answered', answer: { ok: true, value }, memoryBytes });
  }
  if (script.do === 'die') post({ kind: 'died', reason: 'as told' });
  while (script.do === 'spin');
  if (script.do === 'throw') throw new Error('thrown as told');
  if (script.do === 'exit' || script.do === 'exit-after-answer') process.exit(7);
});

function post(reply: WorkerReply): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(reply);
}
