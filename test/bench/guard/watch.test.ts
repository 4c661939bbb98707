import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { PassThrough } from 'node:stream';

import { watch, watched } from './watch.ts';

test('promises, ticks, timers, immediates, emitters and JSON are counted, each once', () => {
  const seen = watched(() => {
    void Promise.resolve(1);
    void new Promise(() => undefined);
    process.nextTick(() => undefined);
    clearTimeout(setTimeout(() => undefined, 1));
    clearImmediate(setImmediate(() => undefined));
    void new EventEmitter();
    JSON.parse(JSON.stringify({ a: 1 }));
  });
  assert.deepEqual(seen, { promises: 2, ticks: 1, timers: 1, immediates: 1, operations: 0, emitters: 1, parses: 1, stringifies: 1 }); // prettier-ignore
});

test('a stream is an emitter', () => {
  assert.equal(watched(() => void new PassThrough()).emitters, 1);
});

test('nothing is counted before, after, or when nothing is done; JSON and emitters are themselves again', () => {
  const { parse, stringify } = JSON;
  const { init } = EventEmitter as unknown as { init: unknown };
  void Promise.resolve(1);
  const end = watch();
  const seen = { ...end() };
  void Promise.resolve(1);
  JSON.parse('1');
  assert.ok(Object.values(seen).every((count) => count === 0));
  assert.equal(JSON.parse, parse);
  assert.equal(JSON.stringify, stringify);
  assert.equal((EventEmitter as unknown as { init: unknown }).init, init);
});
