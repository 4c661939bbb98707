import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';
import { FIELDS, SINGLETONS } from '../../../src/core/request/field-table.ts';
import { accepted, http1, http2, OUR_FIELDS, peerFields, refusal, XFCC } from '../../support/raw-head.ts';

describe('RFC 9110 5.1: names', () => {
  test('are in lower case afterwards, in the order received, with their duplicates', () => {
    const request = accepted(http1({}, 'X-B', '1', 'accept', 'a', 'ACCEPT', 'b', 'x-A', '2', 'X-b', '3'));
    assert.deepEqual(peerFields(request), ['x-b', '1', 'accept', 'a', 'accept', 'b', 'x-a', '2', 'x-b', '3']);
  });

  for (const name of [
    '',
    ' ',
    'a b',
    'a:',
    ':a',
    'a,',
    'a(b)',
    'a/b',
    'a"',
    'a\0',
    'a\r\nb',
    'a\t',
    'caf\u00e9',
    'a@b',
    '{a}',
    'transfer-encoding ',
    ' host',
  ]) {
    test(`${JSON.stringify(name)} is no token`, () => {
      assert.equal(refusal(http1({}, name, 'x')), 'header_invalid');
      const code = refusal(http2({}, ['x-a', '1', name, 'x']));
      assert.equal(code, name.startsWith(':') ? 'pseudo_header_invalid' : 'header_invalid');
    });
  }

  for (const name of [
    'content_length',
    'Transfer_Encoding',
    'transfer_encoding',
    'x_user',
    'X_Forwarded_Client_Cert',
    '_',
    'authorization_',
  ]) {
    test(`Envoy edge guide: ${name} is refused, for CGI-like agents read it as ${name.replaceAll('_', '-')}`, () => {
      assert.equal(refusal(http1({}, name, 'x')), 'header_invalid');
      assert.equal(refusal(http2({}, [name.toLowerCase(), 'x'])), 'header_invalid');
    });
  }

  test('every other tchar is allowed', () => {
    const name = "a!#$%&'*+-.^`|~9";
    assert.deepEqual(peerFields(accepted(http1({}, name, 'x'))), [name, 'x']);
  });
});

describe('RFC 9110 5.5: values', () => {
  for (const value of [
    '\0',
    'a\0b',
    'a\rb',
    'a\nb',
    'a\r\nX-Evil: 1',
    'a\x01',
    'a\x1b[0m',
    'a\x7f',
    'caf\u00e9',
    '\u00ff',
    'a\u2028b',
    '\ud800',
  ]) {
    test(`${JSON.stringify(value)} is refused, known field or not`, () => {
      for (const name of ['x-a', 'accept', 'authorization', 'x-forwarded-for', 'content-type']) {
        assert.equal(refusal(http1({}, name, value)), 'header_invalid');
        assert.equal(refusal(http2({}, [name, value])), 'header_invalid');
      }
    });
  }

  test('visible ASCII, space and tab inside are kept as they are; the empty value too', () => {
    const all = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 0x20 + index)).trim();
    assert.deepEqual(peerFields(accepted(http1({}, 'x-a', all, 'x-b', 'a \t b', 'x-c', ''))), [
      'x-a',
      all,
      'x-b',
      'a \t b',
      'x-c',
      '',
    ]);
  });

  test('RFC 9112 5: optional white space around an HTTP/1.1 value is no part of it', () => {
    const request = accepted(http1({}, 'x-a', ' \t1 \t', 'x-b', ' ', 'content-length', ' 3'));
    assert.deepEqual(peerFields(request), ['x-a', '1', 'x-b', '', 'content-length', '3']);
    assert.deepEqual(request.body, { kind: 'length', bytes: 3 });
  });

  for (const value of [' a', 'a ', '\ta', 'a\t', ' ']) {
    test(`RFC 9113 8.2.1: ${JSON.stringify(value)} is malformed in HTTP/2`, () => {
      assert.equal(refusal(http2({}, ['x-a', value])), 'header_invalid');
    });
  }
});

describe('limits of the head', () => {
  test('RFC 6585 5: more fields than allowed', () => {
    const limits = { ...DEFAULT_LIMITS, headerCount: 3 };
    assert.equal(accepted(http1({}, 'a', '1', 'b', '2'), { limits }).method, 'GET');
    assert.equal(refusal(http1({}, 'a', '1', 'b', '2', 'c', '3'), { limits }), 'headers_too_large');
    assert.equal(refusal(http2({}), { limits }), 'headers_too_large');
  });

  test('RFC 7541 4.1: bytes are names, values and 32 for each field', () => {
    const headers = ['Host', 'a', 'x', 'y'.repeat(10)];
    const bytes = 4 + 1 + 32 + 1 + 10 + 32;
    const exact = { ...DEFAULT_LIMITS, headerBytes: bytes };
    assert.equal(accepted({ ...http1(), headers }, { limits: exact }).authority, 'a');
    const tight = { ...DEFAULT_LIMITS, headerBytes: bytes - 1 };
    assert.equal(refusal({ ...http1(), headers }, { limits: tight }), 'headers_too_large');
  });

  test('Envoy CVE-2026-47774: every cookie crumb counts', () => {
    const crumbs = Array.from({ length: 100 }, () => ['cookie', 'a=b']).flat();
    assert.equal(refusal(http2({}, crumbs)), 'headers_too_large');
  });

  test('a list that is not of pairs is refused, not misread', () => {
    assert.equal(refusal({ ...http1(), headers: ['Host', 'a', 'x-a'] }), 'header_invalid');
    assert.equal(refusal({ ...http2(), headers: [':method'] }), 'header_invalid');
  });

  test('1,400 colliding names are refused by their number, before any is looked at', () => {
    const names = Array.from({ length: 1400 }, (_, index) => [`x-${index}`, '']).flat();
    assert.equal(refusal(http1({}, ...names)), 'headers_too_large');
  });
});

describe('two of a field that may stand once: of two values readers take the first, the last, or both', () => {
  for (const [name, reason] of Object.entries(SINGLETONS)) {
    test(`${name}: ${reason}`, () => {
      assert.deepEqual(peerFields(accepted(http1({}, name, 'a'))), [name, 'a']);
      assert.equal(refusal(http1({}, name, 'a', name.toUpperCase(), 'b')), 'header_duplicate');
      assert.equal(refusal(http1({}, name, 'a', 'x-a', '', name, 'a')), 'header_duplicate');
      assert.equal(refusal(http2({}, [name, 'a', name, 'a'])), 'header_duplicate');
    });
  }
  for (const name of ['content-type', 'grpc-timeout', 'sec-websocket-key', 'sec-websocket-version']) {
    test(`${name} is read, so it is checked where it is read`, () => {
      assert.deepEqual(peerFields(accepted(http1({}, name, 'a'))), [name, 'a']);
      assert.equal(refusal(http1({}, name, 'a', name, 'a')), 'header_duplicate');
    });
  }
  for (const name of ['expect', 'te', 'upgrade']) {
    test(`${name} is about the message or the connection`, () => {
      assert.equal(refusal(http1({}, name, 'x', name, 'x')), 'header_duplicate');
    });
  }

  test('all different singletons may stand beside each other', () => {
    const fields = Object.keys(SINGLETONS).flatMap((name) => [name, '1']);
    assert.deepEqual(peerFields(accepted(http1({}, ...fields))), fields);
  });

  test('lists may stand twice', () => {
    const fields = ['accept', 'a', 'accept', 'b', 'via', '1.1 a', 'via', '1.1 b', 'x-list', '1', 'x-list', '2'];
    assert.deepEqual(peerFields(accepted(http1({}, ...fields))), fields);
  });
});

describe('cookies', () => {
  test('RFC 6265 5.4: one field in HTTP/1.1', () => {
    assert.deepEqual(peerFields(accepted(http1({}, 'Cookie', 'a=1; b=2'))), ['cookie', 'a=1; b=2']);
    assert.equal(refusal(http1({}, 'Cookie', 'a=1', 'Cookie', 'b=2')), 'header_duplicate');
  });
  test('RFC 9113 8.2.3: crumbs are one cookie, at the place of the first', () => {
    const request = accepted(http2({}, ['x-a', '1', 'cookie', 'a=1', 'x-b', '2', 'cookie', 'b=2', 'cookie', 'c=3']));
    assert.deepEqual(peerFields(request), ['x-a', '1', 'cookie', 'a=1; b=2; c=3', 'x-b', '2']);
  });
});

describe('fields that only we may set are removed before anything reads them', () => {
  const spoofed = [
    'x-forwarded-client-cert',
    'X-Forwarded-Client-Cert',
    'x-fOrWaRdEd-ClIeNt-cErT',
    'client-cert',
    'Client-Cert',
    'client-cert-chain',
    'x-request-id',
    'X-Forwarded-For',
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-user',
    'x-forwarded-anything-new',
    'Forwarded',
    'x-real-ip',
    'X-Envoy-Original-Path',
    'x-envoy-internal',
    'x-envoy-auth-partial-body',
    'X-ENVOY-External-Address',
    'x-sallyport-peer',
    'X-Sallyport-Decision',
    'x-ssl-client-dn',
    'SSL-Client-Verify',
    'x-amzn-mtls-clientcert-leaf',
    'x-auth-request-user',
    'Remote-User',
    'x-remote-user',
    'X-Original-URL',
    'X-Rewrite-URL',
    'x-original-method',
    'Proxy-Authorization',
  ];
  for (const name of spoofed) {
    test(name, () => {
      assert.deepEqual(accepted(http1({}, name, 'spoofed', name, 'twice')).headers, OUR_FIELDS);
      assert.deepEqual(accepted(http2({}, [name.toLowerCase(), 'spoofed'])).headers, OUR_FIELDS);
    });
  }

  test('names that merely resemble them pass', () => {
    const fields = ['x-forwarded', '1', 'x-envoy', '2', 'x-sallyportal', '3', 'ssl-client', '4', 'sx-envoy-a', '5'];
    assert.deepEqual(peerFields(accepted(http1({}, ...fields))), fields);
  });

  test('ours come last, once', () => {
    const headers = accepted(http1({}, 'x-forwarded-client-cert', 'URI=spiffe://evil/', 'x-a', '1')).headers;
    assert.deepEqual(headers, ['x-a', '1', ...OUR_FIELDS]);
  });

  test('an anonymous peer gets no x-forwarded-client-cert, not even its own', () => {
    const request = accepted(http1({}, 'x-forwarded-client-cert', XFCC), { clientCertHeader: undefined });
    assert.ok(!request.headers.includes('x-forwarded-client-cert'));
  });
});

describe('a second method is refused: policy would judge one, the agent carry out the other', () => {
  for (const name of ['X-HTTP-Method-Override', 'x-http-method', 'X-Method-Override']) {
    test(name, () => {
      assert.equal(refusal(http1({ method: 'POST' }, name, 'DELETE')), 'header_invalid');
      assert.equal(refusal(http2({ ':method': 'POST' }, [name.toLowerCase(), 'DELETE'])), 'header_invalid');
    });
  }
});

describe('hop-by-hop fields (RFC 9110 7.6.1) are not passed on', () => {
  for (const name of [
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Proxy-Authenticate',
    'TE',
    'Trailer',
    'HTTP2-Settings',
    'Upgrade',
  ]) {
    test(name, () => {
      const value = name === 'Connection' ? 'keep-alive' : 'x';
      assert.deepEqual(accepted(http1({}, name, value)).headers, OUR_FIELDS);
    });
  }
});

describe('the table', () => {
  test('has no prototype to trip over', () => {
    const fields = ['constructor', '1', '__proto__', '2', 'tostring', '3', 'hasownproperty', '4'].filter(
      (name) => name !== '__proto__' && name !== '2',
    );
    assert.deepEqual(peerFields(accepted(http1({}, ...fields))), fields);
    assert.equal(refusal(http1({}, '__proto__', '1')), 'header_invalid');
  });

  test('gives each singleton a bit of its own', () => {
    const bits = Object.keys(SINGLETONS).map((name) => FIELDS.get(name)?.once ?? 0);
    assert.ok(bits.every((bit) => bit !== 0));
    assert.equal(new Set(bits).size, bits.length);
    assert.ok(bits.length <= 31);
  });

  test('has one rule for a name, under every spelling', () => {
    assert.equal(FIELDS.get('Content-Type'), FIELDS.get('content-type'));
    for (const [spelling, rule] of FIELDS) assert.equal(spelling.toLowerCase(), rule.name);
    const names = [...FIELDS.values()].map((rule) => rule.name);
    assert.ok(new Set(names).size * 2 >= names.length);
  });

  test('passes on or reads nothing that it says only we may set', () => {
    for (const rule of new Set(FIELDS.values())) {
      const refusedOrGone = rule.fate === 'drop' || rule.fate === 'refuse';
      if (rule.name.startsWith('x-forwarded-') || rule.name.startsWith('client-cert')) assert.ok(refusedOrGone);
    }
  });

  test('shares the strings of the names it knows', () => {
    const request = accepted(http1({}, 'Content-Type', 'a/b'));
    assert.equal(request.headers[0], FIELDS.get('content-type')?.name);
  });
});
