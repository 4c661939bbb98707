import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { err, ok } from '../../../src/core/kernel/result.ts';
import { BuildCache } from '../../../src/io/policy-service/build-cache.ts';

/** A cache of texts that weigh what they are long, with a count of what had to be made. */
function world(entries: number, bytes: number) {
  const cache = new BuildCache<string>({ entries, bytes }, (text) => text.length);
  const made: string[] = [];
  const get = (key: string, length = 1) =>
    cache.get(key, () => {
      made.push(key);
      return Promise.resolve(ok('x'.repeat(length)));
    });
  return { cache, made, get };
}

describe('what the compiler answered', () => {
  test('is made once, also where two ask at once', async () => {
    const { made, get } = world(4, 100);
    await Promise.all([get('a'), get('a')]);
    await get('a');
    assert.deepEqual(made, ['a']);
  });

  test('of many the least recently used leaves first', async () => {
    const { cache, made, get } = world(2, 100);
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b'])
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await get(key);
    assert.deepEqual([made, cache.size], [['a', 'b', 'c', 'b'], 2]);
  });

  test('weighs: large answers leave before the memory is full, and one that is larger than all of it is not kept', async () => {
    const { cache, made, get } = world(256, 100);
    await get('a', 60);
    await get('b', 60);
    assert.equal(cache.size, 1);
    await get('b');
    await get('a', 60);
    assert.deepEqual(made, ['a', 'b', 'a']);
    await get('huge', 101);
    assert.equal(cache.size, 0);
    assert.equal((await get('huge', 101)).ok, true);
  });

  test('that may be another one the next time is asked for again, and so is one that threw', async () => {
    const { cache, get } = world(4, 100);
    const fault = err({ problems: ['stopped'], again: true });
    assert.deepEqual(await cache.get('a', () => Promise.resolve(fault)), fault);
    await assert.rejects(cache.get('b', () => Promise.reject(new Error('a fault of ours'))));
    assert.equal(cache.size, 0);
    assert.equal((await get('a')).ok && (await get('b')).ok, true);
  });

  test('never weighs more than it may, whatever is asked for', async () => {
    const ask = fc.record({ key: fc.nat(9), length: fc.integer({ min: 1, max: 60 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(ask, { maxLength: 40 }), async (asks) => {
        const kept = new Map<string, number>();
        const { cache, made, get } = world(5, 100);
        for (const { key, length } of asks) {
          const before = made.length;
          // oxlint-disable-next-line no-await-in-loop -- one after the other
          await get(`${key}`, length);
          const weight = made.length > before ? length : (kept.get(`${key}`) ?? 0);
          kept.delete(`${key}`);
          kept.set(`${key}`, weight);
          while (kept.size > 5 || [...kept.values()].reduce((sum, each) => sum + each, 0) > 100)
            kept.delete([...kept.keys()][0] ?? '');
          assert.equal(cache.size, kept.size);
        }
      }),
    );
  });
});
