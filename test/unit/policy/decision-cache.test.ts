import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { DecisionCache } from '../../../src/core/policy/decision-cache.ts';

test('promise 8: never holds more than two generations', () => {
  const cache = new DecisionCache<number>(10, 100);
  for (let i = 0; i < 1000; i += 1) {
    cache.set(`key ${i}`, i);
    assert.ok(cache.size <= 20);
  }
});

test('promise 8: a key over the bound is not kept', () => {
  const cache = new DecisionCache<number>(10, 5);
  cache.set('123456', 1);
  assert.equal(cache.get('123456'), undefined);
  assert.equal(cache.size, 0);
});

test('what is asked for again survives a flood of other keys', () => {
  const cache = new DecisionCache<string>(10, 100);
  cache.set('hot', 'yes');
  for (let i = 0; i < 100; i += 1) {
    cache.set(`cold ${i}`, 'no');
    assert.equal(cache.get('hot'), 'yes');
  }
});

test('whatever is asked and kept, an answer is the last that was set', () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), value: fc.option(fc.nat()) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const cache = new DecisionCache<number>(2, 10);
      const truth = new Map<string, number>();
      for (const { key, value } of steps) {
        if (value === null) assert.ok([undefined, truth.get(key)].includes(cache.get(key)));
        else {
          cache.set(key, value);
          truth.set(key, value);
          assert.equal(cache.get(key), value);
        }
      }
    }),
  );
});
