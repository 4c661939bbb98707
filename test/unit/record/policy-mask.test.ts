import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { DecisionRecord } from '../../../src/core/model/record.ts';
import type { RecordFacts } from '../../../src/core/model/record-facts.ts';
import type { Evaluation, Policy } from '../../../src/core/model/policy.ts';
import { fault } from '../../../src/core/model/faults.ts';
import { createRecorder } from '../../../src/core/record/recorder.ts';
import { defined, sampleFacts, sampleInput, samplePolicy } from '../../support/record-facts.ts';

type Rules = Partial<Pick<Policy, 'mask' | 'drop'>>;

function recorded(rules: Rules, changes: Partial<RecordFacts> = {}): DecisionRecord | undefined {
  const line = createRecorder({ labels: { id: 'i' } }).record(sampleFacts({ policy: samplePolicy(rules), ...changes }));
  return line === undefined ? undefined : (JSON.parse(line) as DecisionRecord);
}

function masked(answer: unknown, changes: Partial<RecordFacts> = {}): DecisionRecord {
  const record = recorded({ mask: () => defined(answer) }, changes);
  assert.ok(record !== undefined);
  return record;
}

const failed: Evaluation = { kind: 'failed', fault: fault('policy_budget_exceeded', 'too many steps'), steps: 9 };

test('OPA decision logs: the mask rule sees the whole event, unmasked, with metrics and error, and no place in the chain', () => {
  let seen: unknown;
  const mask = (event: unknown): Evaluation => {
    seen = event;
    return defined([]);
  };
  const input = sampleInput({ authorization: 'Bearer s3' }, { parsed_body: { card: 's3' } });
  const record = recorded({ mask }, { input, evaluation: defined({ allowed: false, reasons: ['r'] }) });
  const event = seen as DecisionRecord;
  assert.deepEqual(event.input, input);
  assert.deepEqual(event.result, { allowed: false, reasons: ['r'] });
  assert.deepEqual(event.bundles, record?.bundles);
  assert.deepEqual(event.metrics, record?.metrics);
  assert.equal(event.path, 'sallyport/authz/decision');
  const { prev: _, hash: __, ...sallyport } = record?.sallyport ?? assert.fail();
  assert.deepEqual(event.sallyport, sallyport);
});

test('OPA decision logs: a pointer erases, and is listed in erased', () => {
  const record = masked(['/input/parsed_query/b', '/input/attributes/request/http/headers/:path']);
  const input = record.input as ReturnType<typeof sampleInput>;
  assert.deepEqual(input.parsed_query, {});
  assert.deepEqual(input.attributes.request?.http.headers, {});
  assert.deepEqual(record.erased, ['/input/parsed_query/b', '/input/attributes/request/http/headers/:path']);
  assert.equal('masked' in record, false);
});

test('OPA decision logs: upsert replaces or adds, and is listed in masked', () => {
  const rules = [
    { op: 'upsert', path: '/input/parsed_path/0', value: '**' },
    { op: 'upsert', path: '/input/note/by', value: { policy: true } },
  ];
  const record = masked(rules);
  const input = record.input as ReturnType<typeof sampleInput> & { note: unknown };
  assert.deepEqual(input.parsed_path, ['**']);
  assert.deepEqual(input.note, { by: { policy: true } });
  assert.deepEqual(record.masked, ['/input/parsed_path/0', '/input/note/by']);
});

test('OPA decision logs: whole input and result can be erased or replaced', () => {
  const erased = masked(['/input', '/result']);
  assert.equal('input' in erased || 'result' in erased, false);
  assert.deepEqual(erased.erased, ['/input', '/result']);
  const replaced = masked([{ op: 'upsert', path: '/result', value: 'hidden' }]);
  assert.equal(replaced.result, 'hidden');
  assert.deepEqual(replaced.masked, ['/result']);
});

test('OPA decision logs: a rule that finds nothing changes and lists nothing', () => {
  const record = masked([
    '/input/nothing/here',
    '/nd_builtin_cache/http.send',
    { op: 'upsert', path: '/result/x', value: 1 },
  ]);
  assert.deepEqual(record.input, sampleInput());
  assert.equal(record.result, true);
  assert.equal('erased' in record || 'masked' in record, false);
});

test('OPA decision logs: an absent part is not made by an upsert', () => {
  const changes = { evaluation: undefined, decision: undefined, fault: fault('request_malformed', '') };
  const record = masked([{ op: 'upsert', path: '/result', value: 'x' }], changes);
  assert.equal('result' in record || 'masked' in record, false);
});

test('OPA decision logs: an undefined mask masks nothing', () => {
  const record = recorded({ mask: () => ({ kind: 'undefined', steps: 1, cached: false }) });
  assert.deepEqual(record?.input, sampleInput());
});

test('our own masks hold whatever the policy masks, and the policy may still set a value of its own', () => {
  const input = sampleInput({ authorization: 'Bearer s3', cookie: 's3' });
  const at = '/input/attributes/request/http/headers';
  const record = masked([{ op: 'upsert', path: `${at}/cookie`, value: 'a cookie' }], { input });
  const { headers } = (record.input as typeof input).attributes.request?.http ?? assert.fail();
  assert.deepEqual(headers, { ':path': '/a?b=c', authorization: '**REDACTED**', cookie: 'a cookie' });
  assert.deepEqual(record.masked, [`${at}/authorization`, `${at}/cookie`, `${at}/cookie`]);
});

test('reasons follow the result: what the mask took out of it does not stay in sallyport.reasons', () => {
  const reason = fault('policy_denied', '');
  const decision = {
    kind: 'deny',
    fault: reason,
    answer: undefined,
    reasons: ['s3', 'ok'],
    dynamicMetadata: {},
  } as const;
  const evaluation = defined({ allowed: false, reasons: ['s3', 'ok'] });
  const changes = { evaluation, decision, fault: reason };
  assert.deepEqual(masked(['/input'], changes).sallyport.reasons, ['s3', 'ok']);
  assert.deepEqual(masked(['/result/reasons/0'], changes).sallyport.reasons, ['ok']);
  assert.deepEqual(masked(['/result/reasons'], changes).sallyport.reasons, []);
  assert.deepEqual(masked(['/result'], changes).sallyport.reasons, []);
  assert.deepEqual(recorded({ mask: () => failed }, changes)?.sallyport.reasons, []);
});

const broken: readonly (readonly [string, NonNullable<Rules['mask']>, string, RegExp])[] = [
  ['runs out of steps', () => failed, 'policy_budget_exceeded', /log mask rule: too many steps/],
  ['answers no set', () => defined({ a: 1 }), 'policy_result_invalid', /not a set/],
  ['has one unsound rule', () => defined(['/input/parsed_path', '/labels']), 'policy_result_invalid', /mask rule 1/],
  [
    'throws',
    () => {
      throw new Error('boom');
    },
    'internal_error',
    /boom/,
  ],
];

for (const [what, mask, code, message] of broken) {
  test(`fail safe: a mask that ${what} costs the record input and result, and says why`, () => {
    const record = recorded({ mask }) ?? assert.fail();
    assert.equal('input' in record || 'result' in record, false);
    assert.deepEqual(record.erased, ['/input', '/result']);
    assert.equal(record.error?.code, code);
    assert.match(record.error?.message ?? '', message);
  });
}

test('an error of the decision and an error of the mask are both told', () => {
  const reason = fault('policy_conflict', 'two values');
  const record = recorded(
    { mask: () => failed },
    { evaluation: { kind: 'failed', fault: reason, steps: 1 }, fault: reason },
  );
  assert.deepEqual(record?.error, {
    code: 'policy_conflict',
    message: 'two values; log mask rule: too many steps',
  });
  assert.deepEqual(record?.erased, ['/input']);
});

test('OPA decision logs: drop is true and nothing else', () => {
  assert.equal(recorded({ drop: () => defined(true) }), undefined);
  for (const value of [false, 'true', 1, null, {}, [true]]) {
    assert.ok(recorded({ drop: () => defined(value) }) !== undefined, JSON.stringify(value));
  }
  assert.ok(recorded({ drop: () => ({ kind: 'undefined', steps: 1, cached: false }) }) !== undefined);
});

test('drop sees the same event; a drop rule that fails keeps the record and says so', () => {
  let seen: unknown;
  const drop = (event: unknown): Evaluation => {
    seen = event;
    return failed;
  };
  const record = recorded({ drop, mask: () => defined(['/input']) }, { input: sampleInput({ cookie: 's3' }) });
  assert.equal(
    (seen as { input: ReturnType<typeof sampleInput> }).input.attributes.request?.http.headers['cookie'],
    's3',
  );
  assert.deepEqual(record?.error, { code: 'policy_budget_exceeded', message: 'log drop rule: too many steps' });
  assert.equal('input' in (record ?? {}), false);
});
