import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { FIELDS } from '../../../src/core/request/field-table.ts';
import { accepted, http1, OUR_FIELDS, peerFields, refusal } from '../../support/raw-head.ts';

describe('RFC 9110 7.6.1: what Connection names is not passed on', () => {
  test('a field unknown to us is removed, so that neither policy nor agent sees it', () => {
    const request = accepted(http1({}, 'X-User', 'a', 'Connection', 'close, X-User', 'x-user', 'b', 'x-other', 'c'));
    assert.deepEqual(peerFields(request), ['x-other', 'c']);
  });

  test('options are read in any case, with white space, empty members and over several fields', () => {
    const request = accepted(
      http1({}, 'Connection', ' , x-A ,\tclose,', 'x-a', '1', 'connection', 'X-B', 'x-b', '2', 'x-c', '3'),
    );
    assert.deepEqual(peerFields(request), ['x-c', '3']);
  });

  test('fields about the connection may be named', () => {
    const names = [...new Set(FIELDS.values())].filter((rule) => rule.hopByHop).map((rule) => rule.name);
    assert.ok(names.includes('te') && names.includes('keep-alive'));
    for (const name of names) {
      assert.deepEqual(accepted(http1({}, 'Connection', `close, ${name}`)).headers, OUR_FIELDS, name);
    }
  });

  for (const value of ['keep-alive', 'Keep-Alive', 'close', 'Close', 'CLOSE', 'keep-alive, te', 'TE, close', '']) {
    test(`${JSON.stringify(value)} is usual`, () => {
      assert.deepEqual(peerFields(accepted(http1({}, 'Connection', value, 'x-a', '1'))), ['x-a', '1']);
    });
  }
});

describe('a peer cannot name away what policy or agent rely on', () => {
  const names = [
    'host',
    'Content-Length',
    'content-type',
    'authorization',
    'Cookie',
    'accept',
    'origin',
    'mcp-session-id',
    'traceparent',
    'x-forwarded-client-cert',
    'X-Request-Id',
    'client-cert',
    'x-real-ip',
    'x-http-method-override',
    'expect',
  ];
  for (const name of names) {
    test(`Connection: ${name}`, () => {
      const fields = ['Connection', `close, ${name}`, 'Content-Length', '3', 'Authorization', 'Basic x'];
      assert.equal(refusal(http1({}, ...fields)), 'header_invalid');
      assert.equal(refusal(http1({}, 'Connection', name, 'Connection', 'close')), 'header_invalid');
    });
  }

  test('our own fields are added after everything that may be named away', () => {
    const request = accepted(http1({}, 'Connection', 'x-sallyport-peer, x-envoy-x', 'x-sallyport-peer', 'evil'));
    assert.deepEqual(request.headers, OUR_FIELDS);
  });
});

describe('malformed', () => {
  for (const value of ['a b', 'close;x', '"close"', 'close, a/b', 'a:b', '=']) {
    test(`${JSON.stringify(value)} is no list of tokens`, () => {
      assert.equal(refusal(http1({}, 'Connection', value)), 'header_invalid');
    });
  }

  test('more than 16 options are refused', () => {
    const options = Array.from({ length: 16 }, (_, index) => `x-${index}`).join(',');
    assert.deepEqual(accepted(http1({}, 'Connection', options)).headers, OUR_FIELDS);
    assert.equal(refusal(http1({}, 'Connection', `${options},x-16`)), 'header_invalid');
    assert.equal(refusal(http1({}, 'Connection', ','.repeat(20_000))), 'header_invalid');
  });
});
