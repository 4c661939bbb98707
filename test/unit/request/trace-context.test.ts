import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { firstHeader } from '../../../src/core/kernel/headers.ts';
import { accepted, http1, http2, SPAN_ID, TRACE_ID } from '../../support/raw-head.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const NEW_TRACE = { traceId: TRACE_ID, spanId: SPAN_ID, parentSpanId: undefined, flags: '01' };

function traceOf(...fields: string[]): ReturnType<typeof accepted>['trace'] {
  return accepted(http1({}, ...fields)).trace;
}

describe('W3C Trace Context 3.2: the peer’s trace goes on with a span of ours', () => {
  test('sampled', () => {
    const request = accepted(http1({}, 'traceparent', `00-${TRACE}-${PARENT}-01`));
    assert.deepEqual({ ...request.trace }, { traceId: TRACE, spanId: SPAN_ID, parentSpanId: PARENT, flags: '01' });
    assert.equal(firstHeader(request.headers, 'traceparent'), `00-${TRACE}-${SPAN_ID}-01`);
  });

  test('3.3.1.3: not sampled, and flags that are not defined are not passed on', () => {
    assert.equal(traceOf('traceparent', `00-${TRACE}-${PARENT}-00`).flags, '00');
    assert.equal(traceOf('traceparent', `00-${TRACE}-${PARENT}-fe`).flags, '00');
    assert.equal(traceOf('traceparent', `00-${TRACE}-${PARENT}-ff`).flags, '01');
  });

  test('3.2.4: a later version is read as version 00', () => {
    for (const value of [`01-${TRACE}-${PARENT}-01`, `cc-${TRACE}-${PARENT}-01-what-comes`]) {
      const request = accepted(http2({}, ['traceparent', value]));
      assert.equal(request.trace.traceId, TRACE);
      assert.equal(firstHeader(request.headers, 'traceparent'), `00-${TRACE}-${SPAN_ID}-01`);
    }
  });

  test('3.3: tracestate goes with it, several fields as one', () => {
    const request = accepted(
      http1({}, 'tracestate', 'a=1', 'traceparent', `00-${TRACE}-${PARENT}-01`, 'Tracestate', 'b=2'),
    );
    assert.deepEqual(request.headers.slice(-4), ['traceparent', `00-${TRACE}-${SPAN_ID}-01`, 'tracestate', 'a=1,b=2']);
  });
});

describe('W3C Trace Context 3.2.2: without a sound traceparent a new trace begins', () => {
  const broken = [
    '',
    '00',
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}-011`,
    `00-${TRACE}-${PARENT}-01-`,
    `00-${TRACE}-${PARENT}-01-more`,
    `ff-${TRACE}-${PARENT}-01`,
    `0-${TRACE}-${PARENT}-01`,
    `01-${TRACE}-${PARENT}-01x`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT.toUpperCase()}-01`,
    `00-${TRACE}-${PARENT}-0A`,
    `0A-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}x${PARENT}-01`,
    `00-${'g'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'g'.repeat(16)}-01`,
    `00-${TRACE}-${PARENT}-0g`,
    `00${TRACE}-${PARENT}-01--`,
  ];
  for (const value of broken) {
    test(JSON.stringify(value), () => {
      const request = accepted(http1({}, 'traceparent', value, 'tracestate', 'a=1'));
      assert.deepEqual({ ...request.trace }, NEW_TRACE);
      assert.equal(firstHeader(request.headers, 'traceparent'), `00-${TRACE_ID}-${SPAN_ID}-01`);
      assert.equal(firstHeader(request.headers, 'tracestate'), undefined);
    });
  }

  test('two are none', () => {
    const sound = `00-${TRACE}-${PARENT}-01`;
    assert.deepEqual({ ...traceOf('traceparent', sound, 'traceparent', sound) }, NEW_TRACE);
    assert.deepEqual(
      { ...traceOf('traceparent', sound, 'x-a', '', 'Traceparent', sound, 'traceparent', sound) },
      NEW_TRACE,
    );
  });

  test('tracestate alone says nothing', () => {
    assert.equal(firstHeader(accepted(http1({}, 'tracestate', 'a=1')).headers, 'tracestate'), undefined);
  });
});
