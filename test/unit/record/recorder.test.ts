import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { DecisionRecord } from '../../../src/core/model/record.ts';
import type { RecordFacts } from '../../../src/core/model/record-facts.ts';
import { fault } from '../../../src/core/model/faults.ts';
import { NO_OBLIGATIONS } from '../../../src/core/model/decision.ts';
import { GENESIS } from '../../../src/core/record/chain.ts';
import { createRecorder, type RecorderOptions } from '../../../src/core/record/recorder.ts';
import { createChainVerifier } from '../../../src/core/record/verify.ts';
import { defined, sampleConnection, sampleFacts, sampleInput, samplePolicy } from '../../support/record-facts.ts';

const labels = { id: 'i-1', version: '0.1.0' };

function recordOf(changes: Partial<RecordFacts>, options: Partial<RecorderOptions> = {}): DecisionRecord {
  const line = createRecorder({ labels, ...options }).record(sampleFacts(changes));
  assert.ok(line !== undefined && !/[\n\r]/.test(line));
  return JSON.parse(line) as DecisionRecord;
}

test('design 6: an allowed request gives the members of OPA’s event and ours, and no others', () => {
  const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentSpanId: undefined, flags: '01' };
  const record = recordOf({ trace });
  const { hash, ...sallyport } = record.sallyport;
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.deepEqual(
    { ...record, sallyport },
    {
      decision_id: '0b9a3c1e-7d47-4d2f-9c9c-6f1d2a3b4c5d',
      timestamp: '2023-11-14T22:13:20.123Z',
      labels,
      bundles: { main: { revision: 'r1' } },
      path: 'sallyport/authz/decision',
      input: sampleInput(),
      result: true,
      metrics: { timer_rego_query_eval_ns: 4201, timer_server_handler_ns: 1_234_500 },
      trace_id: 'a'.repeat(32),
      span_id: 'b'.repeat(16),
      req_id: 1,
      sallyport: {
        direction: 'inbound',
        peer: 'spiffe://example.org/ns/agents/sa/writer',
        remote: '10.0.0.9:40000',
        connection: 'c-1',
        verdict: 'allow',
        reasons: [],
        mode: 'enforce',
        outcome: { kind: 'forwarded', status: 200, bytes_in: 0, bytes_out: 12, ms: 1.235 },
        cached: false,
        steps: 10,
        prev: GENESIS,
      },
    },
  );
});

test('design 6: a connection refused before a request has no input, no bundle and the claimed peer', () => {
  const reason = fault('peer_certificate_expired', 'notAfter 2023-11-14');
  const record = recordOf({
    peer: { kind: 'rejected', fault: reason, claimedId: 'spiffe://evil.test/x' },
    policy: undefined,
    input: undefined,
    evaluation: undefined,
    decision: undefined,
    fault: reason,
    connection: { ...sampleConnection, remote: { address: '::1', port: 9 } },
    outcome: { kind: 'refused', status: 0 },
  });
  assert.equal('input' in record || 'result' in record || 'error' in record, false);
  assert.deepEqual(record.bundles, {});
  assert.equal(record.path, '');
  assert.equal(record.sallyport.peer, 'spiffe://evil.test/x');
  assert.equal(record.sallyport.remote, '[::1]:9');
  assert.equal(record.sallyport.verdict, 'deny');
  assert.equal(record.sallyport.fault, 'peer_certificate_expired');
  assert.equal(record.sallyport.detail, 'notAfter 2023-11-14');
  assert.equal(record.sallyport.steps, 0);
  assert.deepEqual(record.sallyport.outcome, { kind: 'refused', status: 0, bytes_in: 0, bytes_out: 0, ms: 1.235 });
});

test('a policy that was active but not asked is not named', () => {
  const record = recordOf({ evaluation: undefined, decision: undefined, fault: fault('request_malformed', '') });
  assert.deepEqual(record.bundles, {});
  assert.equal(record.path, '');
});

test('an anonymous peer has no peer member', () => {
  assert.equal('peer' in recordOf({ peer: { kind: 'anonymous' } }).sallyport, false);
});

test('an evaluation that failed is an error with its code, and has no result', () => {
  const reason = fault('policy_budget_exceeded', 'after 1000000 steps');
  const record = recordOf({
    evaluation: { kind: 'failed', fault: reason, steps: 1_000_000 },
    decision: { kind: 'deny', fault: reason, answer: undefined, reasons: [], dynamicMetadata: {} },
    fault: reason,
    outcome: { kind: 'refused', status: 403 },
  });
  assert.deepEqual(record.error, { code: 'policy_budget_exceeded', message: 'after 1000000 steps' });
  assert.equal('result' in record, false);
  assert.equal(record.sallyport.steps, 1_000_000);
});

test('an ordinary denial is no error; an undefined answer is', () => {
  const outcome = { kind: 'refused', status: 403 } as const;
  const denied = recordOf({ evaluation: defined(false), fault: fault('policy_denied', ''), outcome });
  assert.equal('error' in denied, false);
  assert.equal(denied.result, false);
  const evaluation = { kind: 'undefined', steps: 3, cached: true } as const;
  const undefinedAnswer = recordOf({ evaluation, fault: fault('policy_undefined', 'no value'), outcome });
  assert.deepEqual(undefinedAnswer.error, { code: 'policy_undefined', message: 'no value' });
  assert.equal(undefinedAnswer.sallyport.cached, true);
});

test('an upstream that failed names its fault in the outcome, and what exactly went wrong; the verdict stays allow', () => {
  const reason = fault('upstream_timeout', 'no answer within "15000" ms');
  const outcome = {
    kind: 'upstream-failed',
    fault: reason,
    status: 504,
    grpcStatus: 4,
    bytesIn: 3,
    bytesOut: 0,
  } as const;
  const { sallyport } = recordOf({ outcome });
  assert.equal(sallyport.verdict, 'allow');
  assert.deepEqual(sallyport.outcome, {
    kind: 'upstream-failed',
    status: 504,
    grpc_status: 4,
    bytes_in: 3,
    bytes_out: 0,
    ms: 1.235,
    fault: 'upstream_timeout',
    detail: 'no answer within "15000" ms',
  });
});

test('promise 5: a shadow denial is would-deny and carries its reasons', () => {
  const reason = fault('policy_denied', '');
  const { sallyport } = recordOf({
    mode: 'shadow',
    decision: { kind: 'deny', fault: reason, answer: undefined, reasons: ['not a writer'], dynamicMetadata: {} },
    fault: reason,
  });
  assert.equal(sallyport.verdict, 'would-deny');
  assert.deepEqual(sallyport.reasons, ['not a writer']);
});

test('numbers that are none do not make the line unreadable', () => {
  const record = recordOf({
    atMs: Number.NaN,
    evaluationNs: Number.POSITIVE_INFINITY,
    totalMs: -1,
    outcome: { kind: 'forwarded', status: Number.NaN, bytesIn: -5, bytesOut: 1.5 },
  });
  assert.deepEqual(record.metrics, { timer_rego_query_eval_ns: 0, timer_server_handler_ns: 0 });
  assert.equal(record.timestamp, '1970-01-01T00:00:00.000Z');
  assert.deepEqual(record.sallyport.outcome, { kind: 'forwarded', status: 0, bytes_in: 0, bytes_out: 2, ms: 0 });
});

test('bounds: large headers are left out of the input, method and path stay', () => {
  const record = recordOf({ input: sampleInput({ 'x-large': 'v'.repeat(60_000) }) });
  assert.deepEqual(record.erased, ['/input/attributes/request/http/headers']);
  const input = record.input as ReturnType<typeof sampleInput>;
  assert.equal(input.attributes.request?.http.path, '/a?b=c');
  assert.equal('headers' in (input.attributes.request?.http ?? {}), false);
});

test('bounds: an input that does not fit at all is left out as a whole', () => {
  const record = recordOf({}, { inputBytes: 100 });
  assert.equal('input' in record, false);
  assert.equal(record.erased?.at(-1), '/input');
});

test('bounds: a result is left out as a whole', () => {
  const record = recordOf({ evaluation: defined({ allowed: true, body: 'x'.repeat(20_000) }) });
  assert.deepEqual(record.erased, ['/result']);
  assert.equal('result' in record, false);
});

test('bounds: reasons, details and erased lists are cut, and say so', () => {
  const reasons = Array.from({ length: 1_000 }, (_, index) => `${index}`.repeat(1_000));
  const reason = fault('policy_denied', 'd'.repeat(100_000));
  const line = createRecorder({ labels }).record(
    sampleFacts({
      fault: reason,
      decision: { kind: 'deny', fault: reason, answer: undefined, reasons, dynamicMetadata: {} },
    }),
  );
  assert.ok(line !== undefined && line.length < 25_000);
  const { sallyport } = JSON.parse(line) as DecisionRecord;
  assert.equal(sallyport.reasons.at(-1), '… and 968 more');
  assert.equal(sallyport.reasons[0]?.length, 512);
  assert.equal(sallyport.detail?.length, 1_024);
});

test('bounds: an input nested too deep for JSON is left out, the record is written', () => {
  let deep: unknown = [];
  for (let i = 0; i < 200_000; i += 1) deep = [deep];
  const record = recordOf(
    { input: sampleInput({}, { parsed_body: deep }) },
    { mask: { bodies: false, headers: new Set() } },
  );
  assert.deepEqual(record.erased, ['/input/parsed_body']);
});

test('log injection (Envoy CVE-2024-45808): no text of a peer ends a line, a string or drives a terminal', () => {
  const hostile = '\n{"decision_id":"forged"}\r\u0000\u001b[2J\u009b2J\u2028\u2029\u202e"\\\u0085\ud800';
  const base = sampleInput({ 'x-evil': hostile });
  const line = createRecorder({ labels }).record(
    sampleFacts({
      input: { ...base, sallyport: { ...base.sallyport, connection: { id: 'c', sni: hostile } } },
      peer: { kind: 'rejected', fault: fault('peer_id_malformed', hostile), claimedId: hostile },
      fault: fault('peer_id_malformed', hostile),
      decision: { kind: 'allow', obligations: NO_OBLIGATIONS, reasons: [hostile] },
      connection: { ...sampleConnection, remote: { address: hostile, port: 1 } },
    }),
  );
  assert.ok(line !== undefined);
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(line, /[\u0000-\u001f\u0080-\u009f\u2028\u2029\u202e]/);
  const record = JSON.parse(line) as DecisionRecord;
  const input = record.input as typeof base;
  assert.equal(input.sallyport.connection.sni, hostile);
  assert.equal(input.attributes.request?.http.headers['x-evil'], hostile);
  assert.equal(record.sallyport.peer, hostile);
  assert.equal(record.sallyport.detail, hostile);
});

test('text outside ASCII is kept, and counted in bytes', () => {
  const record = recordOf({ input: sampleInput({ 'x-name': 'Grüße 世界 👋' }) });
  assert.equal(
    (record.input as ReturnType<typeof sampleInput>).attributes.request?.http.headers['x-name'],
    'Grüße 世界 👋',
  );
  const large = recordOf({ input: sampleInput({ 'x-name': '世'.repeat(12_000) }) });
  assert.deepEqual(large.erased, ['/input/attributes/request/http/headers']);
});

test('a fault of ours costs the record its input, not itself', () => {
  const policy = samplePolicy({ mask: () => ({ kind: 'undefined', steps: 1, cached: false }) });
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  const record = recordOf({ policy, evaluation: defined(cyclic) });
  assert.equal(record.error?.code, 'internal_error');
  assert.deepEqual(record.erased, ['/input', '/result']);
  assert.equal('input' in record || 'result' in record, false);
});

test('the chain: each record follows the one before; a dropped one leaves it untouched', () => {
  let drop = false;
  const policy = samplePolicy({ drop: () => defined(drop) });
  const recorder = createRecorder({ labels, chainStart: 'c'.repeat(64) });
  const first = JSON.parse(recorder.record(sampleFacts({ policy })) ?? '') as DecisionRecord;
  drop = true;
  assert.equal(recorder.record(sampleFacts({ policy })), undefined);
  assert.equal(recorder.head, first.sallyport.hash);
  drop = false;
  const third = JSON.parse(recorder.record(sampleFacts({ policy })) ?? '') as DecisionRecord;
  assert.equal(first.sallyport.prev, 'c'.repeat(64));
  assert.equal(third.sallyport.prev, first.sallyport.hash);
  assert.equal(third.req_id, 3);
});

test('bundles follow the policy that was asked', () => {
  const recorder = createRecorder({ labels });
  const old = samplePolicy();
  const renewed = { ...samplePolicy(), bundles: { main: { revision: 'r2\n' } } };
  const revisions = [old, renewed, old].map((policy) => {
    const record = JSON.parse(recorder.record(sampleFacts({ policy })) ?? '') as DecisionRecord;
    return record.bundles['main']?.revision;
  });
  assert.deepEqual(revisions, ['r1', 'r2\n', 'r1']);
});

test('lines that several threads make are one chain in the order in which one thread seals them, numbered together', () => {
  let number = 0;
  const nextNumber = (): number => (number += 1);
  const [left, right] = [createRecorder({ labels, nextNumber }), createRecorder({ labels, nextNumber })];
  const chain = createRecorder({ labels, chainStart: 'c'.repeat(64) });
  const open = [left, right, right, left].map((recorder) => recorder.open(sampleFacts({})) ?? '');
  const [a, b, c, d] = open as [string, string, string, string];
  const verifier = createChainVerifier('c'.repeat(64));
  const sealed = [b, a, d, c].map((line) => chain.seal(line));
  for (const line of sealed) assert.equal(verifier.push(Buffer.from(line)), undefined);
  assert.deepEqual(
    sealed.map((line) => (JSON.parse(line) as DecisionRecord).req_id),
    [2, 1, 4, 3],
  );
  assert.equal(left.head, GENESIS);
});
