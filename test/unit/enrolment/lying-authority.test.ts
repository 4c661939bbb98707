import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';

import fc from 'fast-check';

import { parseTrustDomain } from '../../../src/core/identity/spiffe-id.ts';
import { err, ok } from '../../../src/core/kernel/result.ts';
import { readEnrolled, readTrust } from '../../../src/io/enrolment/answers.ts';
import { createAuthorityClient, type AuthorityClient } from '../../../src/io/enrolment/authority-client.ts';
import { createDrivenClock, type DrivenClock } from '../../support/driven-clock.ts';
import { says, startLyingAuthority, type Lie, type LyingAuthority } from '../../support/lying-authority.ts';
import { freshCsr } from '../../support/served-authority.ts';
import { until } from '../../support/until.ts';

const SECRET = 'token-that-is-secret';

type World = { readonly lying: LyingAuthority; readonly client: AuthorityClient; readonly clock: DrivenClock };

async function world(context: TestContext): Promise<World> {
  const lying = await startLyingAuthority(context);
  const clock = createDrivenClock(Date.now());
  const client = createAuthorityClient(
    { url: lying.url, id: lying.id, method: 'join-token', token: 'token-file', timeoutMs: 9_000 },
    {
      readFile: () => Promise.resolve(ok({ bytes: Buffer.from(SECRET), mode: 0o600 })),
      clock,
      timer: clock.timer,
    },
  );
  context.after(() => client.stop());
  client.trustRoots(lying.root.bundle);
  return { lying, client, clock };
}

const TRUST = { revision: 'r1', bundles: { 'example.org': ['MAA='] }, crls: [] as string[], refresh_hint: 300 };
const SVID = {
  spiffe_id: 'spiffe://example.org/a',
  chain: ['MAA='],
  not_after: '2026-01-02T03:04:05.000Z',
  trust: TRUST,
};
const NO_JSON = 'the answer is no JSON object, or names a key twice';
const NO_BUNDLES = 'the trust document has no bundles of certificates';
const NO_HINT = 'the trust document has a refresh hint that is no number of seconds';

type Row = readonly [
  title: string,
  lie: Lie,
  kind: 'refused' | 'unavailable' | 'malformed',
  detail: string,
  retryAfterMs?: number,
];

const trust = (change: object): Lie => says(200, JSON.stringify({ ...SVID, trust: { ...TRUST, ...change } }));
const svid = (change: object): Lie => says(200, JSON.stringify({ ...SVID, ...change }));
const raw =
  (text: string): Lie =>
  (socket) =>
    void socket.end(text, 'latin1');

const CUT = 'the connection was cut';
const ROWS: readonly Row[] = [
  ['refuses', says(403, '{}'), 'refused', 'the authority refused; its log says why'],
  [
    'refuses with a page',
    says(403, '<html>', { 'content-type': 'text/html' }),
    'refused',
    'the authority refused; its log says why',
  ],
  ['is busy', says(429, '', { 'retry-after': '7' }), 'unavailable', 'the authority has too many requests of us', 7_000],
  [
    'is busy for a year',
    says(429, '', { 'retry-after': '31536000' }),
    'unavailable',
    'the authority has too many requests of us',
    600_000,
  ],
  [
    'says nonsense of when',
    says(429, '', { 'retry-after': '-1' }),
    'unavailable',
    'the authority has too many requests of us',
  ],
  ['is down', says(503, ''), 'unavailable', 'the authority cannot answer now (503)'],
  ['fails', says(500, SECRET), 'unavailable', 'the authority cannot answer now (500)'],
  ['is something else', says(404, ''), 'malformed', 'the authority answered 404'],
  ['redirects', says(307, '', { location: 'https://evil.example/' }), 'malformed', 'the authority answered 307'],
  ['wants authentication', says(401, '', { 'www-authenticate': 'Basic' }), 'malformed', 'the authority answered 401'],
  ['has no content', says(204, ''), 'malformed', 'the authority answered 204'],
  ['answers a part', says(206, JSON.stringify(SVID)), 'malformed', 'the authority answered 206'],
  ['says that nothing changed', raw('HTTP/1.1 304 x\r\n\r\n'), 'malformed', 'the authority answered 304'],
  ['says page', says(200, '<html>', { 'content-type': 'text/html' }), 'malformed', 'the answer is no JSON'],
  ['says no type', raw('HTTP/1.1 200 x\r\ncontent-length: 2\r\n\r\n{}'), 'malformed', 'the answer is no JSON'],
  ['says nothing', says(200, ''), 'malformed', NO_JSON],
  ['says garbage', says(200, Buffer.from([0, 255, 1])), 'malformed', NO_JSON],
  ['says a list', says(200, '[]'), 'malformed', NO_JSON],
  ['says a key twice', says(200, `{"spiffe_id":"a",${JSON.stringify(SVID).slice(1)}`), 'malformed', NO_JSON],
  ['nests', says(200, `{"spiffe_id":${'['.repeat(300)}${']'.repeat(300)}}`), 'malformed', NO_JSON],
  [
    'compresses',
    says(200, gzipSync(JSON.stringify(SVID)), { 'content-encoding': 'gzip' }),
    'malformed',
    'the answer is compressed, which was not asked for',
  ],
  [
    'announces 17 MiB',
    says(200, '', { 'content-length': String(17 * 1_048_576) }),
    'malformed',
    'the answer is larger than 16777216 bytes',
  ],
  ['pours', pour, 'malformed', 'the answer is larger than 16777216 bytes'],
  ['has a head without end', pourHead, 'malformed', 'the answer is no HTTP'],
  ['speaks no HTTP', raw('SSH-2.0-OpenSSH\r\n'), 'malformed', 'the answer is no HTTP'],
  [
    'has two lengths',
    raw('HTTP/1.1 200 x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}'),
    'malformed',
    'the answer is no HTTP',
  ],
  [
    'has length and chunks',
    raw('HTTP/1.1 200 x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n'),
    'malformed',
    'the answer is no HTTP',
  ],
  ['says less than it announced', says(200, '{', { 'content-length': '2' }), 'unavailable', CUT],
  ['cuts the connection', (socket) => void socket.destroy(), 'unavailable', CUT],
  ['cuts it within the head', raw('HTTP/1.1 200 x\r\ncontent-'), 'unavailable', CUT],
  [
    'switches protocols',
    raw('HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'),
    'unavailable',
    'the connection failed (unknown error)',
  ],
  ['says no ID', svid({ spiffe_id: undefined }), 'malformed', 'the answer has no SPIFFE ID'],
  ['says an ID that is none', svid({ spiffe_id: 'https://example.org/a' }), 'malformed', 'the answer has no SPIFFE ID'],
  ['says an ID that is a number', svid({ spiffe_id: 1 }), 'malformed', 'the answer has no SPIFFE ID'],
  ['says no end', svid({ not_after: undefined }), 'malformed', 'the answer has no end of validity'],
  ['says an end that is none', svid({ not_after: 'never' }), 'malformed', 'the answer has no end of validity'],
  ['gives no chain', svid({ chain: undefined }), 'malformed', 'the answer has no chain of certificates'],
  ['gives an empty chain', svid({ chain: [] }), 'malformed', 'the answer has no chain of certificates'],
  [
    'gives a chain of eleven',
    svid({ chain: Array.from({ length: 11 }, () => 'MAA=') }),
    'malformed',
    'the answer has no chain of certificates',
  ],
  ['gives a chain that is a text', svid({ chain: 'MAA=' }), 'malformed', 'the answer has no chain of certificates'],
  ['gives a chain with a number', svid({ chain: ['MAA=', 1] }), 'malformed', 'the answer has no chain of certificates'],
  ['gives a chain with nothing', svid({ chain: [''] }), 'malformed', 'the answer has no chain of certificates'],
  ['gives a chain that is no base64', svid({ chain: ['MAA'] }), 'malformed', 'the answer has no chain of certificates'],
  ['gives no trust', svid({ trust: undefined }), 'malformed', 'the trust document has no revision'],
  ['gives trust that is a list', svid({ trust: [] }), 'malformed', 'the trust document has no revision'],
  ['gives no revision', trust({ revision: undefined }), 'malformed', 'the trust document has no revision'],
  [
    'gives a revision with a line end',
    trust({ revision: 'a\r\nb' }),
    'malformed',
    'the trust document has no revision',
  ],
  ['gives an empty revision', trust({ revision: '' }), 'malformed', 'the trust document has no revision'],
  ['gives no bundles', trust({ bundles: undefined }), 'malformed', NO_BUNDLES],
  ['gives bundles as a list', trust({ bundles: [] }), 'malformed', NO_BUNDLES],
  ['gives a domain that is none', trust({ bundles: { ...TRUST.bundles, 'Example.org': [] } }), 'malformed', NO_BUNDLES],
  ['gives a bundle that is a text', trust({ bundles: { 'example.org': 'MAA=' } }), 'malformed', NO_BUNDLES],
  [
    'gives 257 domains',
    trust({ bundles: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`d${i}`, []])) }),
    'malformed',
    NO_BUNDLES,
  ],
  [
    'leaves out our own domain',
    trust({ bundles: { 'other.example': ['MAA='] } }),
    'malformed',
    'the trust document has no roots of example.org',
  ],
  [
    'empties our own domain',
    trust({ bundles: { 'example.org': [] } }),
    'malformed',
    'the trust document has no roots of example.org',
  ],
  ['gives no lists', trust({ crls: undefined }), 'malformed', 'the trust document has no list of revocation lists'],
  [
    'gives 257 lists',
    trust({ crls: Array.from({ length: 257 }, () => 'MAA=') }),
    'malformed',
    'the trust document has no list of revocation lists',
  ],
  ['gives a hint as text', trust({ refresh_hint: '300' }), 'malformed', NO_HINT],
  ['gives a hint below zero', trust({ refresh_hint: -1 }), 'malformed', NO_HINT],
  ['gives a hint of a half', trust({ refresh_hint: 0.5 }), 'malformed', NO_HINT],
  ['gives a hint without end', says(200, JSON.stringify(SVID).replace('300', '1e999')), 'malformed', NO_HINT],
];

function pour(socket: Parameters<Lie>[0]): void {
  socket.write('HTTP/1.1 200 x\r\ncontent-type: application/json\r\n\r\n');
  fill(socket, Buffer.alloc(1_048_576, 0x20));
}

function pourHead(socket: Parameters<Lie>[0]): void {
  socket.write('HTTP/1.1 200 x\r\n');
  fill(socket, Buffer.from(`x: ${'a'.repeat(1_000)}\r\n`));
}

function fill(socket: Parameters<Lie>[0], piece: Buffer): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece)) {
      // As much as goes without waiting.
    }
  };
  socket.on('drain', more);
  more();
}

describe('an authority that', () => {
  for (const [title, lie, kind, detail, retryAfterMs] of ROWS) {
    test(`${title}: ${kind}`, async (context) => {
      const { lying, client, clock } = await world(context);
      lying.lie = lie;
      const { csr } = await freshCsr();
      const answer = await client.enrol(csr);
      assert.deepEqual(answer, err({ kind, detail, ...(retryAfterMs !== undefined && { retryAfterMs }) }));
      assert.ok(!JSON.stringify(answer).includes(SECRET));
      assert.equal(clock.timers, 0);
    });
  }

  const SLOW: Readonly<Record<string, Lie>> = {
    'never answers': () => undefined,
    'stops within the head': (socket) => void socket.write('HTTP/1.1 200 x\r\n'),
    'stops within the body': (socket) =>
      void socket.write('HTTP/1.1 200 x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{'),
    'only ever says 100': (socket) => void socket.write('HTTP/1.1 100 x\r\n\r\n'.repeat(50)),
  };
  for (const [title, lie] of Object.entries(SLOW)) {
    test(`${title} has until the deadline`, async (context) => {
      const { lying, client, clock } = await world(context);
      lying.lie = lie;
      const { csr } = await freshCsr();
      const answer = client.enrol(csr);
      await until('the request', () => lying.requests.length === 1);
      clock.advance(9_000);
      assert.deepEqual(await answer, err({ kind: 'unavailable', detail: 'no whole answer within 9000 ms' }));
      assert.equal(clock.timers, 0);
    });
  }

  test('says what it should, and keys that we do not know yet', async (context) => {
    const { lying, client } = await world(context);
    lying.lie = says(200, JSON.stringify({ ...SVID, future: 1, trust: { ...TRUST, future: {} } }));
    const { csr, base64: text } = await freshCsr();
    const enrolled = await client.enrol(csr);
    assert.equal(enrolled.ok && enrolled.value.spiffeId, SVID.spiffe_id);
    assert.equal(enrolled.ok && enrolled.value.trust.refreshHintMs, 300_000);
    const [head = '', body = ''] = lying.requests[0]?.split('\r\n\r\n') ?? [];
    assert.match(head, /^POST \/v1\/svid HTTP\/1\.1\r\n/);
    assert.match(head, /\r\nhost: 127\.0\.0\.1:\d+\r\n/i);
    assert.match(head, /\r\nconnection: close(\r\n|$)/i);
    if (body !== '') assert.deepEqual(JSON.parse(body), { csr: text, method: 'join-token', token: SECRET });
  });

  test('says that nothing changed to one who has nothing', async (context) => {
    const { lying, client } = await world(context);
    lying.lie = raw('HTTP/1.1 304 x\r\n\r\n');
    const detail = 'the answer is 304, though we hold nothing';
    assert.deepEqual(await client.trust(undefined, 0), err({ kind: 'malformed', detail }));
  });

  test('has a revision with characters that would end a query', async (context) => {
    const { lying, client } = await world(context);
    lying.lie = says(200, JSON.stringify(TRUST));
    assert.equal((await client.trust('a&wait=9#x%20', 5_999)).ok, true);
    assert.match(lying.requests[0] ?? '', /^GET \/v1\/trust\?revision=a%26wait%3D9%23x%2520&wait=5 HTTP/);
  });
});

function base64(all: readonly Uint8Array[]): string[] {
  return all.map((der) => Buffer.from(der).toString('base64'));
}

describe('reading answers', () => {
  const domain = parseTrustDomain('example.org');
  assert.ok(domain.ok);
  test('property: no text throws, and none but a whole answer is understood', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (text) => {
        assert.equal(readEnrolled(text, domain.value).ok, false);
        assert.equal(readTrust(text, domain.value).ok, false);
      }),
    );
  });

  test('property: what was said of trust is read as it was said', () => {
    const list = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 5 });
    const own = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(list, own, list, fc.nat(86_400), (crls, mine, theirs, hint) => {
        const bundles = { 'example.org': base64(mine), 'partner.example': base64(theirs) };
        const text = JSON.stringify({ revision: 'r', bundles, crls: base64(crls), refresh_hint: hint });
        const read = readTrust(text, domain.value);
        assert.ok(read.ok);
        assert.deepEqual([...read.value.bundles.values()].map(base64), Object.values(bundles));
        assert.deepEqual(base64(read.value.crls), base64(crls));
        assert.equal(read.value.refreshHintMs, hint * 1_000);
      }),
    );
  });
});
