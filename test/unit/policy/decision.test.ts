import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { Decision } from '../../../src/core/model/decision.ts';
import { fault } from '../../../src/core/model/faults.ts';
import { toDecision } from '../../../src/core/policy/decision.ts';

function decide(value: unknown): Decision {
  return toDecision({ kind: 'defined', value, steps: 1, cached: false });
}

function refusal(value: unknown): string {
  const decision = decide(value);
  return decision.kind === 'deny' ? decision.fault.code : 'allow';
}

test('OPA-Envoy: true allows without obligations, false denies', () => {
  assert.deepEqual(decide(true), {
    kind: 'allow',
    obligations: {
      requestHeadersToSet: [],
      requestHeadersToRemove: [],
      responseHeadersToAdd: [],
      queryToSet: [],
      queryToRemove: [],
      dynamicMetadata: {},
    },
    reasons: [],
  });
  assert.deepEqual(decide(false), {
    kind: 'deny',
    fault: fault('policy_denied', 'the policy said no'),
    answer: undefined,
    reasons: [],
    dynamicMetadata: {},
  });
});

test('OPA-Envoy: undefined denies, and says which built-in made it so', () => {
  const plain = toDecision({ kind: 'undefined', steps: 1, cached: false });
  assert.ok(plain.kind === 'deny');
  assert.equal(plain.fault.code, 'policy_undefined');
  const noted = toDecision({
    kind: 'undefined',
    steps: 1,
    cached: false,
    builtinErrors: ['hex.decode: invalid hexadecimal'],
  });
  assert.ok(noted.kind === 'deny');
  assert.match(noted.fault.detail, /hex\.decode: invalid hexadecimal/);
});

test('promise 4: a failed evaluation denies with its own fault', () => {
  for (const code of [
    'policy_conflict',
    'policy_budget_exceeded',
    'policy_memory_exceeded',
    'policy_failed',
    'policy_input_too_large',
  ] as const) {
    const decision = toDecision({ kind: 'failed', fault: fault(code, 'why'), steps: 1 });
    assert.ok(decision.kind === 'deny');
    assert.deepEqual(decision.fault, fault(code, 'why'));
  }
});

test('OPA-Envoy: anything but a boolean or an object is no decision', () => {
  for (const value of [null, 0, 1, 'true', '', [], [true], [{ allowed: true }]])
    assert.equal(refusal(value), 'policy_result_invalid');
});

test('OPA-Envoy: allowed is required and is a boolean', () => {
  for (const value of [{}, { allowed: 'true' }, { allowed: 1 }, { allowed: null }, { allow: true }, { headers: {} }]) {
    assert.equal(refusal(value), 'policy_result_invalid');
  }
  assert.equal(refusal({ allowed: true }), 'allow');
  assert.equal(refusal({ allowed: false }), 'policy_denied');
});

test('an unknown key is a fault, not a guess', () => {
  for (const key of ['status_code', 'Allowed', 'reason', 'id', 'constructor', 'toString', '']) {
    assert.equal(refusal({ allowed: true, [key]: 1 }), 'policy_result_invalid', key);
  }
  assert.equal(refusal(JSON.parse('{"allowed": true, "__proto__": {"allowed": true}}')), 'policy_result_invalid');
  assert.equal(refusal(JSON.parse('{"__proto__": {"allowed": true}}')), 'policy_result_invalid');
});

const WRONG_TYPES: readonly (readonly [string, readonly unknown[]])[] = [
  [
    'headers',
    [null, 'x', 5, true, { a: 1 }, { a: null }, { a: [1] }, { a: { b: 'c' } }, ['x'], [[{ a: 'b' }]], [null]],
  ],
  ['response_headers_to_add', [null, 'x', { a: 1 }, { a: ['x', 1] }, [5]]],
  ['request_headers_to_remove', [null, 'x', {}, [1], [null], [['x']]]],
  ['query_parameters_to_set', [null, 'x', [], [{ a: 'b' }], { a: 1 }, { a: [1] }]],
  ['query_parameters_to_remove', [null, 'x', {}, [1]]],
  ['http_status', [null, '403', true, {}, [403]]],
  ['body', [null, 1, {}, ['x']]],
  ['dynamic_metadata', [null, 'x', 1, [], [{}]]],
  ['reasons', [null, 'x', {}, [1], [['x']]]],
];

for (const [key, values] of WRONG_TYPES) {
  test(`OPA-Envoy: a wrong type in ${key} fails the whole decision, allow or deny`, () => {
    for (const value of values) {
      assert.equal(refusal({ allowed: true, [key]: value }), 'policy_result_invalid', JSON.stringify(value));
      assert.equal(refusal({ allowed: false, [key]: value }), 'policy_result_invalid', JSON.stringify(value));
    }
  });
}

test('OPA-Envoy: all obligations of an allow, in their shapes', () => {
  const decision = decide({
    allowed: true,
    headers: { 'X-User': 'ann', 'x-roles': ['a', 'b'] },
    response_headers_to_add: [{ 'x-one': '1' }, { 'x-two': ['2', '3'] }],
    request_headers_to_remove: ['X-Secret', 'authorization'],
    query_parameters_to_set: { a: '1', b: ['2', '3'] },
    query_parameters_to_remove: ['c'],
    dynamic_metadata: { tier: 'gold', n: { m: [1] } },
    reasons: ['because'],
  });
  assert.deepEqual(decision, {
    kind: 'allow',
    obligations: {
      requestHeadersToSet: ['x-user', 'ann', 'x-roles', 'a', 'x-roles', 'b'],
      requestHeadersToRemove: ['x-secret', 'authorization'],
      responseHeadersToAdd: ['x-one', '1', 'x-two', '2', 'x-two', '3'],
      queryToSet: ['a', '1', 'b', '2', 'b', '3'],
      queryToRemove: ['c'],
      dynamicMetadata: { tier: 'gold', n: { m: [1] } },
    },
    reasons: ['because'],
  });
});

test('OPA-Envoy: keys of a denial say nothing on an allow, and the other way round', () => {
  const allow = decide({ allowed: true, http_status: 401, body: 'no', headers: { a: 'b' } });
  assert.ok(allow.kind === 'allow');
  assert.deepEqual(allow.obligations.requestHeadersToSet, ['a', 'b']);
  const deny = decide({
    allowed: false,
    response_headers_to_add: { a: 'b' },
    request_headers_to_remove: ['c'],
    query_parameters_to_set: { d: 'e' },
  });
  assert.ok(deny.kind === 'deny');
  assert.equal(deny.answer, undefined);
});

test('OPA-Envoy: what a denial shows the caller', () => {
  const deny = decide({
    allowed: false,
    http_status: 401,
    headers: { 'WWW-Authenticate': 'Basic' },
    body: 'who are you?',
    reasons: ['no token', 'no session'],
    dynamic_metadata: { a: 1 },
  });
  assert.deepEqual(deny, {
    kind: 'deny',
    fault: fault('policy_denied', 'no token; no session'),
    answer: { status: 401, headers: ['www-authenticate', 'Basic'], body: 'who are you?' },
    reasons: ['no token', 'no session'],
    dynamicMetadata: { a: 1 },
  });
});

function answer(value: object): unknown {
  const decision = decide({ allowed: false, ...value });
  return decision.kind === 'deny' ? decision.answer : 'allow';
}

test('OPA-Envoy: 403 is the status where the policy gives another part of the answer only; without any there is no answer of its own', () => {
  assert.deepEqual(answer({ body: 'x' }), { status: 403, headers: [], body: 'x' });
  assert.deepEqual(answer({ headers: { a: 'b' } }), { status: 403, headers: ['a', 'b'], body: undefined });
  assert.deepEqual(answer({ http_status: 404 }), { status: 404, headers: [], body: undefined });
  assert.equal(answer({ headers: {} }), undefined);
  assert.equal(answer({ reasons: ['x'] }), undefined);
});

test('OPA-Envoy: http_status is one that Go and Envoy both know, and that can end an answer', () => {
  for (const status of [200, 204, 226, 302, 304, 308, 400, 401, 403, 417, 421, 429, 431, 500, 511]) {
    assert.equal(refusal({ allowed: false, http_status: status }), 'policy_denied', String(status));
  }
  for (const status of [
    0,
    -1,
    42,
    99,
    100,
    101,
    103,
    209,
    306,
    418,
    420,
    425,
    430,
    451,
    509,
    599,
    600,
    1000,
    403.5,
    4.03e2 + 0.1,
  ]) {
    assert.equal(refusal({ allowed: false, http_status: status }), 'policy_result_invalid', String(status));
  }
});

test('RFC 9110 15.3.5, 15.3.6, 15.4.5: an answer that has no body cannot be given one', () => {
  for (const status of [204, 205, 304]) {
    assert.equal(refusal({ allowed: false, http_status: status, body: 'x' }), 'policy_result_invalid');
    assert.equal(refusal({ allowed: false, http_status: status, body: '' }), 'policy_denied');
  }
});

test('promise 4: no value of any shape throws, and only a sound one allows', () => {
  const keys = fc.constantFrom(
    'allowed',
    'headers',
    'body',
    'http_status',
    'reasons',
    'dynamic_metadata',
    'query_parameters_to_set',
    'x',
  );
  const values = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.dictionary(keys, fc.jsonValue({ maxDepth: 2 })),
    fc.constant({ allowed: true }),
  );
  fc.assert(
    fc.property(values, (value) => {
      const decision = decide(value);
      if (decision.kind === 'deny') return;
      assert.ok(value === true || (value as Record<string, unknown>)['allowed'] === true);
    }),
    { numRuns: 2000 },
  );
});
