import { Worker } from 'node:worker_threads';

/**
 * Entry point of a process of its own for the compiler's thread (arguments: the thread's script, its settings as JSON). The
 * thread computes, so that this one is free to notice the end of the parent, whatever the thread is doing.
 */
const [script = '', settings = '{}'] = process.argv.slice(2);
const thread = new Worker(new URL(script), { workerData: JSON.parse(settings) as unknown, env: {} });

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
process.on('message', (request) => thread.postMessage(request));
thread.on('message', (reply) => process.send?.(reply));
thread.on('error', (error) => process.send?.({ kind: 'died', reason: String(error) }));
thread.on('exit', (code) => process.exit(code));
process.on('disconnect', () => process.exit(0));
