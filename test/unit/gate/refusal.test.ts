import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { refusalAnswer } from '../../../src/core/gate/refusal.ts';
import type { DecisionId } from '../../../src/core/kernel/brand.ts';
import { firstHeader } from '../../../src/core/kernel/headers.ts';
import { fault, FAULTS, type FaultCode } from '../../../src/core/model/faults.ts';

const ID = '11111111-2222-4333-8444-555555555555' as DecisionId;
const CODES = Object.keys(FAULTS) as FaultCode[];
const ANSWERED = CODES.filter((code) => FAULTS[code].http !== 0);

/** `grpc-status` of a denial for which the policy chose an HTTP status. */
function grpcStatusFor(http: number): string | undefined {
  const denial = { status: http, headers: [], body: undefined };
  return firstHeader(refusalAnswer(fault('policy_denied', ''), 'grpc', ID, denial).headers, 'grpc-status');
}

describe('a refusal over HTTP', () => {
  for (const code of ANSWERED) {
    test(`${code}: status ${FAULTS[code].http} from the table, problem details and nothing more`, () => {
      const answer = refusalAnswer(fault(code, 'secret detail'), 'http', ID);
      assert.equal(answer.status, FAULTS[code].http);
      assert.equal(answer.close, FAULTS[code].close);
      assert.equal(firstHeader(answer.headers, 'content-type'), 'application/problem+json');
      assert.equal(firstHeader(answer.headers, 'content-length'), String(Buffer.byteLength(answer.body)));
      const body = JSON.parse(answer.body) as Record<string, unknown>;
      assert.deepEqual(Object.keys(body), ['type', 'title', 'status', 'decision_id']);
      assert.equal(body['status'], answer.status);
      assert.equal(body['decision_id'], ID);
      assert.equal(answer.body.includes('secret'), false);
      assert.equal(answer.body.includes(code), false);
    });
  }

  test('promise 9: all reasons of one status look the same', () => {
    const bodies = ANSWERED.filter((code) => FAULTS[code].http === 403).map(
      (code) => refusalAnswer(fault(code, code), 'http', ID).body,
    );
    assert.ok(bodies.length > 3);
    assert.equal(new Set(bodies).size, 1);
  });

  test('RFC 9110 15.5.6: 405 names the allowed methods', () => {
    assert.ok(firstHeader(refusalAnswer(fault('method_refused', ''), 'http', ID).headers, 'allow'));
  });

  test('a connection fault has no answer: status 0, empty body', () => {
    const answer = refusalAnswer(fault('flood', ''), 'http', ID);
    assert.equal(answer.status, 0);
    assert.equal(answer.body, '');
  });
});

describe('a denial that the policy words itself (OPA-Envoy)', () => {
  test('http_status, headers and body are the policy’s', () => {
    const denial = { status: 401, headers: ['www-authenticate', 'Basic'], body: 'who are you? ü' };
    const answer = refusalAnswer(fault('policy_denied', ''), 'http', ID, denial);
    assert.equal(answer.status, 401);
    assert.equal(answer.body, 'who are you? ü');
    assert.deepEqual(answer.headers, [
      'www-authenticate',
      'Basic',
      'content-type',
      'text/plain',
      'content-length',
      '15',
    ]);
  });

  test('a content-type of the policy is kept', () => {
    const denial = { status: 403, headers: ['content-type', 'text/html'], body: '<b>no</b>' };
    const { headers } = refusalAnswer(fault('policy_denied', ''), 'http', ID, denial);
    assert.deepEqual(headers, ['content-type', 'text/html', 'content-length', '9']);
  });

  test('without body: problem details with the policy’s status', () => {
    const answer = refusalAnswer(fault('policy_denied', ''), 'http', ID, { status: 404, headers: [], body: undefined });
    assert.equal((JSON.parse(answer.body) as { status: number }).status, 404);
  });
});

describe('a refusal over gRPC', () => {
  for (const code of CODES) {
    test(`${code}: HTTP 200, trailers only, grpc-status ${FAULTS[code].grpc}`, () => {
      const answer = refusalAnswer(fault(code, 'secret detail'), 'grpc', ID);
      assert.equal(answer.status, 200);
      assert.equal(answer.body, '');
      assert.equal(firstHeader(answer.headers, 'grpc-status'), String(FAULTS[code].grpc));
      assert.equal(answer.grpcStatus, FAULTS[code].grpc);
      assert.equal(answer.headers.join(' ').includes('secret'), false);
    });
  }

  test('gRPC "HTTP to gRPC Status Code Mapping": the status that a policy chose', () => {
    const mapped = [400, 401, 403, 404, 429, 502, 503, 504, 418].map(grpcStatusFor);
    assert.deepEqual(mapped, ['13', '16', '7', '12', '14', '14', '14', '14', '2']);
  });

  test('a policy cannot forge grpc-status through its headers', () => {
    const denial = { status: 403, headers: ['grpc-status', '0', 'x-why', 'quota'], body: 'no' };
    const { headers } = refusalAnswer(fault('policy_denied', ''), 'grpc', ID, denial);
    assert.deepEqual(headers, [
      'content-type',
      'application/grpc',
      'grpc-status',
      '7',
      'grpc-message',
      'no',
      'x-why',
      'quota',
    ]);
  });

  test('gRPC over HTTP/2: grpc-message is percent-encoded, and decodes to what the policy said', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const { headers } = refusalAnswer(fault('policy_denied', ''), 'grpc', ID, {
          status: 403,
          headers: [],
          body: text,
        });
        const message = firstHeader(headers, 'grpc-message') as string;
        assert.match(message, /^[\x20-\x7e]*$/);
        assert.equal(decodeURIComponent(message), text.toWellFormed());
      }),
    );
  });
});
