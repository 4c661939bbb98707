import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { readBody } from '../../../src/core/request/body.ts';

/** Reads a body as a policy sees it; what was refused, or the reading. */
function read(headers: readonly string[], body: string): unknown {
  const result = readBody({ headers, path: '/demo.Echo/Say' }, Buffer.from(body, 'latin1'), true);
  if (result.ok) return result.value.parsed;
  assert.equal(result.error.code, 'body_malformed');
  return result.error.detail;
}

const OTHER_TYPE = 'a content-type that names one type and contains another';
const OTHER_CHARSET = 'a charset other than UTF-8';

describe('promise 2: one body has one meaning', () => {
  // Express reads `tool` as "admin" here (body-parser asks only that the charset begin with utf-).
  test('RFC 8259 8.1: JSON in UTF-7, whose +ACI- is a quotation mark, is refused', () => {
    const body = '{"tool":"echo","x":"+ACIALAAi-tool+ACIAOgAi-admin"}';
    assert.equal(read(['content-type', 'application/json; charset=utf-7'], body), OTHER_CHARSET);
    assert.deepEqual(read(['content-type', 'application/json; charset="UTF-8"'], body), {
      tool: 'echo',
      x: '+ACIALAAi-tool+ACIAOgAi-admin',
    });
  });

  for (const charset of ['utf-16', 'utf-16le', 'utf-32', 'iso-8859-1', 'us-ascii', 'ibm037', 'UTF-7', '""', 'utf-8x']) {
    test(`application/json; charset=${charset}`, () => {
      assert.equal(read(['content-type', `application/json; charset=${charset}`], '{}'), OTHER_CHARSET);
    });
  }

  test('WHATWG URL 5.1: a form in another charset is refused', () => {
    assert.equal(
      read(['content-type', 'application/x-www-form-urlencoded; charset=iso-8859-1'], 'a=%E9'),
      OTHER_CHARSET,
    );
  });

  // Read as JSON, `tool` is "echo"; every agent that goes by the media type reads a form, in which it is "admin".
  for (const type of [
    'application/x-www-form-urlencoded; x="application/json"',
    'application/x-www-form-urlencoded;application/json',
    'multipart/form-data; boundary="application/json"',
    'text/plain; x="application/json"',
    'text/plain, application/json',
    'x; application/json',
    'x-application/json',
    'text/plain; x="application/grpc"',
    'application/x-www-form-urlencoded; x=application/grpc',
    'text/plain; x="multipart/form-data"; boundary=b',
  ]) {
    test(`RFC 9110 8.3: ${type}`, () => {
      assert.equal(read(['content-type', type], '{"tool":"echo","x":"&tool=admin&"}'), OTHER_TYPE);
      assert.equal(read(['content-type', type], ''), null, 'nothing to read differently');
    });
  }

  for (const type of [
    'application/json; charset',
    'application/json; charset=utf-8; charset=utf-7',
    'application/json, x',
  ]) {
    test(`RFC 9110 8.3.1: ${type}`, () => {
      assert.equal(read(['content-type', type], '{}'), 'a malformed content-type');
    });
  }

  test('RFC 8187: an encoded parameter may be another charset or boundary', () => {
    const refused = 'a content-type with an encoded parameter (RFC 8187)';
    assert.equal(read(['content-type', "application/json; charset*=utf-8''utf-7"], '{}'), refused);
    assert.equal(read(['content-type', 'multipart/form-data; boundary=b; boundary*0=c'], '--b--'), refused);
  });

  for (const coding of ['gzip', 'deflate', 'br', 'identity, gzip', 'x-unknown', '']) {
    test(`RFC 9110 8.4: a body coded as "${coding}" is another body once decoded`, () => {
      const headers = ['content-type', 'application/json', 'content-encoding', coding];
      assert.equal(read(headers, '{"tool":"echo"}'), 'a content-encoding, which is not undone before the decision');
    });
  }

  test('RFC 9110 8.4: identity, and a coded body that has no reading anyway', () => {
    assert.deepEqual(read(['content-type', 'application/json', 'content-encoding', 'Identity'], '[1]'), [1]);
    assert.equal(read(['content-type', 'image/png', 'content-encoding', 'gzip'], 'x'), null);
  });
});
