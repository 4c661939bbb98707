import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { accepted, http2, OUR_FIELDS, peerFields, refusal } from '../../support/raw-head.ts';

function list(...headers: string[]): ReturnType<typeof http2> {
  return { kind: 'http2', headers, endStream: true };
}

describe('RFC 9113 8.3.1: pseudo-header fields', () => {
  test('become the request, and none of its fields', () => {
    const request = accepted(http2({ ':method': 'PUT', ':path': '/a?b', ':authority': 'A:8443' }, ['x-a', '1']));
    assert.deepEqual(
      [request.protocol, request.method, request.scheme, request.authority, request.target],
      ['HTTP/2', 'PUT', 'https', 'a:8443', '/a?b'],
    );
    assert.deepEqual(request.headers, ['x-a', '1', ...OUR_FIELDS]);
  });

  for (const name of [':method', ':scheme', ':authority', ':path']) {
    test(`${name} is required`, () => assert.equal(refusal(http2({ [name]: undefined })), 'pseudo_header_invalid'));
    test(`${name} may stand once`, () => {
      const head = http2();
      const value = head.headers[head.headers.indexOf(name) + 1] ?? '';
      assert.equal(refusal({ ...head, headers: [...head.headers, name, value] }), 'pseudo_header_invalid');
    });
    test(`${name} with bytes that are not allowed`, () => {
      for (const value of ['a\0', 'a\r\nb', '\u00e9'])
        assert.equal(refusal(http2({ [name]: value })), 'pseudo_header_invalid');
    });
    test(`${name} after a field`, () => {
      const head = http2({}, ['x-a', '1']);
      assert.equal(refusal({ ...head, headers: [...head.headers, name, '/'] }), 'pseudo_header_invalid');
    });
  }

  for (const name of [':protocol', ':status', ':foo', ':', ':Method', ':METHOD', ':__proto__', ':constructor']) {
    test(`${name} is unknown`, () => {
      assert.equal(refusal(http2({ [name]: 'websocket' })), 'pseudo_header_invalid');
      assert.equal(refusal(list(name, 'x')), 'pseudo_header_invalid');
      assert.equal(refusal(http2({}, ['x-a', '1', name, 'x'])), 'pseudo_header_invalid');
    });
  }

  test('any order among themselves is fine', () => {
    const request = accepted(list(':path', '/', ':authority', 'a', ':scheme', 'https', ':method', 'GET', 'x-a', '1'));
    assert.deepEqual(peerFields(request), ['x-a', '1']);
  });

  test('an empty list is refused', () => assert.equal(refusal(list()), 'pseudo_header_invalid'));

  for (const scheme of ['http', 'HTTPS', 'ftp', '', 'https:']) {
    test(`:scheme ${JSON.stringify(scheme)} is not the connection's`, () => {
      assert.equal(refusal(http2({ ':scheme': scheme })), 'pseudo_header_invalid');
    });
  }

  test("the agent's own calls on loopback are of scheme http", () => {
    assert.equal(accepted(http2({ ':scheme': 'http' }), { scheme: 'http' }).scheme, 'http');
    assert.equal(refusal(http2({ ':scheme': 'https' }), { scheme: 'http' }), 'call_not_plain');
  });

  for (const authority of ['', 'user@a', 'a b', 'a/b', 'a,b', 'a.', 'a:0']) {
    test(`:authority ${JSON.stringify(authority)} is malformed`, () => {
      assert.equal(refusal(http2({ ':authority': authority })), 'host_invalid');
    });
  }
});

describe('RFC 9113 8.3.1: host beside :authority', () => {
  test('is dropped where it says the same', () => {
    for (const host of ['agent.example.org', 'Agent.Example.Org']) {
      assert.deepEqual(peerFields(accepted(http2({}, ['host', host]))), []);
    }
  });
  for (const host of ['evil.example.org', 'agent.example.org:443', '', 'agent.example.org.']) {
    test(`${JSON.stringify(host)} is another`, () => assert.equal(refusal(http2({}, ['host', host])), 'host_invalid'));
  }
  test('twice is refused', () => {
    assert.equal(refusal(http2({}, ['host', 'agent.example.org', 'host', 'agent.example.org'])), 'host_invalid');
  });
});

describe('RFC 9113 8.2: fields', () => {
  for (const name of ['X-A', 'Content-Type', 'Host', 'x-A', 'Cookie', 'TE']) {
    test(`8.2.1: ${name} is not lower case`, () => assert.equal(refusal(http2({}, [name, 'x'])), 'header_invalid'));
  }
  for (const name of [
    'connection',
    'proxy-connection',
    'keep-alive',
    'transfer-encoding',
    'upgrade',
    'http2-settings',
  ]) {
    test(`8.2.2: ${name} has no place here`, () => {
      for (const value of ['close', 'chunked', 'h2c', 'trailers']) {
        assert.equal(refusal(http2({}, [name, value])), 'header_invalid');
      }
    });
  }
  test('8.2.2: te says trailers or nothing', () => {
    assert.deepEqual(peerFields(accepted(http2({}, ['te', 'trailers']))), ['te', 'trailers']);
    for (const value of ['gzip', 'trailers, gzip', 'Trailers', '', 'trailers;q=1']) {
      assert.equal(refusal(http2({}, ['te', value])), 'header_invalid');
    }
    assert.equal(refusal(http2({}, ['te', 'trailers', 'te', 'trailers'])), 'header_duplicate');
  });
  test('other hop-by-hop fields are dropped', () => {
    assert.deepEqual(peerFields(accepted(http2({}, ['trailer', 'x', 'proxy-authorization', 'Basic x']))), []);
  });
});
