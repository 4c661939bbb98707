import assert from 'node:assert/strict';
import { test } from 'node:test';

import { deferredSource } from '../../../src/app/deferred-source.ts';
import type { Source } from '../../../src/io/sources/follower.ts';

/** A source that counts what is asked of it. */
class Counted implements Source<string> {
  starts = 0;
  reloads = 0;
  stops = 0;
  readonly current = 'value';
  readonly problem = undefined;

  start(): Promise<void> {
    this.starts += 1;
    return Promise.resolve();
  }

  reload(): Promise<void> {
    this.reloads += 1;
    return Promise.resolve();
  }

  stop(): void {
    this.stops += 1;
  }
}

test('reloads while its maker still reads make no second source', async () => {
  const made: Counted[] = [];
  const gate = Promise.withResolvers<undefined>();
  const source = deferredSource(
    async () => {
      await gate.promise;
      const inner = new Counted();
      made.push(inner);
      return inner;
    },
    () => undefined,
  );
  const pending = [source.start(), source.reload(), source.reload()];
  gate.resolve(undefined);
  await Promise.all(pending);
  assert.equal(made.length, 1);
  assert.deepEqual([made[0]?.starts, source.current], [1, 'value']);
  await source.reload();
  assert.deepEqual([made.length, made[0]?.reloads], [1, 1]);
  source.stop();
  assert.equal(made[0]?.stops, 1);
});

test('a maker that fails is a problem until a reload goes well; one that is stopped meanwhile makes nothing', async () => {
  const told: unknown[] = [];
  let fails = true;
  const inner = new Counted();
  const source = deferredSource(
    () => (fails ? Promise.reject(new Error('no such file')) : Promise.resolve(inner)),
    (problem) => told.push(problem),
  );
  await source.start();
  assert.deepEqual([source.problem, source.current], [['no such file'], undefined]);
  await source.reload();
  fails = false;
  await source.reload();
  assert.deepEqual([source.problem, source.current], [undefined, 'value']);
  assert.deepEqual(told, [['no such file'], ['no such file'], undefined]);

  const late = new Counted();
  const stopped = deferredSource(
    () => Promise.resolve(late),
    () => undefined,
  );
  const starting = stopped.start();
  stopped.stop();
  await starting;
  assert.deepEqual([late.starts, stopped.current], [0, undefined]);
});
