import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { RetryBudget } from '../../../src/io/forward/retry-budget.ts';

test('three calls may be in repetition in any case, and a fifth of those under way', () => {
  const budget = new RetryBudget({ part: 0.2, least: 3 });
  assert.deepEqual(
    [1, 1, 1, 1].map((underWay) => budget.take(underWay)),
    [true, true, true, false],
  );
  assert.equal(budget.take(19), false);
  assert.equal(budget.take(20), true);
  assert.equal(budget.take(20), false);
  budget.give();
  assert.equal(budget.take(20), true);
});

test('property: what is taken never goes beyond the greater of the two bounds, and what is given back can be taken again', () => {
  const settings = fc.record({ part: fc.double({ min: 0, max: 1, noNaN: true }), least: fc.nat({ max: 10 }) });
  const steps = fc.array(fc.record({ give: fc.boolean(), underWay: fc.nat({ max: 200 }) }), { maxLength: 300 });
  fc.assert(
    fc.property(settings, steps, ({ part, least }, all) => {
      const budget = new RetryBudget({ part, least });
      let taken = 0;
      for (const { give, underWay } of all) {
        if (give && taken > 0) {
          budget.give();
          taken -= 1;
        } else {
          const may = taken < Math.max(least, Math.floor(part * underWay));
          assert.equal(budget.take(underWay), may);
          if (may) taken += 1;
        }
        assert.equal(budget.taken, taken);
      }
    }),
  );
});
