import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { grpcTimeoutMs, isGrpcContentType } from '../../../src/core/request/grpc-call.ts';
import { accepted, grpc, http1, http2, peerFields, refusal } from '../../support/raw-head.ts';

describe('gRPC over HTTP2, Requests: what a call is', () => {
  for (const type of [
    'application/grpc',
    'application/grpc+proto',
    'application/grpc+json',
    'application/grpc;x=y',
    'Application/gRPC',
  ]) {
    test(type, () => assert.ok(isGrpcContentType(type)));
  }
  for (const type of [
    undefined,
    '',
    'application/grp',
    'application/grpc-web',
    'application/grpc-web+proto',
    'application/grpcs',
    'text/application/grpc',
    'application/grpc ',
  ]) {
    test(`${type} is not`, () => assert.ok(!isGrpcContentType(type)));
  }

  test('a sound call', () => {
    const request = accepted(grpc({}, 'grpc-timeout', '250m', 'grpc-encoding', 'identity'));
    assert.deepEqual([request.style, request.grpcTimeoutMs, request.body.kind], ['grpc', 250, 'stream']);
    assert.deepEqual(peerFields(request), [
      'content-type',
      'application/grpc',
      'grpc-timeout',
      '250m',
      'grpc-encoding',
      'identity',
      'te',
      'trailers',
    ]);
  });

  test('without a timeout there is no deadline', () => assert.equal(accepted(grpc()).grpcTimeoutMs, undefined));

  test('the same content type in HTTP/1.1 is a plain request', () => {
    const request = accepted(
      http1({ method: 'POST', target: '/demo.Echo/Say' }, 'Content-Type', 'application/grpc', 'grpc-timeout', '1S'),
    );
    assert.deepEqual([request.style, request.grpcTimeoutMs], ['http', undefined]);
  });

  test('gRPC-Web is a plain request', () => {
    assert.equal(accepted(http2({}, ['content-type', 'application/grpc-web'], false)).style, 'http');
  });
});

describe('gRPC over HTTP2, Requests: malformed calls', () => {
  const paths = [
    '/',
    '/demo.Echo',
    '/demo.Echo/',
    '/demo.Echo/Say/more',
    '/demo.Echo/Say?x=1',
    '/demo.Echo/Say?',
    '/demo.Echo/Say%20',
    '/a%20b/Say',
  ];
  for (const path of paths) {
    test(`the path ${path}`, () => assert.equal(refusal(grpc({ ':path': path })), 'grpc_malformed'));
  }
  test('a path that is ambiguous is refused as such', () => {
    assert.equal(refusal(grpc({ ':path': '//Say' })), 'path_ambiguous');
    assert.equal(refusal(grpc({ ':path': '/demo.Echo/../Say' })), 'path_ambiguous');
  });
  test('the method is POST', () => assert.equal(refusal(grpc({ ':method': 'GET' })), 'grpc_malformed'));
  test('te: trailers is required', () => {
    const head = http2({ ':method': 'POST', ':path': '/a/b' }, ['content-type', 'application/grpc'], false);
    assert.equal(refusal(head), 'grpc_malformed');
  });
  for (const value of [
    '',
    'S',
    '1',
    '1s',
    '1 S',
    ' 1S',
    '1S ',
    '-1S',
    '+1S',
    '1.5S',
    '123456789S',
    '1SS',
    '1h',
    '0x1S',
    '\u0661S',
  ]) {
    test(`grpc-timeout ${JSON.stringify(value)}`, () => {
      assert.equal(grpcTimeoutMs(value), undefined);
      const code = refusal(grpc({}, 'grpc-timeout', value));
      // White space and non-ASCII do not even make a field value.
      assert.equal(code, /^ | $|[^ -~]/.test(value) ? 'header_invalid' : 'grpc_malformed');
    });
  }
});

describe('gRPC over HTTP2, Timeout: units', () => {
  const cases: readonly [string, number][] = [
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['4m', 4],
    ['5000u', 5],
    ['1u', 1],
    ['1n', 1],
    ['1000001n', 2],
    ['0n', 0],
    ['00000010S', 10_000],
    ['99999999H', 359_999_996_400_000],
  ];
  for (const [text, ms] of cases) test(`${text} is ${ms} ms`, () => assert.equal(grpcTimeoutMs(text), ms));
});
