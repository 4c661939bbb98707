import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import type { HeaderList } from '../../../src/core/kernel/headers.ts';
import { answerHeaders, answerTrailers } from '../../../src/core/request/answer-headers.ts';

function passed(raw: HeaderList, http2 = false): HeaderList {
  const result = answerHeaders(raw, http2);
  assert.ok(result.ok, result.ok ? '' : result.error.detail);
  return result.value;
}

function refused(raw: HeaderList, http2 = false): void {
  for (const filter of [answerHeaders, answerTrailers]) {
    const result = filter(raw, http2);
    assert.ok(!result.ok, 'accepted');
    assert.equal(result.error.code, 'upstream_protocol_error');
  }
}

describe('what of an answer is passed on', () => {
  const fields = ['Content-Type', 'text/plain', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'ETag', '"x"', 'X-A', ''];
  test('all end-to-end fields, in order, duplicates too, as the agent wrote them', () => {
    assert.deepEqual(passed(fields), fields);
  });
  test('RFC 9113 8.2.1: in lower case to an HTTP/2 peer', () => {
    const lower = fields.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text));
    assert.deepEqual(passed(fields, true), lower);
  });
  test(':status is no field', () => assert.deepEqual(passed([':status', '200', 'a', 'b'], true), ['a', 'b']));
  test('Trailer stays: trailers are passed on', () => {
    assert.deepEqual(passed(['Trailer', 'grpc-status']), ['Trailer', 'grpc-status']);
  });
  test('RFC 9110 5.5: bytes above ASCII are allowed in answers', () => {
    const value = 'attachment; filename="caf\u00e9"';
    assert.deepEqual(passed(['Content-Disposition', value]), ['Content-Disposition', value]);
  });
  test('a list that is not of pairs loses its last name only', () =>
    assert.deepEqual(passed(['a', 'b', 'c']), ['a', 'b']));
});

describe('RFC 9110 7.6.1: fields about the connection', () => {
  for (const name of [
    'Connection',
    'keep-alive',
    'Proxy-Connection',
    'Proxy-Authenticate',
    'TE',
    'Transfer-Encoding',
    'Upgrade',
    'HTTP2-Settings',
  ]) {
    test(name, () => {
      assert.deepEqual(passed([name, 'close', 'a', 'b']), ['a', 'b']);
      assert.deepEqual(passed([name.toLowerCase(), 'close', 'a', 'b'], true), ['a', 'b']);
    });
  }
  test('and those Connection names, wherever it stands', () => {
    assert.deepEqual(passed(['X-Hop', '1', 'Connection', 'close, x-hop ,X-Hop2', 'x-hop2', '2', 'X-End', '3']), [
      'X-End',
      '3',
    ]);
    assert.deepEqual(passed(['Connection', 'X-One', 'connection', 'x-two', 'x-one', '1', 'X-Two', '2', 'a', 'b']), [
      'a',
      'b',
    ]);
  });
  test('but not end-to-end fields that we know', () => {
    const fields = ['Content-Length', '3', 'Set-Cookie', 'a=1', 'Content-Type', 'a/b', 'Location', '/x'];
    const connection = ['Connection', 'content-length, set-cookie, content-type, location'];
    assert.deepEqual(passed([...connection, ...fields]), fields);
  });
  test('what Connection names may be no token at all', () => {
    assert.deepEqual(passed(['Connection', 'a b, __proto__, ,', 'a', '1']), ['a', '1']);
  });
});

describe('RFC 9440 2.4: what we told the agent of the peer is never in an answer', () => {
  for (const name of [
    'X-Forwarded-Client-Cert',
    'Client-Cert',
    'client-cert-chain',
    'x-sallyport-decision',
    'X-Sallyport-Peer',
  ]) {
    test(name, () => assert.deepEqual(passed([name, 'x', 'a', 'b']), ['a', 'b']));
  }
});

describe('CVE-2023-27493, RFC 9110 5.5: response splitting', () => {
  for (const value of ['a\rb', 'a\nb', 'a\r\nSet-Cookie: x=1', 'a\0b', '\x01', 'a\x7f', 'a\u0100', '\u2028']) {
    test(`the value ${JSON.stringify(value)}`, () => {
      refused(['X-A', value]);
      refused(['x-a', value], true);
      refused(['Connection', value]);
    });
  }
  for (const name of ['', 'a b', 'a:', 'a\r\nb', 'a\0', 'caf\u00e9', ':path', ':Status', 'a,b']) {
    test(`the name ${JSON.stringify(name)}`, () => {
      refused([name, 'x']);
      refused([name, 'x'], true);
    });
  }
  test('a tab is no control character here', () => assert.deepEqual(passed(['a', 'b\tc']), ['a', 'b\tc']));
});

describe('RFC 9110 8.6: the length of an answer', () => {
  test('two equal lengths are one', () => {
    assert.deepEqual(passed(['Content-Length', '3', 'content-length', '3']), ['Content-Length', '3']);
  });
  for (const values of [['3', '4'], ['3', '03'], ['-1'], ['x'], [''], ['3, 3'], ['1e3']]) {
    test(JSON.stringify(values), () => refusedHeaders(values.flatMap((value) => ['Content-Length', value])));
  }
});

function refusedHeaders(raw: HeaderList): void {
  const result = answerHeaders(raw, false);
  assert.ok(!result.ok);
  assert.equal(result.error.code, 'upstream_protocol_error');
}

describe('RFC 9110 6.5.1: trailers', () => {
  test('neither frame nor route nor describe the content', () => {
    const raw = [
      'grpc-status',
      '0',
      'Content-Length',
      '3',
      'Transfer-Encoding',
      'x',
      'Host',
      'a',
      'content-type',
      'a/b',
      'Set-Cookie',
      'a=1',
      'Grpc-Message',
      'ok',
    ];
    const result = answerTrailers(raw, true);
    assert.deepEqual(result.ok && result.value, ['grpc-status', '0', 'grpc-message', 'ok']);
  });
});

test('property: never throws, and what passes can be written: tokens, no control characters, nothing about the connection', () => {
  const names = fc.oneof(
    fc.constantFrom('Connection', 'x-hop', 'Content-Length', 'TE', 'a', ':status'),
    fc.string({ maxLength: 4 }),
  );
  const values = fc.oneof(
    fc.constantFrom('close', 'x-hop', '3', 'a, x-hop'),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(names, values), { maxLength: 6 }), fc.boolean(), (pairs, http2) => {
      const result = answerHeaders(pairs.flat(), http2);
      if (!result.ok) return;
      for (let i = 0; i < result.value.length; i += 2) {
        const name = result.value[i] as string;
        assert.match(name, /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
        if (http2) assert.equal(name, name.toLowerCase());
        assert.ok(!['connection', 'te'].includes(name.toLowerCase()));
        assert.doesNotMatch(result.value[i + 1] as string, /[\x00-\x08\x0a-\x1f\x7f]/);
      }
      assert.deepEqual(answerHeaders(result.value, http2), result);
    }),
  );
});
