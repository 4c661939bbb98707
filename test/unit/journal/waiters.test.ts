import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Waiters } from '../../../src/io/journal/waiters.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';

function waiters(most = 10, waitMs = 100) {
  const clock = createDrivenClock();
  const answers: string[] = [];
  const waiting = new Waiters(waitMs, most, clock.timer, () => clock.monotonicMs());
  const add = (name: string): void => waiting.add((reserved) => answers.push(`${name}:${reserved}`));
  return { clock, answers, waiting, add };
}

test('one timer, for whoever came first', () => {
  const { clock, answers, add } = waiters();
  add('a');
  clock.advance(40);
  add('b');
  assert.equal(clock.timers, 1);
  clock.advance(60);
  assert.deepEqual(answers, ['a:false']);
  assert.equal(clock.timers, 1);
  clock.advance(40);
  assert.deepEqual(answers, ['a:false', 'b:false']);
  assert.equal(clock.timers, 0);
});

test('served in order for as long as there is room; the rest keeps waiting with its own deadline', () => {
  const { clock, answers, waiting, add } = waiters();
  for (const name of ['a', 'b', 'c']) add(name);
  let room = 2;
  waiting.serve(() => (room -= 1) >= 0);
  assert.deepEqual(answers, ['a:true', 'b:true']);
  assert.equal(waiting.count, 1);
  clock.advance(100);
  assert.deepEqual(answers.at(-1), 'c:false');
});

test('nobody left, no timer left', () => {
  const { clock, waiting, add } = waiters();
  add('a');
  waiting.serve(() => true);
  assert.equal(clock.timers, 0);
  add('b');
  assert.equal(clock.timers, 1);
  waiting.dismiss();
  assert.equal(clock.timers, 0);
});

test('whoever asks again from within an answer waits anew, and is answered once', () => {
  const { clock, answers, waiting } = waiters();
  const again = (reserved: boolean): void => {
    answers.push(`first:${reserved}`);
    waiting.add((later) => answers.push(`again:${later}`));
  };
  waiting.add(again);
  clock.advance(100);
  assert.deepEqual(answers, ['first:false']);
  assert.equal(clock.timers, 1);
  clock.advance(100);
  assert.deepEqual(answers, ['first:false', 'again:false']);
});

test('too many, or no wait at all: turned away at once', () => {
  const full = waiters(1);
  full.add('a');
  full.add('b');
  assert.deepEqual(full.answers, ['b:false']);
  const hasty = waiters(10, 0);
  hasty.add('a');
  assert.deepEqual(hasty.answers, ['a:false']);
  assert.equal(hasty.clock.timers, 0);
});
