import assert from 'node:assert/strict';
import { test } from 'node:test';

import { mayRepeat, type FailedAttempt } from '../../../src/io/forward/retry-rule.ts';

const LOST: FailedAttempt = { progress: 'sent', code: 'upstream_aborted', method: 'GET', style: 'http', body: 'none' };

for (const method of ['GET', 'HEAD', 'OPTIONS'])
  test(`RFC 9110 9.2.1: ${method} is repeated where its connection was lost before an answer`, () =>
    assert.equal(mayRepeat({ ...LOST, method }), true));

for (const method of ['POST', 'PATCH', 'PUT', 'DELETE', 'get', 'LINK'])
  test(`RFC 9110 9.2.2: ${method} is not repeated once it may have been processed`, () =>
    assert.equal(mayRepeat({ ...LOST, method }), false));

const NEVER: readonly [string, Partial<FailedAttempt>][] = [
  ['that has a body', { body: 'stream' }],
  ['whose body was held', { body: 'bytes' }],
  ['of gRPC', { style: 'grpc' }],
  ['that was answered in part', { progress: 'answered' }],
  ['whose answer was malformed', { code: 'upstream_protocol_error' }],
  ['whose server was cut because it failed judgement', { code: 'destination_unverified' }],
  ['whose server refused our certificate', { code: 'destination_refused_identity' }],
  ['that timed out', { code: 'upstream_timeout' }],
];
for (const [which, over] of NEVER)
  test(`a sent call ${which} is not repeated`, () => assert.equal(mayRepeat({ ...LOST, ...over }), false));

for (const progress of ['refused', 'unsent'] as const)
  test(`RFC 9113 8.7: what was ${progress} is repeated, whatever it is`, () =>
    assert.equal(mayRepeat({ ...LOST, progress, method: 'POST', body: 'stream', style: 'grpc' }), true));

const CONNECTING = { ...LOST, progress: 'unconnected', method: 'POST', body: 'stream' } as const;
for (const code of ['destination_unreachable', 'destination_tls_failed'] as const)
  test(`${code}: nothing was sent, so anything may be repeated`, () =>
    assert.equal(mayRepeat({ ...CONNECTING, code }), true));

for (const code of [
  'destination_unverified',
  'destination_identity_mismatch',
  'destination_protocol_refused',
  'identity_unavailable',
  'overloaded',
  'draining',
] as const)
  test(`${code}: does not pass by itself`, () => assert.equal(mayRepeat({ ...CONNECTING, code }), false));
