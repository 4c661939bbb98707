import { parentPort, workerData } from 'node:worker_threads';

import { systemTimer } from '../io/sources/timer.ts';
import type { ThreadCounter } from '../io/telemetry/thread-metrics.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './worker-messages.ts';
import { WorkerSidecar } from './worker-sidecar.ts';

/** Entry point of a worker thread of the sidecar: joins a `WorkerSidecar` with the thread that started it. */
const setup = workerData as WorkerSetup;

const sidecar = new WorkerSidecar(setup, {
  post: (message: FromWorker): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    parentPort?.postMessage(message);
  },
  timer: systemTimer,
  counter: setup.metrics ? await threadCounter() : undefined,
});

parentPort?.on('message', (message: ToWorker) => sidecar.heard(message));
// What ends the thread ends its requests; what they left for the journal is handed over before.
process.on('uncaughtExceptionMonitor', () => sidecar.handOver());

/** The metrics library is loaded only where metrics are served. */
async function threadCounter(): Promise<ThreadCounter> {
  return (await import('../io/telemetry/thread-metrics.ts')).createThreadCounter();
}
