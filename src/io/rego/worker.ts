import { parentPort, workerData } from 'node:worker_threads';

import { instantiateCompiler } from './abi-client.ts';
import { readArtefact } from './artefact.ts';

import type { CompilerInstance } from './abi-client.ts';
import type { WorkerReply, WorkerRequest, WorkerSettings } from './protocol.ts';

/** Entry point of the worker thread: loads the compiler once, then answers requests one by one, in order. */
const { maxPages } = workerData as WorkerSettings;
const loading = readArtefact().then((wasm) => instantiateCompiler(wasm, maxPages));

parentPort?.on('message', (request: WorkerRequest) => {
  void loading.then(
    (instance) => post(answer(instance, request)),
    (error: unknown) => post(died(error)),
  );
});

function post(reply: WorkerReply): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(reply);
}

function answer(instance: CompilerInstance, request: WorkerRequest): WorkerReply {
  try {
    const reply = instance.call(request.operation, request.arguments);
    return { kind: 'answered', answer: reply, memoryBytes: instance.memoryBytes() };
  } catch (error) {
    return died(error);
  }
}

function died(error: unknown): WorkerReply {
  return { kind: 'died', reason: error instanceof Error ? error.message : String(error) };
}
