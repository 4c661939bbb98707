import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';
import { accepted, http1, http2, peerFields, refusal } from '../../support/raw-head.ts';

function post(...fields: string[]): ReturnType<typeof http1> {
  return http1({ method: 'POST' }, ...fields);
}

describe('RFC 9112 6.3: how long a body is', () => {
  test('neither field: no body', () => assert.deepEqual(accepted(post()).body, { kind: 'none' }));

  test('Content-Length, passed on as the peer sent it', () => {
    const request = accepted(post('Content-Length', '1000'));
    assert.deepEqual(request.body, { kind: 'length', bytes: 1000 });
    assert.deepEqual(peerFields(request), ['content-length', '1000']);
    assert.deepEqual(accepted(post('Content-Length', '0')).body, { kind: 'length', bytes: 0 });
    assert.deepEqual(accepted(post('Content-Length', '9007199254740991')).body, {
      kind: 'length',
      bytes: 9007199254740991,
    });
  });

  test('Transfer-Encoding: chunked, not passed on', () => {
    for (const coding of ['chunked', 'Chunked', 'CHUNKED']) {
      const request = accepted(post('Transfer-Encoding', coding));
      assert.deepEqual(request.body, { kind: 'stream' });
      assert.deepEqual(peerFields(request), []);
    }
  });

  test('a body with GET or DELETE is framed like any other', () => {
    for (const method of ['GET', 'DELETE', 'HEAD']) {
      assert.deepEqual(accepted(http1({ method }, 'Content-Length', '2')).body, { kind: 'length', bytes: 2 });
    }
  });
});

describe('RFC 9112 6.1, 6.3: request smuggling', () => {
  test('length and coding together are refused, in either order', () => {
    assert.equal(refusal(post('Content-Length', '5', 'Transfer-Encoding', 'chunked')), 'framing_ambiguous');
    assert.equal(refusal(post('Transfer-Encoding', 'chunked', 'Content-Length', '5')), 'framing_ambiguous');
    assert.equal(refusal(post('Transfer-Encoding', 'chunked', 'Content-Length', '0')), 'framing_ambiguous');
  });

  test('two lengths are refused, equal or not', () => {
    assert.equal(refusal(post('Content-Length', '5', 'Content-Length', '6')), 'framing_ambiguous');
    assert.equal(refusal(post('Content-Length', '5', 'content-length', '5')), 'framing_ambiguous');
    assert.equal(refusal(post('Content-Length', '5, 5')), 'framing_ambiguous');
    assert.equal(refusal(http2({}, ['content-length', '5', 'content-length', '5'], false)), 'framing_ambiguous');
  });

  const lengths = [
    '',
    '+5',
    '-5',
    '-0',
    '03',
    '00',
    '0x5',
    '5.0',
    '5e0',
    '1_000',
    '5 5',
    'five',
    '\u0665',
    '9007199254740992',
    '99999999999999999999',
    'NaN',
    'Infinity',
  ];
  for (const value of lengths) {
    test(`RFC 9110 8.6: Content-Length ${JSON.stringify(value)}`, () => {
      const code = /[^ -~]/.test(value) ? 'header_invalid' : 'framing_ambiguous';
      assert.equal(refusal(post('Content-Length', value)), code);
      assert.equal(refusal(http2({}, ['content-length', value], false)), code);
    });
  }

  const codings = [
    '',
    'identity',
    'gzip',
    'gzip, chunked',
    'chunked, gzip',
    'chunked, chunked',
    'chunked,',
    ',chunked',
    'x-chunked',
    'xchunked',
    'chunked;q=1',
    '"chunked"',
    "'chunked'",
    'chunked identity',
    'c\thunked',
  ];
  for (const value of codings) {
    test(`RFC 9112 6.1: Transfer-Encoding ${JSON.stringify(value)}`, () => {
      assert.equal(refusal(post('Transfer-Encoding', value)), 'framing_ambiguous');
    });
  }

  test('RFC 9112 7: two codings in two fields are refused', () => {
    assert.equal(refusal(post('Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked')), 'framing_ambiguous');
    assert.equal(refusal(post('Transfer-Encoding', 'x', 'Transfer-Encoding', 'chunked')), 'framing_ambiguous');
  });

  test('RFC 9112 6.1: a coding in HTTP/1.0 is refused', () => {
    assert.equal(refusal(http1({ version: '1.0' }, 'Transfer-Encoding', 'chunked')), 'framing_ambiguous');
    assert.deepEqual(accepted(http1({ version: '1.0' }, 'Content-Length', '3')).body, { kind: 'length', bytes: 3 });
  });
});

describe('RFC 9113 8.1.1: HTTP/2', () => {
  test('END_STREAM says that there is no body', () => {
    assert.deepEqual(accepted(http2({}, [], true)).body, { kind: 'none' });
    assert.deepEqual(accepted(http2({}, ['content-length', '0'], true)).body, { kind: 'none' });
    assert.equal(refusal(http2({}, ['content-length', '1'], true)), 'framing_ambiguous');
  });
  test('an open stream has the announced length, or none known', () => {
    assert.deepEqual(accepted(http2({}, [], false)).body, { kind: 'stream' });
    assert.deepEqual(accepted(http2({}, ['content-length', '7'], false)).body, { kind: 'length', bytes: 7 });
  });
});

describe('the limit on bodies', () => {
  test('a length announced over it is refused at once; 0 means no limit', () => {
    const limits = { ...DEFAULT_LIMITS, bodyBytes: 10 };
    assert.deepEqual(accepted(post('Content-Length', '10'), { limits }).body, { kind: 'length', bytes: 10 });
    assert.equal(refusal(post('Content-Length', '11'), { limits }), 'body_too_large');
    assert.equal(refusal(http2({}, ['content-length', '11'], false), { limits }), 'body_too_large');
    assert.deepEqual(accepted(post('Content-Length', '11')).body, { kind: 'length', bytes: 11 });
  });
});

describe('RFC 9110 10.1.1: Expect', () => {
  test('100-continue is answered by us and not passed on', () => {
    for (const value of ['100-continue', '100-Continue']) {
      const request = accepted(post('Expect', value, 'Content-Length', '3'));
      assert.equal(request.expectContinue, true);
      assert.deepEqual(peerFields(request), ['content-length', '3']);
    }
    assert.equal(accepted(http2({}, ['expect', '100-continue'], false)).expectContinue, true);
  });
  test('nothing is awaited in HTTP/1.0 or where no body follows', () => {
    assert.equal(
      accepted(http1({ version: '1.0' }, 'Expect', '100-continue', 'Content-Length', '3')).expectContinue,
      false,
    );
    assert.equal(accepted(post('Expect', '100-continue')).expectContinue, false);
    assert.equal(accepted(post()).expectContinue, false);
  });
  for (const value of ['', 'foo', '100-continue, foo', '100-continue;a', '200-ok']) {
    test(`${JSON.stringify(value)} cannot be met`, () => {
      assert.equal(refusal(post('Expect', value)), 'expectation_failed');
      assert.equal(refusal(http2({}, ['expect', value])), 'expectation_failed');
    });
  }
});
