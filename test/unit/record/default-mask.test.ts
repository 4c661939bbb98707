import { test } from 'node:test';
import assert from 'node:assert/strict';
import { DEFAULT_MASK, maskInput, maskResult, REDACTED } from '../../../src/core/record/default-mask.ts';
import { sampleInput } from '../../support/record-facts.ts';

function traces(): { erased: string[]; masked: string[] } {
  return { erased: [], masked: [] };
}

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const child of Object.values(value)) deepFrozen(child);
  return Object.freeze(value);
}

test('an input without secrets is the same object', () => {
  const input = deepFrozen(sampleInput({ accept: '*/*' }));
  const found = traces();
  assert.equal(maskInput(input, DEFAULT_MASK, found), input);
  assert.deepEqual(found, { erased: [], masked: [] });
});

test('values of credentials headers are replaced and listed; the input itself is untouched', () => {
  const headers = {
    authorization: 'Bearer s3',
    'proxy-authorization': 's3',
    cookie: 's3',
    'set-cookie': 's3',
    accept: 'a',
  };
  const input = deepFrozen(sampleInput(headers));
  const found = traces();
  const masked = maskInput(input, DEFAULT_MASK, found);
  assert.deepEqual(masked.attributes.request?.http.headers, {
    ':path': '/a?b=c',
    authorization: REDACTED,
    'proxy-authorization': REDACTED,
    cookie: REDACTED,
    'set-cookie': REDACTED,
    accept: 'a',
  });
  const at = '/input/attributes/request/http/headers';
  assert.deepEqual(
    found.masked,
    ['authorization', 'proxy-authorization', 'cookie', 'set-cookie'].map((name) => `${at}/${name}`),
  );
  assert.deepEqual(found.erased, []);
  assert.equal(masked.parsed_path, input.parsed_path);
});

test('bodies are erased and listed', () => {
  const base = sampleInput({}, { parsed_body: { card: 's3' } });
  const http = { ...base.attributes.request?.http, body: '{"card":"s3"}' };
  const input = deepFrozen({
    ...base,
    attributes: { ...base.attributes, request: { ...base.attributes.request, http } },
  }) as typeof base;
  const found = traces();
  const masked = maskInput(input, DEFAULT_MASK, found);
  assert.doesNotMatch(JSON.stringify(masked), /s3/);
  assert.deepEqual(found.erased, ['/input/parsed_body', '/input/attributes/request/http/body']);
  assert.equal('parsed_body' in masked, false);
});

test('a null parsed_body says that there is no reading, and stays', () => {
  const found = traces();
  const masked = maskInput(sampleInput({}, { parsed_body: null }), DEFAULT_MASK, found);
  assert.equal(masked.parsed_body, null);
  assert.deepEqual(found.erased, []);
});

test('the operator may keep bodies and name more headers', () => {
  const found = traces();
  const options = { bodies: false, headers: new Set(['x-api-key']) };
  const masked = maskInput(sampleInput({ 'x-api-key': 's3', cookie: 'c' }, { parsed_body: 'b' }), options, found);
  assert.equal(masked.parsed_body, 'b');
  assert.equal(masked.attributes.request?.http.headers['x-api-key'], REDACTED);
  assert.equal(masked.attributes.request?.http.headers['cookie'], 'c');
  assert.deepEqual(found.erased, []);
});

test('an input without a request (a TCP connection) passes', () => {
  const base = sampleInput();
  const { request: _, ...attributes } = base.attributes;
  const input = { ...base, attributes };
  assert.equal(maskInput(input, DEFAULT_MASK, traces()), input);
});

test('OPA-Envoy decision: headers that a policy sets, in any shape and any case', () => {
  const result = deepFrozen({
    allowed: true,
    headers: { Authorization: ['Bearer s3', 's3'], 'x-user': 'u' },
    response_headers_to_add: [{ 'Set-Cookie': 's3' }, { 'x-ok': '1' }, 'nonsense'],
    query_parameters_to_set: { api_key: 's3', 'a/b~c': ['s3'] },
    reasons: ['because'],
  });
  const found = traces();
  assert.deepEqual(maskResult(result, DEFAULT_MASK, found), {
    allowed: true,
    headers: { Authorization: REDACTED, 'x-user': 'u' },
    response_headers_to_add: [{ 'Set-Cookie': REDACTED }, { 'x-ok': '1' }, 'nonsense'],
    query_parameters_to_set: { api_key: REDACTED, 'a/b~c': REDACTED },
    reasons: ['because'],
  });
  assert.deepEqual(found.masked, [
    '/result/headers/Authorization',
    '/result/response_headers_to_add/0/Set-Cookie',
    '/result/query_parameters_to_set/api_key',
    '/result/query_parameters_to_set/a~1b~0c',
  ]);
});

test('an answer of another shape is left as it is', () => {
  for (const result of [true, null, undefined, 'text', [{ headers: { cookie: 'c' } }], { headers: 'cookie' }, {}]) {
    assert.equal(maskResult(result, DEFAULT_MASK, traces()), result);
  }
});

test('a member named __proto__ stays a member', () => {
  const result = JSON.parse('{"query_parameters_to_set":{"__proto__":"s3"}}') as unknown;
  const masked = maskResult(result, DEFAULT_MASK, traces());
  assert.equal(JSON.stringify(masked), `{"query_parameters_to_set":{"__proto__":"${REDACTED}"}}`);
});

for (const name of ['x-api-key', 'api-key', 'x-auth-token', 'dpop', 'txn-token', 'workload-identity-token']) {
  test(`promise 10: ${name} is a credential, whether the peer sends it or a policy sets it`, () => {
    const traces = { erased: [] as string[], masked: [] as string[] };
    const input = maskInput(sampleInput({ [name]: 's3', accept: 'text/plain' }), DEFAULT_MASK, traces);
    const result = maskResult({ allowed: true, headers: { [name.toUpperCase()]: 's3' } }, DEFAULT_MASK, traces);
    assert.equal(JSON.stringify([input, result]).includes('s3'), false);
    assert.equal(input.attributes.request?.http.headers['accept'], 'text/plain');
    assert.equal(traces.masked.length, 2);
  });
}
