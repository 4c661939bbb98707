import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { Evaluation, Policy } from '../../../src/core/model/policy.ts';
import type { DecisionRecord } from '../../../src/core/model/record.ts';
import { createRecorder } from '../../../src/core/record/recorder.ts';
import { defined, sampleFacts, samplePolicy } from '../../support/record-facts.ts';

const CACHE = { 'time.now_ns': { '[]': 1_700_000_000_000_000_000 } };

function recorded(
  cache: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  mask?: Policy['mask'],
): DecisionRecord {
  const evaluation: Evaluation = { kind: 'defined', value: true, steps: 1, cached: false, ndBuiltinCache: cache };
  const recorder = createRecorder({ labels: { id: 'a' } });
  return JSON.parse(
    recorder.record(sampleFacts({ evaluation, policy: samplePolicy({ mask }) })) ?? '',
  ) as DecisionRecord;
}

describe('OPA decision log: nd_builtin_cache', () => {
  test('answers that the input does not determine are written down, for replay', () => {
    assert.deepEqual(recorded(CACHE).nd_builtin_cache, CACHE);
  });

  test('a decision without any has no such member', () => {
    const recorder = createRecorder({ labels: { id: 'a' } });
    const record = JSON.parse(recorder.record(sampleFacts({ evaluation: defined(true) })) ?? '') as DecisionRecord;
    assert.equal('nd_builtin_cache' in record, false);
  });

  test('a mask may take it out, whole or in part', () => {
    const whole = recorded(CACHE, () => defined(['/nd_builtin_cache']));
    assert.equal('nd_builtin_cache' in whole, false);
    assert.deepEqual(whole.erased, ['/nd_builtin_cache']);
    const part = recorded({ ...CACHE, 'rand.intn': { '["a",2]': 1 } }, () => defined(['/nd_builtin_cache/rand.intn']));
    assert.deepEqual(part.nd_builtin_cache, CACHE);
  });

  test('promise 8: one that is too large is left out and noted', () => {
    const record = recorded({ 'time.now_ns': { '[]': 'x'.repeat(5_000) } });
    assert.equal('nd_builtin_cache' in record, false);
    assert.deepEqual(record.erased, ['/nd_builtin_cache']);
  });

  test('a mask that fails takes it out with the rest', () => {
    const record = recorded(CACHE, () => {
      throw new Error('broken');
    });
    assert.equal('nd_builtin_cache' in record, false);
    assert.ok(record.erased?.includes('/nd_builtin_cache'));
  });
});
