import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';

import { interruption } from '../../../src/app/demo-interruption.ts';

function listening() {
  let again = 0;
  const source = Object.assign(new EventEmitter(), { stdout: new EventEmitter() });
  const one = interruption(() => (again += 1), source);
  return { one, source, again: () => again };
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${name} asks to end, once`, async () => {
    const { one, source, again } = listening();
    assert.equal(one.signal.aborted, false);
    source.emit(name, name);
    await one.aborted;
    assert.equal(one.signal.aborted, true);
    assert.throws(() => one.signal.throwIfAborted(), /interrupted/);
    assert.equal(again(), 0);
  });
}

test('the second signal is told on, and the third is left to Node', () => {
  const { source, again } = listening();
  source.emit('SIGINT', 'SIGINT');
  assert.equal(again(), 0);
  source.emit('SIGTERM', 'SIGTERM');
  assert.deepEqual([again(), source.listenerCount('SIGINT'), source.listenerCount('SIGTERM')], [1, 0, 0]);
});

test('output that nobody reads any more is as good as a signal, however often it is said', async () => {
  const { one, source, again } = listening();
  source.stdout.emit('error', new Error('write EPIPE'));
  source.stdout.emit('error', new Error('write EPIPE'));
  await one.aborted;
  assert.deepEqual([one.signal.aborted, again()], [true, 0]);
});

test('disposed of, it does not listen to signals any more', () => {
  const { one, source } = listening();
  assert.equal(source.listenerCount('SIGHUP'), 1);
  one.dispose();
  assert.equal(source.listenerCount('SIGHUP'), 0);
});
