import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fault, FAULTS, type FaultCode } from '../../../src/core/model/faults.ts';
import {
  ConnectionFault,
  faultOfError,
  faultOfHttp1Error,
  faultOfReset,
} from '../../../src/io/forward/upstream-faults.ts';

function failure(code: string | undefined, message = 'text', name = 'Error'): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code }, { name });
}

const CONNECTING: readonly [string, FaultCode][] = [
  ['ECONNREFUSED', 'upstream_unreachable'],
  ['ENOENT', 'upstream_unreachable'],
  ['EACCES', 'upstream_unreachable'],
  ['EHOSTUNREACH', 'upstream_unreachable'],
  ['ENETUNREACH', 'upstream_unreachable'],
  ['ENOTFOUND', 'upstream_unreachable'],
  ['EAI_AGAIN', 'upstream_unreachable'],
  ['EMFILE', 'overloaded'],
  ['ETIMEDOUT', 'upstream_timeout'],
  ['UND_ERR_CONNECT_TIMEOUT', 'upstream_timeout'],
  ['ECONNRESET', 'upstream_aborted'],
  ['EPIPE', 'upstream_aborted'],
  ['UND_ERR_SOCKET', 'upstream_aborted'],
  ['UND_ERR_DESTROYED', 'draining'],
  ['UND_ERR_INVALID_ARG', 'internal_error'],
  ['UND_ERR_HEADERS_OVERFLOW', 'upstream_protocol_error'],
  ['ERR_HTTP2_ERROR', 'upstream_protocol_error'],
  ['HPE_INVALID_CONSTANT', 'upstream_protocol_error'],
  ['HPE_INVALID_EOF_STATE', 'upstream_aborted'],
  ['toString', 'upstream_aborted'],
  ['__proto__', 'upstream_aborted'],
];

for (const [code, expected] of CONNECTING) {
  test(`${code} is ${expected}, whichever protocol`, () => {
    assert.equal(faultOfError(failure(code)).code, expected);
    assert.equal(faultOfHttp1Error(failure(code), false).code, expected);
    assert.equal(faultOfError(failure(code)).detail, `${code}: text`);
  });
}

test('what has no code, or is no error, ended an exchange that had begun', () => {
  assert.equal(faultOfError(failure(undefined)).code, 'upstream_aborted');
  assert.deepEqual(faultOfError('a string'), { kind: 'fault', code: 'upstream_aborted', detail: 'unknown error' });
  assert.equal(faultOfError(failure(undefined, 'alone')).detail, 'alone');
});

const parser = (text: string): Error => failure(undefined, text, 'HTTPParserError');

test('undici’s parser errors have no code: they are told by name, and an early end by text', () => {
  assert.equal(faultOfHttp1Error(parser('Invalid header token'), false).code, 'upstream_protocol_error');
  assert.equal(faultOfHttp1Error(parser('Invalid EOF state'), true).code, 'upstream_aborted');
});

test('undici’s one code for two things: contradictory lengths before a head, an early end after it', () => {
  const mismatch = failure('UND_ERR_RES_CONTENT_LENGTH_MISMATCH');
  assert.equal(faultOfHttp1Error(mismatch, false).code, 'upstream_protocol_error');
  assert.equal(faultOfHttp1Error(mismatch, true).code, 'upstream_aborted');
});

test('undici’s words for answers that were not asked for', () => {
  for (const text of ['bad response', 'bad upgrade'])
    assert.equal(faultOfHttp1Error(failure('UND_ERR_SOCKET', text), false).code, 'upstream_protocol_error');
  assert.equal(faultOfHttp1Error(failure('UND_ERR_SOCKET', 'other side closed'), false).code, 'upstream_aborted');
});

test('RFC 9113 7: codes of misunderstanding are protocol errors, all others an early end', () => {
  const misunderstood = new Set([1, 3, 6, 9, 13]);
  for (let code = 0; code <= 13; code++) {
    const expected = misunderstood.has(code) ? 'upstream_protocol_error' : 'upstream_aborted';
    assert.equal(faultOfReset(code).code, expected, String(code));
  }
  assert.equal(faultOfReset(4_000_000_000).code, 'upstream_aborted');
});

test('no error of the upstream is blamed on the peer or the policy', () => {
  for (const [code] of CONNECTING) {
    const { party } = FAULTS[faultOfError(failure(code)).code];
    assert.ok(party === 'upstream' || party === 'us');
  }
});

for (const alert of [
  'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
  'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
  'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED',
  'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
]) {
  test(`RFC 8446 6.2: ${alert} is a destination that refused our certificate`, () => {
    const expected = fault('destination_refused_identity', alert);
    assert.deepEqual(faultOfError(failure(alert)), expected);
    assert.deepEqual(faultOfHttp1Error(failure(alert), false), expected);
  });
}

test('other TLS errors in the middle of an exchange are an early end', () => {
  assert.equal(faultOfError(failure('ERR_SSL_BAD_RECORD_TYPE')).code, 'upstream_aborted');
});

test('a connection that we ended tells its own fault, whichever protocol', () => {
  const reason = fault('destination_unverified', 'peer_certificate_revoked: why');
  const error = new ConnectionFault(reason);
  assert.equal(faultOfError(error), reason);
  assert.equal(faultOfHttp1Error(error, true), reason);
});
