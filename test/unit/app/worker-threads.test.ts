import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Opening, FromWorker, ToWorker, WorkerReport } from '../../../src/app/worker-messages.ts';
import { WorkerThreads, type WorkerThreadsDeps } from '../../../src/app/worker-threads.ts';
import { GENESIS } from '../../../src/core/record/chain.ts';
import type { ThreadHooks } from '../../../src/io/workers/thread.ts';
import { createDrivenClock, type DrivenClock } from '../../support/driven-clock.ts';

/** What is in an opening is not looked at here. */
const OPENING = { kind: 'open' } as Opening;

const REPORT: WorkerReport = {
  figures: { connections: 3, requests: 1, outbound: undefined },
  idleRoom: 0,
  decisions: undefined,
};

/** Threads that are not there: the test speaks for each, and one answers what it is asked where it is not `stuck`. */
class Scene {
  readonly clock: DrivenClock = createDrivenClock();
  readonly told: ToWorker['kind'][][] = [];
  readonly logged: string[] = [];
  readonly stuck = new Set<number>();
  readonly hooks: (ThreadHooks<FromWorker> | undefined)[] = [];
  readonly threads: WorkerThreads;

  constructor(count: number) {
    const log = { error: (_fields: unknown, message: string) => this.logged.push(message) };
    const journal = { lost: () => undefined };
    this.threads = new WorkerThreads(count, {
      ...(this.#world() satisfies Partial<WorkerThreadsDeps>),
      log: log as unknown as WorkerThreadsDeps['log'],
      journal: journal as unknown as WorkerThreadsDeps['journal'],
    });
    for (let index = 0; index < count; index += 1) void this.threads.open(index);
  }

  #world(): Omit<WorkerThreadsDeps, 'log' | 'journal'> {
    return {
      setup: {} as WorkerThreadsDeps['setup'],
      opening: () => OPENING,
      recorder: () => ({ seal: (line) => line, head: GENESIS }),
      leftBehind: () => undefined,
      clock: this.clock,
      timer: this.clock.timer,
      random: (length) => new Uint8Array(length),
      start: (index, _setup, hooks) => {
        this.hooks[index] = hooks;
        const heard: ToWorker['kind'][] = [];
        this.told[index] = heard;
        return {
          post: (message) => {
            heard.push(message.kind);
            if (message.kind === 'open') hooks.message({ kind: 'opened', bound: { inbound: [], outbound: [] } });
            if (message.kind !== 'tell' || this.stuck.has(index)) return;
            hooks.message({ kind: 'told', question: message.question, report: REPORT });
          },
          end: () => {
            hooks.ended('it was ended');
            return Promise.resolve();
          },
        };
      },
    };
  }

  /** Lets time pass, and what was promised meanwhile come true. */
  async pass(ms: number): Promise<void> {
    await settled();
    this.clock.advance(ms);
    await settled();
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('metrics do not wait for a worker that does not answer: its last report counts', async () => {
  const { threads, stuck, clock } = new Scene(2);
  await threads.refresh();
  assert.equal(threads.reports.length, 2);
  stuck.add(1);
  const refreshed = threads.refresh();
  clock.advance(1_000);
  await refreshed;
  assert.deepEqual(threads.connections, [3, 3]);
});

test('promise 8: a worker that does not answer within half a minute of being asked is ended and replaced, others are left alone', async () => {
  const scene = new Scene(2);
  const [zero, one] = scene.hooks;
  await scene.pass(1);
  scene.stuck.add(1);
  await scene.pass(29_999);
  await scene.pass(29_999);
  assert.equal(scene.hooks[1], one);
  await scene.pass(1);
  assert.deepEqual(scene.logged, [
    'a worker does not answer; its thread is ended',
    'a worker ended; another takes its place',
  ]);
  scene.stuck.clear();
  await scene.pass(1_000);
  assert.notEqual(scene.hooks[1], one);
  for (let i = 0; i < 3; i += 1) await scene.pass(30_000);
  assert.equal(scene.hooks[0], zero);
  assert.equal(scene.threads.ended, 1);
});

test('a worker that takes the place of another one knows that the sidecar is to be left', async () => {
  const scene = new Scene(1);
  scene.threads.retire();
  scene.hooks[0]?.ended('by the test');
  await scene.pass(1_000);
  assert.deepEqual(scene.told[0]?.slice(0, 2), ['open', 'retire']);
});

test('once all are stopped no timer is left', async () => {
  const scene = new Scene(2);
  const stopped = scene.threads.stop(1_000);
  for (const hooks of scene.hooks) hooks?.message({ kind: 'stopped' });
  await stopped;
  assert.equal(scene.clock.timers, 0);
});
