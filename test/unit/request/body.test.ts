import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { CanonicalRequest } from '../../../src/core/model/request.ts';
import { bodyReading, readBody } from '../../../src/core/request/body.ts';
import { MAX_PARAMETER_NAMES } from '../../../src/core/request/form-parameters.ts';

type Asked = Pick<CanonicalRequest, 'headers' | 'path' | 'style'>;

function request(contentType: string | undefined): Asked {
  return {
    headers: contentType === undefined ? [] : ['content-type', contentType],
    path: '/demo.Echo/Say',
    style: 'http',
  };
}

function parsed(contentType: string | undefined, body: string | Uint8Array, complete = true): unknown {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const read = readBody(request(contentType), bytes, complete);
  assert.ok(read.ok, read.ok ? '' : read.error.detail);
  return read.value;
}

function malformed(contentType: string, body: string | Uint8Array): string {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const read = readBody(request(contentType), bytes, true);
  assert.ok(!read.ok, 'accepted');
  assert.equal(read.error.code, 'body_malformed');
  return read.error.detail;
}

describe('OPA-Envoy parsed_body: the reading follows from what the content type contains', () => {
  for (const type of [
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/json-rpc',
  ]) {
    test(`${type}: any JSON value`, () => {
      assert.deepEqual(parsed(type, '{"method":"tools/call"}'), { parsed: { method: 'tools/call' }, truncated: false });
      assert.deepEqual(parsed(type, '[1]'), { parsed: [1], truncated: false });
      assert.deepEqual(parsed(type, 'null'), { parsed: null, truncated: false });
      assert.deepEqual(parsed(type, 'false'), { parsed: false, truncated: false });
      assert.equal(bodyReading(request(type), undefined), 'whole');
    });
  }

  test('application/x-www-form-urlencoded: arrays by name', () => {
    const type = 'application/x-www-form-urlencoded; charset=utf-8';
    const read = parsed(type, 'a=1&a=2&b=x+y%26&caf\u00e9=%C3%A9') as { readonly parsed: object };
    assert.deepEqual({ ...read.parsed }, { a: ['1', '2'], b: ['x y&'], café: ['é'] });
    assert.equal(bodyReading(request(type), undefined), 'whole');
  });

  test('multipart/form-data: arrays by name', () => {
    const body = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n';
    const read = parsed('multipart/form-data; boundary=b', body) as { readonly parsed: object };
    assert.deepEqual({ ...read.parsed }, { a: ['1'] });
    assert.deepEqual(parsed('multipart/form-data', body), { parsed: null, truncated: false });
    assert.equal(bodyReading(request('multipart/form-data; boundary=b'), undefined), 'whole');
  });

  for (const type of [
    undefined,
    '',
    'text/plain',
    'text/json',
    'application/xml',
    'application/octet-stream',
    'multipart/mixed; boundary=b',
  ]) {
    test(`${type}: no reading, nothing to collect`, () => {
      assert.deepEqual(parsed(type, '{"a":1}'), { parsed: null, truncated: false });
      assert.equal(bodyReading(request(type), undefined), 'none');
    });
  }

  test('the first match counts, in the order JSON, gRPC, form, multipart; in a parameter it is refused', () => {
    assert.equal(
      malformed('multipart/form-data; boundary="application/json"', '1'),
      'a content-type that names one type and contains another',
    );
    const type = 'application/grpc; application/x-www-form-urlencoded';
    assert.deepEqual(parsed(type, 'a=1'), { parsed: null, truncated: false });
  });

  test('an empty body has no reading', () => {
    for (const type of [
      'application/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=b',
      'application/grpc',
    ]) {
      assert.deepEqual(parsed(type, ''), { parsed: null, truncated: false });
    }
  });
});

describe('OPA-Envoy truncated_body: what was cut off is not read', () => {
  for (const type of [
    'application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=b',
    'text/plain',
    undefined,
  ]) {
    test(`${type}`, () => {
      assert.deepEqual(parsed(type, '{"a":1}', false), { parsed: null, truncated: true });
      assert.deepEqual(parsed(type, '', false), { parsed: null, truncated: true });
    });
  }
});

describe('malformed bodies', () => {
  test('OPA-Envoy: bad JSON is refused before any policy runs', () => {
    assert.equal(malformed('application/json', '{"a":'), 'not well-formed JSON');
    assert.equal(malformed('application/json', '{"a":1,"a":2}'), 'two equal keys in one object');
  });
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc3, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0xfe, 0xff, 0x00, 0x31],
    [0x31, 0x00],
  ]) {
    test(`RFC 8259 8.1: the octets ${bytes.map((byte) => byte.toString(16)).join(' ')}`, () => {
      assert.match(malformed('application/json', Uint8Array.from(bytes)), /no UTF-8|not well-formed/);
    });
  }
  test('RFC 8259 8.1: a byte order mark is no JSON', () => {
    assert.equal(malformed('application/json', '\ufeff{}'), 'not well-formed JSON');
  });
  test('a compressed body is no JSON', () => {
    assert.match(malformed('application/json', Uint8Array.from([0x1f, 0x8b, 8, 0])), /no UTF-8/);
  });
  test('forms', () => {
    assert.match(malformed('application/x-www-form-urlencoded', 'a=%zz'), /percent sign/);
    assert.match(malformed('application/x-www-form-urlencoded', 'a=1;b=2'), /semicolon/);
    const names = Array.from({ length: MAX_PARAMETER_NAMES + 1 }, (_, index) => `n${index}`).join('&');
    assert.match(malformed('application/x-www-form-urlencoded', names), /names/);
  });
  test('multipart', () => {
    assert.match(malformed('multipart/form-data; boundary=b', 'x'), /boundary/);
    assert.match(malformed('multipart/form-data; boundary', 'x'), /content-type/);
  });
});

test('octets of a form that are no UTF-8 become U+FFFD, raw and encoded', () => {
  const bytes = Uint8Array.from([0x61, 0x3d, 0xff, 0x25, 0x66, 0x65]);
  const read = parsed('application/x-www-form-urlencoded', bytes) as { readonly parsed: object };
  assert.deepEqual({ ...read.parsed }, { a: ['\ufffd\ufffd'] });
});
