import assert from 'node:assert/strict';
import { test } from 'node:test';

import { rowOf } from '../../../src/app/demo-row.ts';

import type { DecisionRecord } from '../../../src/core/model/record.ts';

const STEP = {
  who: 'reader',
  agent: 'http',
  what: 'GET /a',
  expected: { verdict: 'allow', status: '200' },
} as const;

function record(of: Partial<DecisionRecord['sallyport']>, path = 'sallyport/authz/decision'): DecisionRecord {
  return {
    decision_id: 'd',
    timestamp: '2026-01-01T00:00:00.000Z',
    labels: {},
    bundles: {},
    path,
    metrics: { timer_rego_query_eval_ns: 12_345 },
    sallyport: {
      direction: 'inbound',
      remote: '127.0.0.1:1',
      connection: 'c',
      verdict: 'allow',
      reasons: [],
      mode: 'enforce',
      outcome: { kind: 'forwarded', status: 200, bytes_in: 0, bytes_out: 0, ms: 1 },
      cached: false,
      steps: 0,
      prev: '',
      hash: '',
      ...of,
    },
  };
}

const seen = (status: string) => ({ status, traceId: '' });

test('an allow shows the reasons and how long the policy took, in microseconds', () => {
  const row = rowOf(STEP, seen('200'), record({ reasons: ['may read', 'may hear'] }));
  assert.deepEqual(row, {
    who: 'reader',
    agent: 'http',
    what: 'GET /a',
    verdict: 'allow',
    status: '200',
    why: 'may read; may hear',
    micros: 12.345,
    expected: undefined,
  });
});

test('a refusal by policy shows fault and reasons, one without reasons its detail', () => {
  const expected = { verdict: 'deny', status: '403' } as const;
  const denied = { verdict: 'deny', fault: 'policy_denied', detail: 'the policy said no' } as const;
  const reasoned = rowOf({ ...STEP, expected }, seen('403'), record({ ...denied, reasons: ['no rule'] }));
  assert.deepEqual([reasoned.why, reasoned.expected], ['policy_denied: no rule', undefined]);
  assert.equal(rowOf({ ...STEP, expected }, seen('403'), record(denied)).why, 'policy_denied: the policy said no');
});

test('where the policy was not asked there is no time of it', () => {
  const expected = { verdict: 'deny', status: 'closed' } as const;
  const row = rowOf({ ...STEP, expected }, seen('closed'), record({ verdict: 'deny', fault: 'x', detail: 'y' }, ''));
  assert.deepEqual([row.micros, row.why, row.expected], [undefined, 'x: y', undefined]);
});

test('another verdict, another status and a missing record are not as expected', () => {
  assert.equal(rowOf(STEP, seen('200'), record({ verdict: 'deny' })).expected, 'allow, 200');
  assert.equal(rowOf(STEP, seen('403'), record({})).expected, 'allow, 200');
  const missing = rowOf(STEP, seen('200'), undefined);
  assert.deepEqual([missing.verdict, missing.why, missing.expected], ['no record', '', 'allow, 200']);
});

test('a decision without a call of its own has the status of its record', () => {
  assert.equal(rowOf(STEP, undefined, record({})).status, '200');
  assert.deepEqual(rowOf(STEP, undefined, undefined).status, 'not called');
});
