import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test, type TestContext } from 'node:test';

import { interruption } from '../../../src/app/demo-interruption.ts';

function listening(context: TestContext) {
  let again = 0;
  const source = Object.assign(new EventEmitter(), { stdout: new EventEmitter(), ppid: 7 });
  const one = interruption(() => (again += 1), source);
  context.after(one.dispose);
  return { one, source, again: () => again };
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${name} asks to end, once`, async (context) => {
    const { one, source, again } = listening(context);
    assert.equal(one.signal.aborted, false);
    source.emit(name, name);
    await one.aborted;
    assert.equal(one.signal.aborted, true);
    assert.throws(() => one.signal.throwIfAborted(), /interrupted/);
    assert.equal(again(), 0);
  });
}

test('the second signal is told on, and the third is left to Node', (context) => {
  const { source, again } = listening(context);
  source.emit('SIGINT', 'SIGINT');
  assert.equal(again(), 0);
  source.emit('SIGTERM', 'SIGTERM');
  assert.deepEqual([again(), source.listenerCount('SIGINT'), source.listenerCount('SIGTERM')], [1, 0, 0]);
});

test('output that nobody reads any more is as good as a signal, however often it is said', async (context) => {
  const { one, source, again } = listening(context);
  source.stdout.emit('error', new Error('write EPIPE'));
  source.stdout.emit('error', new Error('write EPIPE'));
  await one.aborted;
  assert.deepEqual([one.signal.aborted, again()], [true, 0]);
});

test('a parent that ended without a word is as good as a signal', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const { one, source, again } = listening(context);
  context.mock.timers.tick(10_000);
  assert.equal(one.signal.aborted, false);
  source.ppid = 1;
  context.mock.timers.tick(1_000);
  await one.aborted;
  assert.deepEqual([one.signal.aborted, again()], [true, 0]);
});

test('disposed of, it listens and looks no more', (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const { one, source } = listening(context);
  assert.equal(source.listenerCount('SIGHUP'), 1);
  one.dispose();
  assert.equal(source.listenerCount('SIGHUP'), 0);
  source.ppid = 1;
  context.mock.timers.tick(10_000);
  assert.equal(one.signal.aborted, false);
});
