import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Counter, Histogram, Registry } from 'prom-client';

import { TalliedHistogram, talliedCounter } from '../../../src/io/telemetry/tally.ts';

const NAME = { name: 'sample', help: 'A sample.' };
const STYLES = ['http', 'grpc', 'tcp'] as const;
const BOUNDS = [0.001, 0.01, 0.5, 3];

const value = fc.oneof(fc.constantFrom(...BOUNDS, 0), fc.double({ min: 0, max: 10, noNaN: true }));

async function sorted(registry: Registry): Promise<readonly string[]> {
  return (await registry.metrics()).split('\n').toSorted();
}

/** Samples as whoever adds up several processes reads them. */
function bare(values: unknown): unknown {
  return JSON.parse(JSON.stringify(values, (key, one: unknown) => (key === 'exemplar' ? undefined : one)));
}

test('property: a histogram of ours reads as one of the library’s that saw the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom(...STYLES), value)), async (seen) => {
      const [ours, theirs] = [new Registry(), new Registry()];
      const histogram = new TalliedHistogram(ours, NAME, BOUNDS);
      const reference = new Histogram({ ...NAME, buckets: BOUNDS, labelNames: ['style'], registers: [theirs] });
      const distributions = new Map(STYLES.map((style) => [style, histogram.distribution({ style })]));
      for (const [style, seconds] of seen) {
        distributions.get(style)?.observe(seconds);
        reference.observe({ style }, seconds);
      }
      assert.deepEqual(await sorted(ours), await sorted(theirs));
      assert.deepEqual(await sorted(ours), await sorted(theirs), 'a second scrape adds nothing');
    }),
    { numRuns: 50 },
  );
});

test('a histogram without labels shows from the start, and as JSON too', async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const distribution = new TalliedHistogram(ours, NAME, BOUNDS).distribution();
  const reference = new Histogram({ ...NAME, buckets: BOUNDS, registers: [theirs] });
  assert.equal(await ours.metrics(), await theirs.metrics());
  distribution.observe(0.5);
  reference.observe(0.5);
  assert.equal(await ours.metrics(), await theirs.metrics());
  const [json] = (await ours.getMetricsAsJSON()) as unknown as [{ readonly type: string; readonly values: unknown }];
  const [expected] = (await theirs.getMetricsAsJSON()) as unknown as [typeof json];
  assert.equal(json.type, expected.type);
  assert.deepEqual(bare(json.values), bare(expected.values));
});

test('a counter of ours reads as one of the library’s, and is not added up scrape by scrape', async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const tally = talliedCounter(ours, NAME, ['style']);
  const reference = new Counter({ ...NAME, labelNames: ['style'], registers: [theirs] });
  assert.equal(await ours.metrics(), await theirs.metrics());
  const [http, grpc] = [tally({ style: 'http' }), tally({ style: 'grpc' })];
  http.count += 2;
  grpc.count += 1;
  reference.inc({ style: 'http' }, 2);
  reference.inc({ style: 'grpc' }, 1);
  assert.equal(await ours.metrics(), await theirs.metrics());
  assert.equal(await ours.metrics(), await theirs.metrics());
});
