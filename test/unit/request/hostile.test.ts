import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { firstHeader } from '../../../src/core/kernel/headers.ts';
import type { FaultCode } from '../../../src/core/model/faults.ts';
import type { RawHead } from '../../../src/core/model/request.ts';
import { answerHeaders } from '../../../src/core/request/answer-headers.ts';
import { readBody } from '../../../src/core/request/body.ts';
import { canonicalise } from '../../../src/core/request/canonicalise.ts';
import { parsedPath } from '../../../src/core/request/parsed-target.ts';
import {
  accepted,
  context,
  grpc,
  http1,
  http2,
  OUR_FIELDS,
  peerFields,
  refusal,
  XFCC,
} from '../../support/raw-head.ts';

/**
 * Each class of request by which a proxy that decides on one reading and forwards another was bypassed, with the advisories that named it.
 * The detail of each rule is tested where the rule is; here the list is kept, so that none is ever lost.
 */
type Refused = readonly [string, FaultCode, ...RawHead[]];

const KEY = Buffer.alloc(16).toString('base64');
const UPGRADE = [
  'Connection',
  'Upgrade',
  'Upgrade',
  'websocket',
  'Sec-WebSocket-Key',
  KEY,
  'Sec-WebSocket-Version',
  '13',
];

function paths(...targets: string[]): readonly RawHead[] {
  return targets.flatMap((target) => [http1({ target }), http2({ ':path': target })]);
}

function fields(...list: string[]): readonly RawHead[] {
  const lower = list.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text));
  return [http1({}, ...list), http2({}, lower)];
}

const CLASSES: readonly Refused[] = [
  [
    'dot segments: Envoy CVE-2019-9901',
    'path_ambiguous',
    ...paths('/public/../admin', '/./admin', '/admin/.', '/public/%2e%2e/admin'),
  ],
  [
    'encoded slash: Istio CVE-2021-31920',
    'path_ambiguous',
    ...paths('/public%2f..%2fadmin', '/admin%2Fx', '/admin%5cx'),
  ],
  ['duplicate slash: Envoy CVE-2021-29492', 'path_ambiguous', ...paths('//admin', '/admin//x', '/admin/x//')],
  ['back-slash: Istio ProxyPathNormalization BASE', 'path_ambiguous', ...paths('/public\\..\\admin', '/\\admin')],
  [
    'fragment: Istio CVE-2021-39156, Envoy CVE-2021-32779',
    'target_invalid',
    ...paths('/admin#', '/admin#/public', '/public#/../admin'),
  ],
  ['matrix parameters: Envoy CVE-2026-73511', 'path_ambiguous', ...paths('/admin;x', '/admin;x=1/users')],
  [
    'matrix parameters and dot segments: Envoy CVE-2026-73551',
    'path_ambiguous',
    ...paths('/user/..;x/admin', '/user/.;/admin'),
  ],
  ['encoded matrix parameters: Envoy CVE-2026-73553', 'path_ambiguous', ...paths('/user/..%3bx/admin', '/admin%3Bx')],
  ['NUL in a path: Envoy CVE-2019-9900', 'path_ambiguous', ...paths('/admin%00', '/admin%00.txt', '/admin%00/')],
  ['line ends in a path: response and log splitting', 'path_ambiguous', ...paths('/a%0d%0aX-Evil:%201', '/a%0A')],
  [
    'overlong and other broken UTF-8: Envoy CVE-2023-27488',
    'path_ambiguous',
    ...paths('/%c0%afadmin', '/%c0%ae%c0%ae/admin', '/%ff'),
  ],
  ['a second decoding: Heimdall GHSA-3q34-rx83-r6mq', 'path_ambiguous', ...paths('/%252e%252e/admin', '/%252fadmin')],
  ['a second spelling: Zalando Skipper GHSA-q9xq-w3q4-p9jc', 'path_ambiguous', ...paths('/%61dmin', '/adm%69n')],
  ['a second authority in the target: //host', 'path_ambiguous', http1({ target: '//evil.example.org/' })],
  ['absolute-form against Host: RFC 9112 3.2.2', 'target_invalid', http1({ target: 'https://evil.example.org/' })],
  [
    'userinfo in the host',
    'host_invalid',
    { ...http1(), headers: ['Host', 'good@evil'] },
    http2({ ':authority': 'good@evil' }),
  ],
  [
    'host with an odd port: ISTIO-SECURITY-2021-008',
    'host_invalid',
    { ...http1(), headers: ['Host', 'a:0443'] },
    http2({ ':authority': 'a:' }),
  ],
  [
    'duplicate Host: Envoy CVE-2026-73550',
    'host_invalid',
    http1({}, 'Host', 'a'),
    http1({}, 'host', 'agent.example.org'),
  ],
  ['host against :authority: Node accepts it', 'host_invalid', http2({}, ['host', 'evil.example.org'])],
  [
    'multi-value header: Envoy CVE-2020-25017, CVE-2021-32777, CVE-2026-26308',
    'header_duplicate',
    ...fields('Authorization', 'Basic a', 'Authorization', 'Basic b'),
    ...fields('Origin', 'https://a', 'Origin', 'https://b'),
    ...fields('Content-Type', 'application/json', 'Content-Type', 'text/plain'),
    http1({}, 'Cookie', 'a=1', 'Cookie', 'a=2'),
  ],
  [
    'NUL in a value: Envoy CVE-2019-9900',
    'header_invalid',
    ...fields('X-A', 'a\0b'),
    ...fields('Authorization', 'a\0'),
  ],
  [
    'non-UTF-8 and obs-text in a value: Envoy CVE-2023-27488, CVE-2026-73552',
    'header_invalid',
    ...fields('X-A', '\xff'),
    ...fields('X-A', 'caf\xe9'),
  ],
  [
    'unescaped values: Envoy CVE-2023-27493',
    'header_invalid',
    ...fields('X-A', 'a\r\nX-B: c'),
    ...fields('X-A', 'a\nb'),
    ...fields('X-A', 'a\rb'),
  ],
  [
    'a path without slash: gRPC-Go CVE-2026-33186',
    'pseudo_header_invalid',
    grpc({ ':path': 'demo.Echo/Say' }),
    http2({ ':path': 'admin' }),
  ],
  [
    'invalid HTTP/2 headers forwarded: Envoy CVE-2023-27491',
    'header_invalid',
    http2({}, ['X-A', '1']),
    http2({}, ['a b', '1']),
    http2({}, ['connection', 'close']),
    http2({}, ['', 'x']),
  ],
  ['no :path: Envoy CVE-2026-73547', 'pseudo_header_invalid', http2({ ':path': undefined }), http2({ ':path': '' })],
  [
    'CONNECT: Envoy CVE-2026-73547',
    'method_refused',
    http2({ ':method': 'CONNECT' }),
    http1({ method: 'CONNECT', target: 'a:443' }),
  ],
  ['extended CONNECT: RFC 8441', 'pseudo_header_invalid', http2({ ':protocol': 'websocket' })],
  [
    'smuggling by two lengths or codings: RFC 9112 6.3',
    'framing_ambiguous',
    http1({}, 'Content-Length', '1', 'Transfer-Encoding', 'chunked'),
    http1({}, 'Content-Length', '1', 'Content-Length', '2'),
    http1({}, 'Transfer-Encoding', 'gzip, chunked'),
    http1({}, 'Content-Length', '03'),
    http1({ version: '1.0' }, 'Transfer-Encoding', 'chunked'),
  ],
  [
    'smuggling by look-alikes: Transfer_Encoding',
    'header_invalid',
    ...fields('Transfer_Encoding', 'chunked'),
    ...fields('content_length', '5'),
  ],
  [
    'content-length against the frames: Envoy CVE-2026-48743',
    'framing_ambiguous',
    http2({}, ['content-length', '5'], true),
    http2({}, ['content-length', '5', 'content-length', '5'], false),
  ],
  [
    'payload before the upgrade is accepted: Envoy CVE-2026-73548',
    'upgrade_refused',
    http1({ upgrade: true }, ...UPGRADE, 'Content-Length', '5'),
    http1({ upgrade: true }, ...UPGRADE, 'Transfer-Encoding', 'chunked'),
  ],
  [
    'h2c upgrade past the gate',
    'upgrade_refused',
    http1({ upgrade: true }, 'Connection', 'Upgrade, HTTP2-Settings', 'Upgrade', 'h2c', 'HTTP2-Settings', 'AAMAAABk'),
  ],
  [
    'Connection that names away what the agent relies on',
    'header_invalid',
    http1({}, 'Connection', 'close, Authorization'),
    http1({}, 'Connection', 'x-forwarded-client-cert'),
  ],
  ['names with underscores: Envoy edge guide', 'header_invalid', ...fields('X_Forwarded_Client_Cert', XFCC)],
  ['a second method', 'header_invalid', ...fields('X-HTTP-Method-Override', 'DELETE')],
  [
    'cookie crumbs without number: Envoy CVE-2026-47774',
    'headers_too_large',
    http2(
      {},
      Array.from({ length: 400 }, (_, index) => (index % 2 === 0 ? 'cookie' : 'a')),
    ),
  ],
  [
    'colliding names without number: OPA WASM hashing',
    'headers_too_large',
    http1({}, ...Array.from({ length: 2800 }, (_, index) => `x${index}`)),
  ],
];

describe('bypass classes that are refused', () => {
  for (const [title, code, ...heads] of CLASSES) {
    test(title, () => {
      assert.ok(heads.length > 0);
      for (const head of heads) assert.equal(refusal(head), code, JSON.stringify(head).slice(0, 300));
    });
  }
});

describe('bypass classes that are made harmless', () => {
  test('spoofed trusted headers: Envoy CVE-2023-27487 (x-envoy-original-path), CVE-2024-45806 (x-envoy-*), RFC 9440 2.4', () => {
    const spoofed = [
      'x-envoy-original-path',
      '/public',
      'x-envoy-internal',
      'true',
      'x-forwarded-client-cert',
      XFCC,
      'client-cert',
      ':AA==:',
      'client-cert-chain',
      ':AA==:',
      'x-forwarded-for',
      '127.0.0.1',
      'x-sallyport-peer',
      'x',
    ];
    for (const head of fields(...spoofed)) assert.deepEqual(accepted(head).headers, OUR_FIELDS);
  });

  test('host case: Istio CVE-2021-39155', () => {
    assert.equal(accepted(http2({ ':authority': 'Agent.EXAMPLE.org:8443' })).authority, 'agent.example.org:8443');
  });

  test('? in an exact match: Istio CVE-2020-8595 — the path is without query, and policy has its segments', () => {
    const request = accepted(http1({ target: '/admin?x=/../public' }));
    assert.equal(request.path, '/admin');
    assert.deepEqual(parsedPath(request.path), ['admin']);
  });

  test('multi-value header: lists are given to policy as they are', () => {
    assert.deepEqual(peerFields(accepted(http1({}, 'X-Role', 'user', 'X-Role', 'admin'))), [
      'x-role',
      'user',
      'x-role',
      'admin',
    ]);
  });

  test('partial bodies: a peer cannot say that its body was cut off', () => {
    const request = accepted(http1({}, 'x-envoy-auth-partial-body', 'true', 'Content-Type', 'application/json'));
    assert.equal(firstHeader(request.headers, 'x-envoy-auth-partial-body'), undefined);
    assert.deepEqual(readBody(request, Buffer.from('1'), true), { ok: true, value: { parsed: 1, truncated: false } });
  });

  test('JSON depth: Envoy CVE-2026-48042', () => {
    const request = accepted(http1({}, 'Content-Type', 'application/json'));
    const deep = readBody(request, Buffer.from('['.repeat(30_000) + ']'.repeat(30_000)), true);
    assert.equal(!deep.ok && deep.error.code, 'body_malformed');
  });

  test('response splitting: Envoy CVE-2023-27493, towards the peer', () => {
    const answer = answerHeaders(['X-A', 'a\r\nSet-Cookie: b=c'], false);
    assert.equal(!answer.ok && answer.error.code, 'upstream_protocol_error');
  });

  test('promise 10: what is refused is told to the operator without values, which may be secrets', () => {
    const heads = [
      ...fields('Authorization', 'Bearer s3cret\0'),
      ...fields('Authorization', 'Basic s3cret', 'Authorization', 'Basic s3cret'),
      ...paths('/a#s3cret', '/s3cret/../a', '/?token=s3cret"'),
      http1({}, 'Content-Length', 's3cret'),
      http1({}, 'Transfer-Encoding', 's3cret'),
      http1({}, 'Expect', 's3cret'),
      { ...http1(), headers: ['Host', 'user:s3cret@agent'] },
    ];
    for (const head of heads) {
      const result = canonicalise(head, context());
      assert.ok(!result.ok);
      assert.doesNotMatch(result.error.detail, /s3cret/);
    }
  });
});
