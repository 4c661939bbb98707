import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fault } from '../../../src/core/model/faults.ts';
import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';
import { acceptedFacts, endpoint } from '../../../src/io/listen/connection-facts.ts';
import { handshakeFault } from '../../../src/io/listen/handshakes.ts';
import { headerListSize } from '../../../src/io/listen/header-size.ts';
import { faultOfParser, isEndOfInput, plainAnswer } from '../../../src/io/listen/http1-faults.ts';
import { faultOfSession, resetCode } from '../../../src/io/listen/http2-faults.ts';
import { ProgressWatch } from '../../../src/io/listen/progress-watch.ts';
import { sweepPeriodMs } from '../../../src/io/listen/sweep-period.ts';
import { answerOf } from './harness.ts';
import type { ConnectionId } from '../../../src/core/kernel/brand.ts';

function errorWith(fields: Record<string, unknown>): Error {
  return Object.assign(new Error('message'), fields);
}

test('RFC 7541 4.1: 32 bytes a field besides name and value', () => {
  assert.equal(headerListSize([]), 0);
  assert.equal(headerListSize(['ab', 'cde', 'f', '']), 2 * 32 + 6);
});

test('RFC 4291 2.5.5.2: an IPv4-mapped address is shown as IPv4', () => {
  assert.deepEqual(endpoint('::ffff:10.1.2.3', 5), { address: '10.1.2.3', port: 5 });
  assert.deepEqual(endpoint('::ffff:1:2', 5), { address: '::ffff:1:2', port: 5 });
  assert.deepEqual(endpoint('2001:db8::1', 5), { address: '2001:db8::1', port: 5 });
  assert.deepEqual(endpoint(undefined, 5), { address: '', port: 0 });
});

test('a socket that is gone has facts without addresses', () => {
  const facts = acceptedFacts(undefined, 'id' as ConnectionId, 'outbound', 'name', 7);
  assert.deepEqual(facts.remote, { address: '', port: 0 });
  assert.deepEqual([facts.id, facts.listener, facts.openedAtMs, facts.direction], ['id', 'name', 7, 'outbound']);
});

test('errors of the HTTP/1 parser by their code', () => {
  const codeOf = (code: string, reason?: string): string | undefined =>
    faultOfParser(errorWith({ code, ...(reason === undefined ? {} : { reason }) }))?.code;
  assert.equal(codeOf('HPE_INVALID_METHOD'), 'request_malformed');
  assert.equal(codeOf('HPE_HEADER_OVERFLOW'), 'headers_too_large');
  assert.equal(codeOf('HPE_CHUNK_EXTENSIONS_OVERFLOW'), 'request_malformed');
  assert.equal(codeOf('ERR_HTTP_REQUEST_TIMEOUT'), 'request_timeout');
  for (const code of ['ECONNRESET', 'EPIPE', 'ERR_SSL_WRONG_VERSION_NUMBER', '']) assert.equal(codeOf(code), undefined);
  assert.equal(faultOfParser(new Error('no code')), undefined);
  assert.equal(
    faultOfParser(errorWith({ code: 'HPE_CR_EXPECTED', reason: 'Missing CR' }))?.detail,
    'HPE_CR_EXPECTED: Missing CR',
  );
  assert.equal(isEndOfInput(errorWith({ code: 'HPE_INVALID_EOF_STATE' })), true);
  assert.equal(isEndOfInput(errorWith({ code: 'HPE_CR_EXPECTED' })), false);
});

test('RFC 9112 4: a refusal without a response object is a whole response and closes', () => {
  const text = plainAnswer(answerOf(fault('request_timeout', '')), 0);
  assert.equal(
    text,
    'HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain\r\ncontent-length: 11\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\nconnection: close\r\n\r\nrefused 408',
  );
  assert.match(
    plainAnswer({ ...answerOf(fault('request_timeout', '')), status: 599 }, 0),
    /^HTTP\/1.1 599 Refused\r\n/,
  );
});

function sessionCode(fields: Record<string, unknown>, isExcessive = false): string | undefined {
  return faultOfSession(errorWith(fields), isExcessive)?.code;
}

test('errors of an HTTP/2 session: floods, broken rules, broken connections', () => {
  for (const errno of [-902, -904, -905]) assert.equal(sessionCode({ code: 'ERR_HTTP2_ERROR', errno }), 'flood');
  assert.equal(sessionCode({ code: 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES', errno: -902 }), 'flood');
  assert.equal(sessionCode({ code: 'ERR_HTTP2_ERROR', errno: -505 }), 'request_malformed');
  assert.equal(sessionCode({ code: 'ERR_HTTP2_ERROR', errno: -505 }, true), 'flood');
  assert.equal(sessionCode({ code: 'ECONNRESET' }, true), undefined);
  assert.equal(sessionCode({ code: 'ERR_HTTP2_SESSION_ERROR' }), undefined);
  assert.equal(sessionCode({}), undefined);
});

test('RFC 9113 7: the code of a reset tells only whose fault it is', () => {
  assert.equal(resetCode(fault('flood', '')), 11);
  assert.equal(resetCode(fault('upstream_aborted', '')), 2);
  assert.equal(resetCode(fault('internal_error', '')), 2);
  for (const code of ['policy_withdrawn', 'peer_certificate_revoked', 'draining', 'stream_idle_timeout'] as const)
    assert.equal(resetCode(fault(code, '')), 8);
});

test('why a handshake failed', () => {
  assert.equal(handshakeFault(errorWith({ code: 'ERR_TLS_HANDSHAKE_TIMEOUT' })).code, 'tls_handshake_timeout');
  assert.equal(handshakeFault(errorWith({ code: 'ERR_SSL_NO_APPLICATION_PROTOCOL' })).code, 'tls_protocol_refused');
  assert.deepEqual(handshakeFault(errorWith({ code: 'ECONNRESET' })), fault('tls_handshake_failed', 'ECONNRESET'));
  assert.deepEqual(handshakeFault(new Error('strange')), fault('tls_handshake_failed', 'strange'));
});

test('progress: bytes that move start the time anew; what is pending tells whose fault it is', () => {
  const watch = new ProgressWatch(0);
  assert.equal(watch.check(0, 0, 99, 100), undefined);
  assert.equal(watch.check(5, 0, 99, 100), undefined);
  assert.equal(watch.check(5, 0, 198, 100), undefined);
  assert.equal(watch.check(5, 0, 199, 100)?.code, 'stream_idle_timeout');
  assert.equal(watch.check(5, 1, 199, 100)?.code, 'peer_not_reading');
  assert.equal(watch.check(5, 1, 1e12, 0), undefined, '0: never');
});

test('connections are swept often enough for the shortest deadline, and twice a second at least', () => {
  assert.equal(sweepPeriodMs(DEFAULT_LIMITS), 500);
  assert.equal(sweepPeriodMs({ ...DEFAULT_LIMITS, headTimeoutMs: 400 }), 100);
  assert.equal(sweepPeriodMs({ ...DEFAULT_LIMITS, handshakeTimeoutMs: 200 }), 50);
  assert.equal(
    sweepPeriodMs({ ...DEFAULT_LIMITS, streamIdleTimeoutMs: 0, requestTimeoutMs: 0, idleTimeoutMs: 80 }),
    20,
  );
  assert.equal(sweepPeriodMs({ ...DEFAULT_LIMITS, idleTimeoutMs: 1 }), 5);
});
