import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { createCompilerWorker, defaultLimits } from '../../../src/io/rego/compiler-worker.ts';
import { createManualTimer } from '../../support/manual-timer.ts';

import type { CallResult, CompilerLimits, CompilerWorker } from '../../../src/io/rego/compiler-worker.ts';
import type { WorkerScript } from '../../support/rego-worker-double.ts';

const script = new URL('../../support/rego-worker-double.ts', import.meta.url);
const started: CompilerWorker[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((worker) => worker.stop()));
});

function create(limits: Partial<CompilerLimits> = {}, manual = createManualTimer()): CompilerWorker {
  const worker = createCompilerWorker({ ...defaultLimits, ...limits }, { script, timer: manual.timer });
  started.push(worker);
  return worker;
}

function call(worker: CompilerWorker, told: WorkerScript): Promise<CallResult> {
  return worker.call({ operation: 'version', arguments: told });
}

interface Seen {
  readonly threadId: number;
  readonly workerData: { readonly maxPages: number };
}

function seenIn(result: CallResult): Seen {
  assert.equal(result.kind, 'answered');
  assert.ok(result.answer.ok);
  return result.answer.value as Seen;
}

async function threadOf(worker: CompilerWorker): Promise<number> {
  return seenIn(await call(worker, { do: 'answer' })).threadId;
}

test('the thread stays between calls', async () => {
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
  ['exit', /thread ended with code 7/],
] as const) {
  test(`a thread that fails (${told}) fails that call, and the next has a fresh one`, async () => {
    const worker = create();
    const first = await threadOf(worker);
    const failed = await call(worker, { do: told });
    assert.equal(failed.kind, 'failed');
    assert.match(failed.reason, reason);
    assert.notEqual(await threadOf(worker), first);
  });
}

test('a thread that ends between two calls is replaced', async () => {
  const worker = create();
  const first = seenIn(await call(worker, { do: 'exit-after-answer' })).threadId;
  const next = await call(worker, { do: 'answer' });
  // The end may be noticed before the next call or during it; after that one the thread is fresh in any case.
  if (next.kind === 'answered') assert.notEqual(seenIn(next).threadId, first);
  else assert.equal(next.kind, 'failed');
  assert.notEqual(await threadOf(worker), first);
});

test('a call past the deadline is ended with its thread, and the next call is served', async () => {
  const manual = createManualTimer();
  const worker = create({ deadlineMs: 1234 }, manual);
  const first = await threadOf(worker);
  const hanging = call(worker, { do: 'nothing' });
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
  const first = seenIn(await call(worker, { do: 'answer', memoryBytes: 1000 })).threadId;
  assert.equal(seenIn(await call(worker, { do: 'answer', memoryBytes: 1001 })).threadId, first);
  assert.notEqual(await threadOf(worker), first);
});

test('an idle thread is ended, and the next call has a fresh one', async () => {
  const manual = createManualTimer();
  const worker = create({ idleMs: 77 }, manual);
  const first = await threadOf(worker);
  await manual.fire(77);
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
