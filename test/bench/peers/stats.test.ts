import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { byRound, median, medianAt, ratio } from './stats.ts';
import type { Place, Sample } from './stats.ts';

const US: Place = { workload: 'w', step: 's', target: 'us' };
const THEM: Place = { ...US, target: 'them' };

function sample(place: Place, round: number, cpuMicros: number): Sample {
  return { ...place, round, figures: { cpuMicros } };
}

/** One value a round at each place, as a run gives them. */
const runs = fc.array(fc.tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 10_000 })), {
  minLength: 1,
  maxLength: 9,
});

function samplesOf(rounds: readonly (readonly [number, number])[]): readonly Sample[] {
  return rounds.flatMap(([us, them], round) => [sample(US, round, us), sample(THEM, round, them)]);
}

describe('the median', () => {
  test('of an odd count is the middle value, whatever the order', () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([7]), 7);
  });

  test('of an even count is the mean of the two in the middle', () => {
    assert.equal(median([10, 1, 4, 2]), 3);
  });

  test('of nothing is undefined', () => {
    assert.equal(median([]), undefined);
  });

  test('compares numbers, not texts', () => {
    assert.equal(median([100, 9, 20]), 20);
  });

  test('has as many values below as above', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const middle = median(values) ?? Number.NaN;
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        assert.ok(below <= values.length / 2 && above <= values.length / 2);
      }),
    );
  });
});

describe('figures by round', () => {
  test('several samples of one round count as their median', () => {
    const samples = [sample(US, 0, 10), sample(US, 0, 20), sample(US, 0, 90), sample(US, 1, 5)];
    assert.deepEqual(
      byRound(samples, US, 'cpuMicros'),
      new Map([
        [0, 20],
        [1, 5],
      ]),
    );
  });

  test('a figure that was not taken is not 0', () => {
    assert.equal(medianAt([sample(US, 0, 10)], US, 'p99'), undefined);
    assert.deepEqual(byRound([sample(US, 0, 10)], US, 'p99'), new Map());
  });

  test('workload, step and target all have to fit', () => {
    const samples = [sample(US, 0, 10)];
    assert.equal(medianAt(samples, US, 'cpuMicros'), 10);
    for (const other of [{ workload: 'x' }, { step: 'x' }, { target: 'x' }]) {
      assert.equal(medianAt(samples, { ...US, ...other }, 'cpuMicros'), undefined);
    }
  });
});

describe('a ratio', () => {
  test('is the median of the ratios of the rounds, not the ratio of the medians', () => {
    // Ratios 1, 0.5 and 2; the medians would give 20/20.
    const samples = samplesOf([
      [10, 10],
      [20, 40],
      [40, 20],
    ]);
    assert.deepEqual(ratio(samples, US, THEM, 'cpuMicros'), { median: 1, least: 0.5, greatest: 2, rounds: 3 });
    const drifting = samplesOf([
      [10, 100],
      [30, 60],
      [90, 90],
    ]);
    assert.equal(ratio(drifting, US, THEM, 'cpuMicros')?.median, 0.5);
  });

  test('takes only the rounds that have both', () => {
    const samples = [sample(US, 0, 10), sample(US, 1, 30), sample(THEM, 1, 10), sample(THEM, 2, 1)];
    assert.deepEqual(ratio(samples, US, THEM, 'cpuMicros'), { median: 3, least: 3, greatest: 3, rounds: 1 });
  });

  test('of a target that is missing is undefined', () => {
    assert.equal(ratio([sample(US, 0, 10)], US, THEM, 'cpuMicros'), undefined);
    assert.equal(ratio([sample(THEM, 0, 10)], US, THEM, 'cpuMicros'), undefined);
    assert.equal(ratio([], US, THEM, 'cpuMicros'), undefined);
  });

  test('over nothing at all is left out rather than infinite', () => {
    assert.equal(ratio([sample(US, 0, 10), sample(THEM, 0, 0)], US, THEM, 'cpuMicros'), undefined);
  });

  test('to itself is 1', () => {
    fc.assert(
      fc.property(runs, (rounds) => {
        const found = ratio(samplesOf(rounds), US, US, 'cpuMicros');
        assert.deepEqual(found, { median: 1, least: 1, greatest: 1, rounds: rounds.length });
      }),
    );
  });

  test('does not change when samples come in another order', () => {
    const shuffled = runs.chain((rounds) => {
      const samples = samplesOf(rounds);
      return fc.tuple(fc.constant(samples), fc.shuffledSubarray([...samples], { minLength: samples.length }));
    });
    fc.assert(
      fc.property(shuffled, ([samples, other]) => {
        assert.deepEqual(ratio(other, US, THEM, 'cpuMicros'), ratio(samples, US, THEM, 'cpuMicros'));
        assert.equal(medianAt(other, US, 'cpuMicros'), medianAt(samples, US, 'cpuMicros'));
      }),
    );
  });

  test('does not change when the rounds are numbered in another order', () => {
    const permuted = runs.chain((rounds) =>
      fc.tuple(fc.constant(rounds), fc.shuffledSubarray([...rounds], { minLength: rounds.length })),
    );
    fc.assert(
      fc.property(permuted, ([rounds, other]) => {
        const [one, two] = [rounds, other].map((all) => ratio(samplesOf(all), US, THEM, 'cpuMicros'));
        assert.deepEqual(one, two);
      }),
    );
  });

  test('lies between the least and the greatest of the rounds', () => {
    fc.assert(
      fc.property(runs, (rounds) => {
        const found = ratio(samplesOf(rounds), US, THEM, 'cpuMicros');
        assert.ok(found !== undefined && found.least <= found.median && found.median <= found.greatest);
      }),
    );
  });
});
