import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { asksForTls, fromBrowser } from '../../../src/core/request/plain-call.ts';
import { accepted, http1, http2, refusal } from '../../support/raw-head.ts';

const HTTP = { scheme: 'http', clientCertHeader: undefined } as const;
const HOST = 'tools.internal:9000';

/** A GET in cleartext with this target and this Host. */
function get(target: string, host: string): ReturnType<typeof http1> {
  return http1({ target, headers: ['Host', host] });
}

function read(target: string, host = HOST): ReturnType<typeof accepted> {
  return accepted(get(target, host), HTTP);
}

function code(target: string, host = HOST): string {
  return refusal(get(target, host), HTTP);
}

describe('RFC 9112 3.2.2: absolute-form, as HTTP_PROXY clients send it', () => {
  const same: readonly (readonly [string, string, string])[] = [
    ['http://tools.internal:9000/a?b=c', HOST, '/a?b=c'],
    ['HTTP://Tools.Internal:9000/A', 'tools.INTERNAL:9000', '/A'],
    ['http://tools.internal:9000', HOST, '/'],
    ['http://tools.internal:9000?b', HOST, '/?b'],
    ['http://10.0.0.7/a', '10.0.0.7', '/a'],
    ['http://[::1]:8080/a', '[::1]:8080', '/a'],
  ];
  for (const [target, host, origin] of same) {
    test(`${target} is ${origin} of ${host}`, () => {
      const request = read(target, host);
      assert.equal(request.target, origin);
      assert.equal(request.authority, host.toLowerCase());
      assert.equal(request.scheme, 'http');
    });
  }

  test('says the same as origin-form', () => {
    assert.deepEqual({ ...read(`http://${HOST}/a?b`), trace: 0 }, { ...read('/a?b'), trace: 0 });
  });

  const other: readonly (readonly [string, string, string])[] = [
    ['another host', 'http://evil.internal:9000/', HOST],
    ['another port', 'http://tools.internal:9001/', HOST],
    ['no port', 'http://tools.internal/', HOST],
    ['the default port said by one only', 'http://tools.internal:80/', 'tools.internal'],
    ['the default port said by the other only', 'http://tools.internal/', 'tools.internal:80'],
    ['userinfo', `http://user@${HOST}/`, HOST],
    ['userinfo that looks like the host', `http://${HOST}@evil.internal/`, HOST],
    ['userinfo with a password', `http://tools.internal:9000:x@evil.internal/`, HOST],
    ['a longer name', 'http://tools.internal:9000.evil.internal/', HOST],
    ['a longer port', 'http://tools.internal:90000/', HOST],
    ['back-slashes', `http:\\\\${HOST}\\`, HOST],
    ['a back-slash after the host', `http://${HOST}\\a`, HOST],
    ['one slash', `http:/${HOST}/`, HOST],
    ['three slashes', `http:///${HOST}/`, HOST],
    ['no host', 'http:///', HOST],
    ['nothing behind the scheme', 'http://', HOST],
    ['percent-encoding in the host', 'http://tools%2einternal:9000/', HOST],
    ['another spelling of an IPv6 address', 'http://[0::1]/', '[::1]'],
    ['a trailing dot', 'http://tools.internal.:9000/', HOST],
    ['the ws scheme', `ws://${HOST}/`, HOST],
    ['the ftp scheme', `ftp://${HOST}/`, HOST],
    ['authority-form', HOST, HOST],
    ['a fragment', `http://${HOST}/a#b`, HOST],
    ['a fragment for a path', `http://${HOST}#b`, HOST],
  ];
  for (const [title, target, host] of other)
    test(`${title}: ${target} with Host ${host}`, () => assert.equal(code(target, host), 'target_invalid'));

  const hosts: readonly (readonly [string, string])[] = [
    ['empty', ''],
    ['userinfo', 'user@tools.internal'],
    ['a list', 'tools.internal, evil.internal'],
    ['a path', 'tools.internal/a'],
    ['a URI', 'http://tools.internal'],
    ['a trailing dot', 'tools.internal.'],
    ['an empty port', 'tools.internal:'],
    ['IPv6 without brackets', '::1'],
    ['a zone', '[fe80::1%25eth0]'],
  ];
  for (const [title, host] of hosts)
    test(`Host ${title}: ${JSON.stringify(host)}`, () =>
      assert.equal(code('http://tools.internal/', host), 'host_invalid'));

  test('no Host is no request, whatever the target says', () =>
    assert.equal(refusal(http1({ target: 'http://tools.internal/', headers: [] }), HTTP), 'host_invalid'));
  test('dot segments of an absolute-form are as ambiguous', () =>
    assert.equal(code(`http://${HOST}/a/../b`), 'path_ambiguous'));
  test('OPTIONS with an empty path could be * or /', () =>
    assert.equal(refusal({ ...get(`http://${HOST}`, HOST), method: 'OPTIONS' }, HTTP), 'target_invalid'));
});

describe('what asks for TLS is told to call http://', () => {
  const asking: readonly (readonly [string, Parameters<typeof refusal>[0]])[] = [
    ['CONNECT of a proxy client', http1({ method: 'CONNECT', target: 'tools.internal:443' })],
    ['https in absolute-form', http1({ target: 'https://tools.internal/a' })],
    ['HTTPS in upper case', http1({ target: 'HTTPS://tools.internal/a' })],
    [
      'CONNECT in HTTP/2 (RFC 9113 8.5)',
      { kind: 'http2', headers: [':method', 'CONNECT', ':authority', 'a:443'], endStream: false },
    ],
    [':scheme https', http2({ ':scheme': 'https' })],
  ];
  for (const [title, head] of asking) {
    test(title, () => {
      assert.equal(refusal(head, HTTP), 'call_not_plain');
      assert.match(asksForTls(head)?.detail ?? '', /call http:\/\//);
    });
  }

  test('inbound, they are what they were', () => {
    assert.equal(refusal(http1({ method: 'CONNECT', target: 'tools.internal:443' })), 'method_refused');
    assert.equal(refusal(http2({ ':scheme': 'http' })), 'pseudo_header_invalid');
  });
  test('other mistakes keep their names', () => {
    assert.equal(refusal(http1({ method: 'TRACE' }), HTTP), 'method_refused');
    assert.equal(refusal(http2({ ':scheme': 'ftp' }), HTTP), 'pseudo_header_invalid');
    assert.equal(asksForTls(http1({})), undefined);
  });
});

describe('RFC 9110 7.8: an offer of HTTP/2 by upgrade', () => {
  const offer = ['Connection', 'Upgrade, HTTP2-Settings', 'Upgrade', 'h2c', 'HTTP2-Settings', 'AAMAAABk', 'X-A', 'b'];
  test('is ignored in cleartext, and nothing of it passed on', () => {
    const request = accepted(http1({ upgrade: true }, ...offer), HTTP);
    assert.equal(request.style, 'http');
    const names = request.headers.filter((_, index) => index % 2 === 0);
    assert.deepEqual(names.toSorted(), ['traceparent', 'x-a', 'x-request-id']);
  });
  test('is refused inbound', () => assert.equal(refusal(http1({ upgrade: true }, ...offer)), 'upgrade_refused'));
  test('another protocol is refused in cleartext too', () => {
    const headers = ['Connection', 'upgrade', 'Upgrade', 'h2c, websocket'];
    assert.equal(refusal(http1({ upgrade: true }, ...headers), HTTP), 'upgrade_refused');
    assert.equal(
      refusal(http1({ upgrade: true }, 'Connection', 'upgrade', 'Upgrade', 'TLS/1.0'), HTTP),
      'upgrade_refused',
    );
  });
  test('framing is as strict with it', () => {
    const headers = [...offer, 'Content-Length', '3', 'Transfer-Encoding', 'chunked'];
    assert.equal(refusal(http1({ upgrade: true }, ...headers), HTTP), 'framing_ambiguous');
  });
});

test('proxy fields end here (RFC 9110 11.7.2, 7.6.1)', () => {
  const headers = [
    'Proxy-Authorization',
    'Basic c2VjcmV0',
    'Proxy-Connection',
    'keep-alive',
    'Keep-Alive',
    'timeout=5',
  ];
  const request = accepted(http1({}, ...headers), HTTP);
  assert.deepEqual(
    request.headers.filter((_, index) => index % 2 === 0),
    ['x-request-id', 'traceparent'],
  );
});

test('a page in a browser is known by either field, whatever its value', () => {
  assert.equal(fromBrowser(['origin', ''])?.code, 'browser_refused');
  assert.equal(fromBrowser(['a', 'b', 'sec-fetch-site', 'none'])?.code, 'browser_refused');
  assert.equal(fromBrowser(['sec-fetch-mode', 'cors', 'x-origin', 'a', 'referer', 'http://a']), undefined);
});

test('property: an absolute-form is read only as the Host that stands beside it', () => {
  const label = fc.constantFrom('a', 'b', 'A', 'a.b', '1', '[::1]', 'x_y');
  const authority = fc.tuple(label, fc.constantFrom('', ':1', ':80', ':65535')).map((parts) => parts.join(''));
  const extra = fc.constantFrom('', '@', '.', ':', '%00', '\\', '//', ' ');
  fc.assert(
    fc.property(authority, authority, extra, fc.constantFrom('', '/', '/p', '?q'), (host, named, odd, rest) => {
      const head = get(`http://${named}${odd}${rest}`, host);
      const isSame = named.toLowerCase() === host.toLowerCase() && odd === '';
      if (isSame) assert.equal(accepted(head, HTTP).authority, host.toLowerCase());
      else assert.match(refusal(head, HTTP), /^(target_invalid|path_ambiguous|request_line_invalid)$/);
    }),
    { numRuns: 2_000 },
  );
});
