import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import { on, once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { afterEach, describe, test } from 'node:test';

import { createCompilerWorker, defaultLimits } from '../../../src/io/rego/compiler-worker.ts';
import { createManualTimer } from '../../support/manual-timer.ts';

import type { ChildProcess } from 'node:child_process';
import type { Worker } from 'node:worker_threads';
import type { CallResult, CompilerLimits, CompilerWorker } from '../../../src/io/rego/compiler-worker.ts';
import type { WorkerScript } from '../../support/rego-worker-double.ts';

const script = new URL('../../support/rego-worker-double.ts', import.meta.url);
const started: CompilerWorker[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((worker) => worker.stop()));
});

function call(worker: CompilerWorker, told: WorkerScript): Promise<CallResult> {
  return worker.call({ operation: 'version', arguments: told });
}

interface Seen {
  readonly pid: number;
  readonly threadId: number;
  readonly workerData: { readonly maxPages: number };
}

function seenIn(result: CallResult): Seen {
  assert.equal(result.kind, 'answered');
  assert.ok(result.answer.ok);
  return result.answer.value as Seen;
}

/** Which thread of which process answered. */
function idOf(result: CallResult): string {
  const { pid, threadId } = seenIn(result);
  return `${pid}/${threadId}`;
}

async function threadOf(worker: CompilerWorker): Promise<string> {
  return idOf(await call(worker, { do: 'answer' }));
}

/** Resolves with what the next thread or child process of this process is, once it is made. */
function nextStarted(isolation: 'thread' | 'process'): Promise<Worker | ChildProcess> {
  const { promise, resolve } = Promise.withResolvers<Worker | ChildProcess>();
  if (isolation === 'thread') {
    process.once('worker', resolve);
    return promise;
  }
  const creations = channel('child_process');
  const listener = (message: unknown): void => {
    creations.unsubscribe(listener);
    resolve((message as { process: ChildProcess }).process);
  };
  creations.subscribe(listener);
  return promise;
}

for (const isolation of ['thread', 'process'] as const) {
  const create = (limits: Partial<CompilerLimits> = {}, manual = createManualTimer()): CompilerWorker => {
    const deps = { script, isolation, timer: manual.timer };
    const worker = createCompilerWorker({ ...defaultLimits, ...limits }, deps);
    started.push(worker);
    return worker;
  };

  describe(`the compiler as a ${isolation}`, () => {
    test('it runs where it should', async () => {
      const { pid } = seenIn(await call(create(), { do: 'answer' }));
      assert.equal(pid === process.pid, isolation === 'thread');
    });

    test('it stays between calls', async () => {
      const worker = create();
      assert.equal(await threadOf(worker), await threadOf(worker));
    });

    test('calls made at once are answered one after another by one thread', async () => {
      const worker = create();
      const threads = await Promise.all(Array.from({ length: 5 }, () => threadOf(worker)));
      assert.equal(new Set(threads).size, 1);
    });

    test('the memory bound reaches the thread in pages of 64 KiB', async () => {
      const worker = create({ maxBytes: 3 * 64 * 1024 + 1 });
      assert.equal(seenIn(await call(worker, { do: 'answer' })).workerData.maxPages, 3);
    });

    for (const [told, reason] of [
      ['die', /^as told$/],
      ['throw', /thrown as told/],
      ['exit', /^its (?:thread|process) ended with code 7$/],
    ] as const) {
      test(`one that fails (${told}) fails that call, and the next has a fresh one`, async () => {
        const worker = create();
        const first = await threadOf(worker);
        const failed = await call(worker, { do: told });
        assert.equal(failed.kind, 'failed');
        assert.match(failed.reason, reason);
        assert.notEqual(await threadOf(worker), first);
      });
    }

    test('one that ends between two calls is replaced', async () => {
      const created = nextStarted(isolation);
      const worker = create();
      const answered = call(worker, { do: 'exit-after-answer' });
      await once(await created, 'exit');
      assert.notEqual(await threadOf(worker), idOf(await answered));
    });

    test('a call past the deadline is ended, even while it computes, and the next call is served', async () => {
      const manual = createManualTimer();
      const worker = create({ deadlineMs: 1234 }, manual);
      const first = await threadOf(worker);
      const hanging = call(worker, { do: 'spin' });
      await manual.fire(1234);
      assert.deepEqual(await hanging, { kind: 'deadline', ms: 1234 });
      assert.notEqual(await threadOf(worker), first);
    });

    test('the deadline counts from the start of a call, not from its place in the queue', async () => {
      const manual = createManualTimer();
      const worker = create({ deadlineMs: 1234 }, manual);
      const hanging = call(worker, { do: 'nothing' });
      const waiting = call(worker, { do: 'answer' });
      await manual.fire(1234);
      assert.equal((await hanging).kind, 'deadline');
      assert.equal((await waiting).kind, 'answered');
    });

    test('after a call no deadline is left running', async () => {
      const manual = createManualTimer();
      const worker = create({ deadlineMs: 1234, idleMs: 77 }, manual);
      await threadOf(worker);
      assert.deepEqual(manual.set(), [77]);
    });

    test('an instance above the memory bound is replaced after its call, one at the bound is not', async () => {
      const worker = create({ recycleBytes: 1000 });
      const first = idOf(await call(worker, { do: 'answer', memoryBytes: 1000 }));
      assert.equal(idOf(await call(worker, { do: 'answer', memoryBytes: 1001 })), first);
      assert.notEqual(await threadOf(worker), first);
    });

    test('an idle one is ended, and the next call has a fresh one', async () => {
      const manual = createManualTimer();
      const created = nextStarted(isolation);
      const worker = create({ idleMs: 77 }, manual);
      const first = await threadOf(worker);
      const ended = once(await created, 'exit');
      await manual.fire(77);
      await ended;
      assert.notEqual(await threadOf(worker), first);
    });

    test('stop answers the call under way and those waiting, and later ones at once', async () => {
      const worker = create();
      await threadOf(worker);
      const calls = [call(worker, { do: 'nothing' }), call(worker, { do: 'answer' })];
      await worker.stop();
      assert.deepEqual(await Promise.all(calls), [{ kind: 'stopped' }, { kind: 'stopped' }]);
      assert.deepEqual(await call(worker, { do: 'answer' }), { kind: 'stopped' });
    });

    test('stop before the first call starts nothing', async () => {
      const manual = createManualTimer();
      const worker = create({}, manual);
      await worker.stop();
      assert.deepEqual(await call(worker, { do: 'answer' }), { kind: 'stopped' });
      assert.deepEqual(manual.set(), []);
    });
  });
}

/** Starts a process that uses the compiler as told, and waits until it has sent `messages` messages. */
async function startParent(told: readonly string[], messages: number): Promise<{ parent: ChildProcess; pid: number }> {
  const parent = fork(new URL('../../support/rego-worker-parent.ts', import.meta.url), told);
  const heard: unknown[] = [];
  for await (const [message] of on(parent, 'message')) if (heard.push(message) === messages) break;
  const answer = heard.find((message) => message !== 'asked') as { readonly value: Seen };
  return { parent, pid: answer.value.pid };
}

test('a compiler that is idle keeps no process alive, and ends with the process that started it', async () => {
  const { parent, pid } = await startParent(['answer'], 2);
  parent.disconnect();
  assert.deepEqual(await once(parent, 'exit'), [0, null]);
  await gone(pid);
});

test('a compiler that computes ends with the process that started it, however that ends', async () => {
  const { parent, pid } = await startParent(['answer', 'spin'], 3);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  await gone(pid);
});

/** Waits until no process has this number. */
async function gone(pid: number): Promise<void> {
  while (await isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** A process that has ended but that nobody has waited for (a zombie, which only Linux shows) does not run any more. */
async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return !stat.includes(') Z ');
}
