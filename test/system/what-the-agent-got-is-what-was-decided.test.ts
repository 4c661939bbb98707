import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import fc from 'fast-check';

import type { DecisionRecord } from '../../src/core/model/record.ts';
import { startEchoUpstream, valueOf, type EchoUpstream, type Received } from '../support/echo-upstream.ts';
import { connectFrames, FLAG, frame, headerBlock, TYPE } from '../support/http2-frame-peer.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import { startSystem, type System } from '../support/system.ts';

/** Allows everything and tells the agent what it saw. */
const TELLS = `package test.authz

decision := {"allowed": true, "headers": {"x-saw": base64.encode(json.marshal(saw))}}

saw := {
	"http": input.attributes.request.http,
	"parsed_path": input.parsed_path,
	"parsed_query": input.parsed_query,
}
`;

type Saw = {
  readonly http: { readonly method: string; readonly path: string; readonly host: string; readonly headers: Fields };
  readonly parsed_path: readonly string[];
  readonly parsed_query: Readonly<Record<string, readonly string[]>>;
};
type Fields = Readonly<Record<string, string>>;

/** Framing of the hop to the agent, what policy added, and what policy has elsewhere (`http.host`). */
const OF_THE_HOP = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'x-saw']);
const MASKED = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);

/** What would be said to the agent, from what it received. */
function readingOf({ protocol, requestLine, headers }: Received): Saw['http'] {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    if (OF_THE_HOP.has(name) || name.startsWith(':')) continue;
    fields[name] = name in fields ? `${fields[name]},${headers[i + 1]}` : (headers[i + 1] ?? '');
  }
  const [method = '', path = '', version] = requestLine.split(' ');
  if (protocol === 'h2c') {
    const pseudo = (name: string): string => valueOf(headers, name) ?? '';
    return { method: pseudo(':method'), path: pseudo(':path'), host: pseudo(':authority'), headers: fields };
  }
  assert.equal(version, 'HTTP/1.1');
  return { method, path, host: valueOf(headers, 'host') ?? '', headers: fields };
}

/** Fields in the order of their names. */
function fieldsSeen({ headers }: Saw['http'], without: ReadonlySet<string> = OF_THE_HOP): readonly unknown[] {
  const kept = Object.entries(headers).filter(([name]) => {
    return !name.startsWith(':') && !OF_THE_HOP.has(name) && !without.has(name);
  });
  return kept.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** One thing that reached the agent, against what policy saw and what was written down. */
function compare(received: Received, record: DecisionRecord): void {
  const got = readingOf(received);
  const saw = JSON.parse(Buffer.from(valueOf(received.headers, 'x-saw') ?? '', 'base64').toString()) as Saw;
  assert.equal(saw.http.method, got.method);
  assert.equal(saw.http.path, got.path);
  assert.equal(saw.http.host, got.host);
  assert.deepEqual(fieldsSeen(saw.http), fieldsSeen(got));
  const [path = '', query] = splitAt(got.path, '?');
  assert.deepEqual(saw.parsed_path, path.replace(/^\//, '').split('/').map(decodeURIComponent));
  assert.deepEqual(saw.parsed_query, parametersOf(query ?? ''));

  const input = record.input as unknown as { readonly attributes: { readonly request: Saw } } & Saw;
  assert.equal(record.sallyport.verdict, 'allow');
  const { http } = input.attributes.request;
  assert.deepEqual([http.method, http.path, http.host], [got.method, got.path, got.host]);
  assert.deepEqual(input.parsed_path, saw.parsed_path);
  assert.deepEqual(input.parsed_query, saw.parsed_query);
  assert.deepEqual(fieldsSeen(http, MASKED), fieldsSeen(saw.http, MASKED));
}

/** A reading of the query by other code than ours. */
function parametersOf(query: string): Readonly<Record<string, readonly string[]>> {
  const parameters = new URLSearchParams(query);
  return Object.fromEntries([...parameters.keys()].map((name) => [name, parameters.getAll(name)]));
}

function splitAt(text: string, mark: string): readonly string[] {
  const at = text.indexOf(mark);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** What happened since a mark: everything received has one allowing record that agrees; everything else was refused with a fault, once. */
class Witness {
  readonly #system: System;
  readonly #upstream: EchoUpstream;
  #records = 0;
  #received = 0;
  forwarded = 0;
  refused = 0;

  constructor(system: System, upstream: EchoUpstream) {
    this.#system = system;
    this.#upstream = upstream;
  }

  async settle(): Promise<void> {
    const received = this.#upstream.received.slice(this.#received);
    const ids = received.map((each) => valueOf(each.headers, 'x-request-id') ?? 'none');
    const records = await this.#system.sidecar.recordsWhen('one for everything that reached the agent', (all) => {
      const fresh = all.slice(this.#records);
      const known = new Set(fresh.map((record) => record.decision_id));
      return fresh.length > 0 && ids.every((id) => known.has(id)) ? fresh : undefined;
    });
    // `OPTIONS *` is allowed and then given up by the HTTP/1.1 forwarder, which cannot send it: nothing reached the agent, and the record says so.
    const answered = records.filter(({ sallyport }) => sallyport.outcome.kind === 'forwarded');
    assert.deepEqual(answered.map((record) => record.decision_id).sort(), ids.sort(), 'forwarded = received');
    for (const each of received) {
      const id = valueOf(each.headers, 'x-request-id');
      const [record, ...more] = records.filter(({ decision_id }) => decision_id === id);
      assert.ok(record !== undefined && more.length === 0, 'exactly one record');
      compare(each, record);
    }
    for (const { sallyport } of records) {
      if (sallyport.verdict === 'deny') assert.notEqual(sallyport.fault, undefined);
    }
    this.forwarded += received.length;
    this.refused += records.length - received.length;
    this.#records += records.length;
    this.#received += received.length;
  }
}

const SEGMENTS = fc.oneof(
  { weight: 6, arbitrary: fc.stringMatching(/^[a-zA-Z0-9._~!$&'()*+,=:@-]{1,8}$/) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '..',
      '.',
      '',
      '%2e%2e',
      '%2F',
      '%2f..',
      '%5C',
      '\\',
      '%00',
      ';x=1',
      'a;b',
      '%',
      '%zz',
      '%41',
      '%c3%a9',
      '%ff',
      'a b',
      '\u00e9',
      '#frag',
      '%23',
      '%3F',
      '"',
      '<x>',
      '|',
      '^',
      '`',
      '{}',
      '%25',
      '%252e',
      '\t',
      '\x7f',
      '*',
    ),
  },
);
const PATHS = fc.array(SEGMENTS, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
const QUERIES = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('', '?', '?a=1', '?a=1&a=2&b', '?q=%20+x', '?a=%C3%A9&b=%2F') },
  { weight: 1, arbitrary: fc.constantFrom('?%', '?a=%zz', '?a=1#f', '?a=1?b=2', '?\u00ff=1', '?a;b=1', '?=', '?&&') },
);
const TARGETS = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(PATHS, QUERIES).map(([path, query]) => path + query) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('*', 'agent.test:443', 'https://agent.test/abs?x=1', 'http://other.test/abs', '//x', ''),
  },
);
const METHODS = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH') },
  { weight: 1, arbitrary: fc.constantFrom('CONNECT', 'TRACE', 'get', 'PURGE', 'G\x00T', 'GET ', 'X(') },
);
const VALUES = fc.oneof(
  { weight: 5, arbitrary: fc.stringMatching(/^[!-~]([ -~]{0,12}[!-~])?$/) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', '\u00e9\u00ff', 'a\tb', 'a\x00b', 'a\rb', 'a\x7fb', ' x ', 'a,b', '\x1b[31m'),
  },
);
const NAMES = fc.oneof(
  { weight: 5, arbitrary: fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,10}$/).map((name) => `X-${name}`) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'Accept',
      'Cookie',
      'Authorization',
      'X-Forwarded-Client-Cert',
      'Client-Cert',
      'X-Request-Id',
      'Traceparent',
      'Forwarded',
      'X-Forwarded-For',
      'Referer',
      '__proto__',
      'constructor',
      'X_Under',
      'x-saw',
      'Sallyport-Peer',
      'Keep-Alive',
      'Proxy-Connection',
      'Trailer',
      'Upgrade',
      'TE',
      'Expect',
      'Content-Type',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('a b', 'x\x00', '', ' x', 'x(y)', 'x\u00e9', 'x ', ':path', 'Host', 'Connection'),
  },
);
const FIELDS = fc.array(fc.tuple(NAMES, VALUES), { maxLength: 5 });

/** Lines that decide where a message ends, right and wrong. The sentinel after it (over 60 bytes) completes any length here. */
const FRAMING = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(['', ''], ['Content-Length: 5\r\n', 'hello'], ['Content-Length: 0\r\n', '']),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ['Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'],
      ['Transfer-Encoding: chunked\r\n', '5;x=y\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n'],
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ['Content-Length: 5\r\nContent-Length: 6\r\n', 'hello'],
      ['Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
      ['Content-Length: +5\r\n', 'hello'],
      ['Content-Length: 5, 5\r\n', 'hello'],
      ['Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'],
      ['Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n'],
      ['Transfer-Encoding : chunked\r\n', '0\r\n\r\n'],
      ['Transfer-Encoding: chunked\r\n', 'g\r\nhello\r\n0\r\n\r\n'],
      ['Transfer-Encoding: chunked\r\n', '5\nhello\n0\n\n'],
      ['Transfer-Encoding: chunked\r\n', '-5\r\nhello\r\n0\r\n\r\n'],
      ['X-Folded: a\r\n b\r\n', ''],
      ['X-Bare: a\nX-Line: b\r\n', ''],
    ),
  },
);
const SEPARATORS = fc.constantFrom(': ', ': ', ': ', ': ', ':', ' : ');
const HOSTS = fc.oneof(
  { weight: 10, arbitrary: fc.constant('Host: agent.test\r\n') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', 'Host:\r\n', 'Host: a b\r\n', 'Host: a/b\r\n', 'Host: x@y\r\n', 'Host: a:99999\r\n'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('Host: one.test\r\nHost: two.test\r\n', 'Host: [::1]:80\r\n', 'HOST: A.test\r\n'),
  },
);
const VERSIONS = fc.oneof(
  { weight: 20, arbitrary: fc.constant('HTTP/1.1') },
  { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.1 ', 'http/1.1', 'ICE/1.0', '') },
);
const HTTP1 = fc
  .tuple(METHODS, TARGETS, VERSIONS, HOSTS, fc.array(fc.tuple(NAMES, SEPARATORS, VALUES), { maxLength: 4 }), FRAMING)
  .map(([method, target, version, host, fields, [framing, body]]) => {
    const lines = fields.map(([name, separator, value]) => `${name}${separator}${value}\r\n`).join('');
    return `${method} ${target} ${version}\r\n${host}${lines}${framing}\r\n${body}`;
  });

/** Ends the connection whatever came before, and completes whatever that left open. */
const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: agent.test\r\nConnection: close\r\n\r\n';

const PSEUDO = fc.oneof(
  { weight: 12, arbitrary: fc.constant<readonly (readonly [string, string])[]>([]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<readonly (readonly [string, string])[]>(
      [[':path', '/second']],
      [[':protocol', 'websocket']],
      [[':status', '200']],
      [['host', 'other.test']],
      [['connection', 'close']],
      [['transfer-encoding', 'chunked']],
      [['content-length', '7']],
      [['X-Upper', 'case']],
    ),
  },
);
const AUTHORITIES = fc.oneof(
  { weight: 10, arbitrary: fc.constant('agent.test') },
  { weight: 1, arbitrary: fc.constantFrom('', 'a b', 'x@y', 'a/b', 'A.test', 'a:0') },
);
const SCHEMES = fc.oneof(
  { weight: 12, arbitrary: fc.constant('https') },
  { weight: 1, arbitrary: fc.constantFrom('http', 'ftp', '') },
);
const HTTP2 = fc
  .tuple(METHODS, TARGETS, AUTHORITIES, SCHEMES, FIELDS, PSEUDO)
  .map(([method, target, authority, scheme, fields, more]) => {
    const pseudo = [
      [':method', method],
      [':scheme', scheme],
      [':authority', authority],
      [':path', target],
    ] as const;
    const regular = fields.map(([name, value]) => [name.toLowerCase(), value] as const);
    return [...pseudo, ...regular, ...more];
  });

async function startWitnessed(context: TestContext): Promise<{
  readonly system: System;
  readonly witness: Witness;
}> {
  const upstream = await startEchoUpstream();
  context.after(upstream.close);
  const system = await startSystem(context, {
    upstream: `auto://127.0.0.1:${upstream.port}`,
    policy: TELLS,
    limits: { headTimeout: '500ms', requestTimeout: '500ms' },
  });
  return { system, witness: new Witness(system, upstream) };
}

test(
  'HTTP/1.1: what reached the agent = what policy saw = what the record says',
  { timeout: 120_000 },
  async (context) => {
    const { system, witness } = await startWitnessed(context);
    await fc.assert(
      fc.asyncProperty(HTTP1, async (bytes) => {
        const peer = await connectRaw({ port: system.sidecar.port, tls: system.tls() });
        peer.send(bytes + SENTINEL);
        await peer.rest();
        await witness.settle();
      }),
      { numRuns: 300, endOnFailure: true },
    );
    context.diagnostic(`${witness.forwarded} forwarded, ${witness.refused} refused`);
    assert.ok(witness.forwarded > 100 && witness.refused > 100, 'both kinds were there');
  },
);

test(
  'HTTP/2: what reached the agent = what policy saw = what the record says',
  { timeout: 120_000 },
  async (context) => {
    const { system, witness } = await startWitnessed(context);
    await fc.assert(
      fc.asyncProperty(HTTP2, async (fields) => {
        const peer = await connectFrames({ port: system.sidecar.port, tls: system.tls(undefined, 'h2') });
        peer.send(frame(TYPE.headers, FLAG.endStream | FLAG.endHeaders, 1, headerBlock(fields)));
        await Promise.any([
          peer.next(TYPE.headers, ({ flags }) => (flags & FLAG.endStream) !== 0),
          peer.next(TYPE.data, ({ flags }) => (flags & FLAG.endStream) !== 0),
          peer.next(TYPE.rstStream),
          peer.ended,
        ]);
        peer.close();
        await witness.settle();
      }),
      { numRuns: 300, endOnFailure: true },
    );
    context.diagnostic(`${witness.forwarded} forwarded, ${witness.refused} refused`);
    assert.ok(witness.forwarded > 30 && witness.refused > 30, 'both kinds were there');
  },
);
