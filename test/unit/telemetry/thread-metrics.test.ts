import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createThreadCounter, createThreadMetrics } from '../../../src/io/telemetry/thread-metrics.ts';
import { sampleFacts } from '../../support/record-facts.ts';

const THREADS = { configured: 2, serving: 1, ended: 3, connections: [5, 0] };

test('what several threads counted is one figure each, and can be sent from one to another', async () => {
  const metrics = createThreadMetrics();
  const [left, right] = [createThreadCounter(), createThreadCounter()];
  for (const counter of [left, right, right, metrics.counter]) counter.decided(sampleFacts({}), 'allow', undefined);
  const running = structuredClone([await left.counts(), await right.counts()]);
  const text = await metrics.text(running, THREADS);
  assert.match(text, /^sallyport_requests_total\{[^}]*verdict="allow"[^}]*\} 4$/m);
  assert.match(text, /^sallyport_request_duration_seconds_count\{[^}]*\} 4$/m);
  assert.match(text, /^sallyport_request_duration_seconds_bucket\{le="\+Inf"[^}]*\} 4$/m);
  assert.equal(text.match(/^# TYPE sallyport_requests_total counter$/gm)?.length, 1);
});

test('what a thread that ended had counted stays', async () => {
  const metrics = createThreadMetrics();
  for (let i = 0; i < 3; i += 1) {
    const ended = createThreadCounter();
    ended.decided(sampleFacts({}), 'allow', undefined);
    metrics.leftBehind(structuredClone(await ended.counts()));
    if (i === 1) await metrics.text([], THREADS);
  }
  const series = /^sallyport_requests_total\{[^}]*verdict="allow"[^}]*\} 3$/m;
  assert.match(await metrics.text([], THREADS), series);
  assert.match(await metrics.text([], THREADS), series, 'and counts once, however often it is asked for');
});

test('one that ends while metrics are written is counted once then, and kept', async () => {
  const metrics = createThreadMetrics();
  const [first, second] = [createThreadCounter(), createThreadCounter()];
  for (const counter of [first, second]) counter.decided(sampleFacts({}), 'allow', undefined);
  metrics.leftBehind(structuredClone(await first.counts()));
  const counts = structuredClone(await second.counts());
  const writing = metrics.text([counts], THREADS);
  metrics.leftBehind(counts);
  const two = /^sallyport_requests_total\{[^}]*verdict="allow"[^}]*\} 2$/m;
  assert.match(await writing, two);
  assert.match(await metrics.text([], THREADS), two);
});

test('the threads themselves', async () => {
  const text = await createThreadMetrics().text([], THREADS);
  for (const line of [
    'sallyport_workers 2',
    'sallyport_workers_serving 1',
    'sallyport_workers_ended_total 3',
    'sallyport_worker_connections{worker="0"} 5',
    'sallyport_worker_connections{worker="1"} 0',
  ])
    assert.ok(text.split('\n').includes(line), line);
});
