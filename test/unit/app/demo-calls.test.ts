import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CLOSED, failureStatus, newTrace } from '../../../src/app/demo-calls.ts';
import { continueTrace } from '../../../src/core/request/trace-context.ts';

test('W3C Trace Context 3.2: a new trace is one that our own reader continues', () => {
  const { traceId, traceparent } = newTrace();
  const continued = continueTrace(traceparent, () => 'b'.repeat(16));
  assert.deepEqual([continued?.traceId, continued?.flags], [traceId, '01']);
  assert.notEqual(newTrace().traceId, traceId);
});

test('a connection that was ended by the other side is `closed`, however deep the cause lies', () => {
  for (const code of ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']) {
    const cause = Object.assign(new Error('other side closed'), { code });
    assert.equal(failureStatus(cause), CLOSED);
    assert.equal(failureStatus(new TypeError('fetch failed', { cause })), CLOSED);
  }
});

test('anything else is told in the words of its innermost cause, and is not taken for a refusal', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
  assert.equal(failureStatus(new TypeError('fetch failed', { cause })), 'connect ECONNREFUSED 127.0.0.1:1');
  assert.equal(failureStatus('odd'), 'odd');
});
