import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Supervisor, type Ending } from '../../../src/io/workers/supervisor.ts';
import type { ThreadHooks } from '../../../src/io/workers/thread.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';

/** A supervisor over threads that the test ends. */
function world(count: number) {
  const clock = createDrivenClock();
  const started: number[] = [];
  const told: string[] = [];
  const endings: Ending[] = [];
  const hooks: (ThreadHooks<string> | undefined)[] = [];
  const supervisor: Supervisor<string, string> = new Supervisor<string, string>(count, {
    clock,
    timer: clock.timer,
    // The longest of all pauses.
    random: (length) => new Uint8Array(length).fill(0xff),
    start: (index, heard) => {
      started.push(index);
      hooks[index] = heard;
      return {
        post: (message) => told.push(`${index} ${message}`),
        end: () => {
          heard.ended('it was ended');
          return Promise.resolve();
        },
      };
    },
    began: (index) => supervisor.post(index, 'open'),
    message: (index, message) => told.push(`${index} says ${message}`),
    ended: (ending) => endings.push(ending),
  });
  return { clock, started, told, endings, hooks, supervisor };
}

test('a thread is told what it needs first, and heard', () => {
  const { supervisor, told, hooks } = world(2);
  supervisor.start(0);
  supervisor.start(1);
  supervisor.start(1);
  hooks[1]?.message('ready');
  assert.deepEqual(told, ['0 open', '1 open', '1 says ready']);
  assert.deepEqual(supervisor.running, [0, 1]);
});

test('a thread that ends is replaced after a moment, the others are left alone', () => {
  const { supervisor, clock, started, endings, hooks } = world(2);
  supervisor.start(0);
  supervisor.start(1);
  hooks[0]?.ended('it threw');
  assert.deepEqual([supervisor.running, endings[0]?.index, endings[0]?.reason], [[1], 0, 'it threw']);
  clock.advance(99);
  assert.deepEqual(started, [0, 1]);
  clock.advance(1);
  assert.deepEqual(
    [started, supervisor.running],
    [
      [0, 1, 0],
      [0, 1],
    ],
  );
});

test('one that ends again and again is started after ever longer pauses, at most half a minute', () => {
  const { supervisor, clock, endings, hooks } = world(1);
  supervisor.start(0);
  for (let i = 0; i < 12; i += 1) {
    hooks[0]?.ended('again');
    clock.advance(30_000);
  }
  const pauses = endings.map(({ againMs }) => Math.round(againMs));
  assert.deepEqual(pauses, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000]);
});

test('one that lived for a minute begins with the short pause again', () => {
  const { supervisor, clock, endings, hooks } = world(1);
  supervisor.start(0);
  for (let i = 0; i < 3; i += 1) {
    hooks[0]?.ended('again');
    clock.advance(1_000);
  }
  clock.advance(60_000);
  hooks[0]?.ended('much later');
  assert.deepEqual(
    endings.map(({ againMs }) => Math.round(againMs)),
    [100, 200, 400, 100],
  );
});

test('places count for themselves', () => {
  const { supervisor, endings, hooks } = world(2);
  supervisor.start(0);
  supervisor.start(1);
  hooks[0]?.ended('one');
  hooks[1]?.ended('other');
  assert.deepEqual(
    endings.map(({ againMs }) => Math.round(againMs)),
    [100, 100],
  );
});

test('once it is to stop, nothing is started any more, and no timer is left', async () => {
  const { supervisor, clock, started, hooks } = world(2);
  supervisor.start(0);
  supervisor.start(1);
  hooks[0]?.ended('it threw');
  supervisor.stopReplacing();
  assert.equal(clock.timers, 0);
  await supervisor.end(1);
  supervisor.start(0);
  clock.advance(60_000);
  assert.deepEqual([started, supervisor.running], [[0, 1], []]);
});

test('a thread that does not do as it should is ended, and replaced', async () => {
  const { supervisor, clock, started } = world(1);
  supervisor.start(0);
  await supervisor.end(0);
  clock.advance(100);
  assert.deepEqual(started, [0, 0]);
});

test('where the system has no thread to give, the others go on and it is tried again', () => {
  const clock = createDrivenClock();
  const reasons: string[] = [];
  let tries = 0;
  const supervisor = new Supervisor<string, string>(1, {
    clock,
    timer: clock.timer,
    random: (length) => new Uint8Array(length).fill(0xff),
    start: () => {
      tries += 1;
      if (tries < 3) throw new Error('ERR_WORKER_INIT_FAILED');
      return { post: () => undefined, end: () => Promise.resolve() };
    },
    began: () => undefined,
    message: () => undefined,
    ended: ({ reason }) => reasons.push(reason),
  });
  supervisor.start(0);
  clock.advance(1_000);
  assert.deepEqual(reasons, ['Error: ERR_WORKER_INIT_FAILED', 'Error: ERR_WORKER_INIT_FAILED']);
  assert.deepEqual(supervisor.running, [0]);
});

test('what is for a thread that is gone is for nobody', () => {
  const { supervisor, told, hooks } = world(1);
  supervisor.start(0);
  hooks[0]?.ended('it threw');
  supervisor.post(0, 'change');
  supervisor.post(7, 'change');
  assert.deepEqual(told, ['0 open']);
});
