import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { accepted, http1, http2, refusal } from '../../support/raw-head.ts';

describe('RFC 9112 2.3: versions', () => {
  test('1.1 and 1.0 are read', () => {
    assert.equal(accepted(http1()).protocol, 'HTTP/1.1');
    assert.equal(accepted(http1({ version: '1.0' })).protocol, 'HTTP/1.0');
  });
  for (const version of ['0.9', '1.2', '2.0', '1', '', '1.1 ', '01.1', '1.10', '3.0']) {
    test(`${JSON.stringify(version)} is refused`, () => {
      assert.equal(refusal(http1({ version })), 'request_line_invalid');
    });
  }
});

describe('RFC 9110 9.1: methods', () => {
  for (const method of [
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'DELETE',
    'OPTIONS',
    'PATCH',
    'PROPFIND',
    'M-SEARCH',
    'X',
    "A!#$%&'*+-.^_`|~",
  ]) {
    test(`${method} is a token`, () => {
      assert.equal(accepted(http1({ method })).method, method);
      assert.equal(accepted(http2({ ':method': method })).method, method);
    });
  }
  for (const method of ['CONNECT', 'TRACE']) {
    test(`${method} is refused`, () => {
      assert.equal(refusal(http1({ method, target: method === 'CONNECT' ? 'a:443' : '/' })), 'method_refused');
      assert.equal(refusal(http2({ ':method': method })), 'method_refused');
    });
  }
  for (const method of ['', 'GET ', ' GET', 'G ET', 'GET\r\n', 'GET\0', 'GÉT', 'GET/', 'GET:', '"GET"', 'G\u0130T']) {
    test(`${JSON.stringify(method)} is no token`, () => assert.equal(refusal(http1({ method })), 'method_refused'));
  }
  for (const method of ['get', 'Get', 'delete', 'connect', 'Trace', 'pOST']) {
    test(`RFC 9110 9.1: ${method} is not ${method.toUpperCase()}, but frameworks take it for that`, () => {
      assert.equal(refusal(http1({ method })), 'method_refused');
      assert.equal(refusal(http2({ ':method': method })), 'method_refused');
    });
  }
});

describe('the canonical request', () => {
  test('is frozen through and through', () => {
    for (const head of [
      http1({ method: 'POST' }, 'Content-Length', '3'),
      http2({}, ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'], false),
    ]) {
      const request = accepted(head);
      for (const part of [request, request.headers, request.body, request.trace]) assert.ok(Object.isFrozen(part));
    }
  });

  test('does not alias the raw list: the reader may go on using its own', () => {
    const head = http1({}, 'X-A', '1');
    const request = accepted(head);
    assert.notEqual(request.headers, head.headers);
    assert.deepEqual(head.headers, ['Host', 'agent.example.org', 'X-A', '1']);
  });

  test('has every member, also those that are undefined', () => {
    assert.deepEqual(Object.keys(accepted(http1())), [
      'protocol',
      'style',
      'method',
      'scheme',
      'authority',
      'target',
      'path',
      'query',
      'headers',
      'body',
      'expectContinue',
      'grpcTimeoutMs',
      'trace',
    ]);
  });
});
