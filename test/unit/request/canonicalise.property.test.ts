import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { FAULTS } from '../../../src/core/model/faults.ts';
import { DEFAULT_LIMITS, STRICT_PATHS } from '../../../src/core/model/limits.ts';
import type { PathTolerance } from '../../../src/core/model/limits.ts';
import type { CanonicalRequest, RawHead } from '../../../src/core/model/request.ts';
import { canonicalise } from '../../../src/core/request/canonicalise.ts';
import { parsedPath, parsedQuery } from '../../../src/core/request/parsed-target.ts';
import { context, OUR_FIELDS } from '../../support/raw-head.ts';

const NAMES = [
  'Host',
  'host',
  'Content-Length',
  'transfer-encoding',
  'Transfer_Encoding',
  'Connection',
  'Upgrade',
  'TE',
  'Expect',
  'Cookie',
  'Authorization',
  'content-type',
  'grpc-timeout',
  'sec-websocket-key',
  'sec-websocket-version',
  'traceparent',
  'tracestate',
  'X-Forwarded-Client-Cert',
  'x-envoy-x',
  'x-a',
  'X-B',
  'http2-settings',
  ':path',
];

const VALUES = [
  '',
  'agent',
  'agent:443',
  '0',
  '5',
  '05',
  'chunked',
  'close, x-a',
  'upgrade',
  'Upgrade, x-b',
  'websocket',
  'h2c',
  'trailers',
  '100-continue',
  'application/grpc+proto',
  'application/json',
  '1S',
  '13',
  'AAAAAAAAAAAAAAAAAAAAAA==',
  '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'a=1',
  'a\r\nb',
];

const TARGETS = [
  '/',
  '/a/b',
  '/a/b?c=d&e',
  '/a%2Fb',
  '//a',
  '/a;b/c',
  '/../a',
  '/a/./b',
  '*',
  '/a#b',
  'https://agent/a',
  '/%41',
  '/caf%C3%A9?x=%ff',
  '/demo.Echo/Say',
];

const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
);
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...VALUES) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
);
const target = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('/', '/a/b', '/a/b?c=d&e', '/demo.Echo/Say') },
  { weight: 2, arbitrary: fc.constantFrom(...TARGETS) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.constantFrom('/', '.', '..', '%2f', '%2e', ';', '?', 'a', '%', '\\'))
      .map((parts) => `/${parts.join('')}`),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
);
const method = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('GET', 'GET', 'POST', 'OPTIONS') },
  { weight: 1, arbitrary: fc.constantFrom('CONNECT', 'get') },
  { weight: 1, arbitrary: fc.string({ maxLength: 5 }) },
);

/** Fields that pass, alone or next to most others. */
const SOUND: readonly (readonly [string, string])[] = [
  ['Content-Length', '5'],
  ['transfer-encoding', 'chunked'],
  ['Connection', 'close, x-a'],
  ['Connection', 'keep-alive'],
  ['Expect', '100-continue'],
  ['Cookie', 'a=1'],
  ['cookie', 'b=2'],
  ['Authorization', 'Basic a'],
  ['content-type', 'application/json'],
  ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
  ['tracestate', 'a=1'],
  ['X-Forwarded-Client-Cert', 'evil'],
  ['x-envoy-x', '1'],
  ['x-a', '1'],
  ['X-B', ' 2 '],
  ['grpc-timeout', '1S'],
];
const HANDSHAKE = [
  'connection',
  'Upgrade',
  'upgrade',
  'websocket',
  'sec-websocket-version',
  '13',
  'sec-websocket-key',
  'AAAAAAAAAAAAAAAAAAAAAA==',
];

const pair = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...SOUND) },
  { weight: 1, arbitrary: fc.tuple(name, value) },
);
const pairs = fc.oneof(
  { weight: 5, arbitrary: fc.array(pair, { maxLength: 5 }).map((list) => list.flat()) },
  { weight: 1, arbitrary: fc.array(pair, { maxLength: 2 }).map((list) => [...HANDSHAKE, ...list.flat()]) },
);

const http1Head: fc.Arbitrary<RawHead> = fc.record({
  kind: fc.constant('http1' as const),
  version: fc.constantFrom('1.1', '1.1', '1.1', '1.0', '2.0'),
  method,
  target,
  headers: fc.oneof(
    { weight: 8, arbitrary: pairs.map((list) => ['Host', 'agent', ...list]) },
    { weight: 1, arbitrary: pairs },
    { weight: 1, arbitrary: fc.array(fc.string(), { maxLength: 5 }) },
  ),
  upgrade: fc.constantFrom(false, false, false, true),
});

const http2Head: fc.Arbitrary<RawHead> = fc
  .record({ method, target, pairs, grpc: fc.boolean(), endStream: fc.boolean() })
  .map((parts) => ({
    kind: 'http2' as const,
    headers: [
      ':method',
      parts.grpc ? 'POST' : parts.method,
      ':scheme',
      'https',
      ':authority',
      'agent',
      ':path',
      parts.target,
    ].concat(
      parts.grpc ? ['te', 'trailers', 'content-type', 'application/grpc'] : [],
      parts.pairs.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text)),
    ),
    endStream: parts.endStream,
  }));

const heads = fc.oneof(http1Head, http2Head);

const tolerances: fc.Arbitrary<PathTolerance> = fc.oneof(
  fc.constant(STRICT_PATHS),
  fc.record({ encodedSlashes: fc.boolean(), doubleSlashes: fc.boolean(), matrixParameters: fc.boolean() }),
);

/** The head that a forwarder would write for a canonical request: what the agent reads. */
function forwarded(request: CanonicalRequest): RawHead {
  if (request.protocol === 'HTTP/2') {
    const pseudo = [
      ':method',
      request.method,
      ':scheme',
      request.scheme,
      ':authority',
      request.authority,
      ':path',
      request.target,
    ];
    return { kind: 'http2', headers: [...pseudo, ...request.headers], endStream: request.body.kind === 'none' };
  }
  const upgrade = request.style === 'websocket';
  const about = [
    'host',
    request.authority,
    ...(upgrade ? ['connection', 'upgrade'] : []),
    ...(request.body.kind === 'stream' ? ['transfer-encoding', 'chunked'] : []),
    ...(request.expectContinue ? ['expect', '100-continue'] : []),
  ];
  const version = request.protocol.slice('HTTP/'.length);
  return {
    kind: 'http1',
    version,
    method: request.method,
    target: request.target,
    headers: [...about, ...request.headers],
    upgrade,
  };
}

/** All of a request but what is new each time by intention. */
function settled(request: CanonicalRequest): unknown {
  return { ...request, trace: { ...request.trace, parentSpanId: undefined }, expectContinue: false };
}

test('property: never throws, and refuses with a code of the table and a detail', () => {
  fc.assert(
    fc.property(heads, tolerances, (head, tolerance) => {
      const result = canonicalise(head, context({ tolerance }));
      if (result.ok) return;
      assert.ok(Object.hasOwn(FAULTS, result.error.code));
      assert.ok(result.error.detail.length > 0 && result.error.detail.length < 300);
    }),
    { numRuns: 3000 },
  );
});

test('property: what is forwarded reads back as the same request, so nothing is hidden from a second sidecar or the agent', () => {
  const passed = new Map<string, number>();
  fc.assert(
    fc.property(heads, tolerances, (head, tolerance) => {
      const first = canonicalise(head, context({ tolerance }));
      if (!first.ok) return;
      const kind = `${first.value.protocol} ${first.value.style}`;
      passed.set(kind, (passed.get(kind) ?? 0) + 1);
      const again = canonicalise(forwarded(first.value), context({ tolerance }));
      assert.ok(again.ok, again.ok ? '' : `${again.error.code}: ${again.error.detail}`);
      assert.deepEqual(settled(again.value), settled(first.value));
    }),
    { numRuns: 5000 },
  );
  // The property is worth nothing where hardly anything passes.
  for (const kind of ['HTTP/1.1 http', 'HTTP/1.1 websocket', 'HTTP/2 http', 'HTTP/2 grpc']) {
    assert.ok((passed.get(kind) ?? 0) >= 5, `${kind}: ${passed.get(kind)} passed`);
  }
});

test('property: an accepted request holds only tokens in lower case, visible values, no field about the connection, and ours once at the end', () => {
  fc.assert(
    fc.property(heads, (head) => {
      const result = canonicalise(head, context());
      if (!result.ok) return;
      const { headers, style, protocol } = result.value;
      assert.equal(headers.length % 2, 0);
      for (let i = 0; i < headers.length; i += 2) {
        assert.match(headers[i] as string, /^[!#$%&'*+.^`|~0-9a-z-]+$/);
        assert.match(headers[i + 1] as string, /^(?:[!-~](?:[\t -~]*[!-~])?)?$/);
      }
      const names = headers.filter((_, index) => index % 2 === 0);
      for (const gone of ['host', 'connection', 'transfer-encoding', 'expect', 'http2-settings'])
        assert.ok(!names.includes(gone), gone);
      assert.equal(names.includes('te'), protocol === 'HTTP/2' && headers.includes('trailers') && names.includes('te'));
      assert.equal(names.includes('upgrade'), style === 'websocket');
      for (const ours of ['x-forwarded-client-cert', 'x-request-id', 'traceparent'])
        assert.equal(names.filter((each) => each === ours).length, 1);
      assert.deepEqual(headers.slice(names.indexOf('x-forwarded-client-cert') * 2).slice(0, 4), OUR_FIELDS.slice(0, 4));
      assert.ok(names.every((each) => !each.startsWith('x-envoy-')));
    }),
    { numRuns: 3000 },
  );
});

test('property: the path means the same to policy, to a WHATWG URL and to a naive reader', () => {
  fc.assert(
    fc.property(heads, (head) => {
      const result = canonicalise(head, context());
      if (!result.ok || result.value.target === '*') return;
      const { path, query, authority } = result.value;
      const url = new URL(`https://${authority}${result.value.target}`);
      assert.equal(url.pathname, path);
      assert.equal(url.hash, '');
      const segments = path
        .slice(1)
        .split('/')
        .map((segment) => decodeURIComponent(segment));
      assert.deepEqual(parsedPath(path), segments);
      const parameters = parsedQuery(query);
      if (parameters.ok) assert.deepEqual(new Set(Object.keys(parameters.value)), new Set(url.searchParams.keys()));
    }),
    { numRuns: 3000 },
  );
});

test('property: a limit is a limit', () => {
  const limits = { ...DEFAULT_LIMITS, headerCount: 4, headerBytes: 300, targetBytes: 8 };
  fc.assert(
    fc.property(heads, (head) => {
      const result = canonicalise(head, context({ limits }));
      if (!result.ok) return;
      assert.ok(head.headers.length <= 8);
      assert.ok(head.headers.join('').length + (head.headers.length / 2) * 32 <= 300);
      assert.ok(result.value.target.length <= 8);
    }),
    { numRuns: 2000 },
  );
});
