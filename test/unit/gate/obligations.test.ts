import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { applyObligations } from '../../../src/core/gate/obligations.ts';
import { NO_OBLIGATIONS, type Obligations } from '../../../src/core/model/decision.ts';
import type { CanonicalRequest } from '../../../src/core/model/request.ts';

function request(over: Partial<CanonicalRequest> = {}): CanonicalRequest {
  return {
    protocol: 'HTTP/1.1',
    style: 'http',
    method: 'GET',
    scheme: 'https',
    authority: 'agent.internal',
    target: '/a?x=1&y=2&x=3',
    path: '/a',
    query: 'x=1&y=2&x=3',
    headers: ['accept', '*/*', 'x-team', 'blue', 'content-length', '3', 'x-team', 'red'],
    body: { kind: 'length', bytes: 3 },
    expectContinue: false,
    grpcTimeoutMs: undefined,
    trace: { traceId: '1', spanId: '2', parentSpanId: undefined, flags: '00' },
    ...over,
  };
}

function applied(over: Partial<Obligations>): ReturnType<typeof applyObligations> {
  return applyObligations(request(), { ...NO_OBLIGATIONS, ...over });
}

describe('obligations on headers (OPA-Envoy `headers`, `request_headers_to_remove`)', () => {
  test('none: the very same header list is forwarded', () => {
    const canonical = request();
    const permitted = applyObligations(canonical, NO_OBLIGATIONS);
    assert.equal(permitted.headers, canonical.headers);
    assert.equal(permitted.target, canonical.target);
  });

  test('set replaces every field of that name and comes last', () => {
    assert.deepEqual(applied({ requestHeadersToSet: ['x-team', 'green'] }).headers, [
      'accept',
      '*/*',
      'content-length',
      '3',
      'x-team',
      'green',
    ]);
  });

  test('an array of values gives one field each', () => {
    assert.deepEqual(applied({ requestHeadersToSet: ['x-a', '1', 'x-a', '2'] }).headers.slice(-4), [
      'x-a',
      '1',
      'x-a',
      '2',
    ]);
  });

  test('remove takes every field of that name away', () => {
    assert.deepEqual(applied({ requestHeadersToRemove: ['x-team', 'absent'] }).headers, [
      'accept',
      '*/*',
      'content-length',
      '3',
    ]);
  });

  test('Envoy: a name in both is gone', () => {
    const { headers } = applied({ requestHeadersToSet: ['x-team', 'green'], requestHeadersToRemove: ['x-team'] });
    assert.equal(headers.includes('x-team'), false);
  });

  for (const name of [
    'host',
    'content-length',
    'transfer-encoding',
    'connection',
    'te',
    'upgrade',
    ':path',
    ':authority',
  ]) {
    test(`${name} frames or routes the message: neither set nor removed`, () => {
      const canonical = request();
      assert.deepEqual(
        applied({ requestHeadersToSet: [name, 'evil'], requestHeadersToRemove: [name] }).headers,
        canonical.headers,
      );
    });
  }
});

describe('obligations on the query (OPA-Envoy `query_parameters_to_set`, `query_parameters_to_remove`)', () => {
  test('set replaces all of that name, others stay byte for byte', () => {
    assert.equal(applied({ queryToSet: ['x', 'a b&c'] }).target, '/a?y=2&x=a%20b%26c');
  });

  test('remove takes all of that name', () => {
    assert.equal(applied({ queryToRemove: ['x'] }).target, '/a?y=2');
  });

  test('removing all leaves no question mark', () => {
    assert.equal(applied({ queryToRemove: ['x', 'y'] }).target, '/a');
  });

  test('an encoded name is the same name', () => {
    const encoded = request({ target: '/a?%78=1', query: '%78=1' });
    assert.equal(applyObligations(encoded, { ...NO_OBLIGATIONS, queryToRemove: ['x'] }).target, '/a');
  });

  test('whatever is set is read back by a URL parser, and the path cannot be changed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', minLength: 1 }), fc.string({ unit: 'grapheme' }), (name, value) => {
        const url = new URL(`http://agent${applied({ queryToSet: [name, value.toWellFormed()] }).target}`);
        assert.equal(url.pathname, '/a');
        assert.deepEqual(url.searchParams.getAll(name), [value.toWellFormed()]);
      }),
    );
  });
});

test('response_headers_to_add travel with the permit', () => {
  assert.deepEqual(applied({ responseHeadersToAdd: ['x-a', '1'] }).responseHeadersToAdd, ['x-a', '1']);
});
