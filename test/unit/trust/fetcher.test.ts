import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';

import { judgeBundleEndpoint } from '../../../src/core/identity/bundle-endpoint.ts';
import { err } from '../../../src/core/kernel/result.ts';
import { createTrustFetcher, type Fetched, type TrustFetcher } from '../../../src/io/trust/fetcher.ts';
import { readBounded } from '../../../src/io/sources/read-file.ts';
import { createAuthority } from '../../support/pki.ts';
import { createManualTimer } from '../../support/manual-timer.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { TrustServer, webIdentity } from '../../support/trust-server.ts';
import { until } from '../../support/until.ts';

import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { JudgeEndpoint, TrustAddress } from '../../../src/io/trust/settings.ts';

const TIMEOUT = 60_000;

type World = {
  readonly server: TrustServer;
  readonly trustBundle: string;
  readonly clock: ReturnType<typeof createManualTimer>;
  readonly fetcher: (address: TrustAddress) => TrustFetcher;
  /** One question for a bundle by `https_web`. */
  readonly ask: (path: string) => Promise<Fetched>;
};

async function world(context: TestContext, dnsName?: string): Promise<World> {
  const { issued, authorityPem } = webIdentity(dnsName);
  const server = await new TrustServer(issued).start(context);
  const trustBundle = join(await tempFolder(context), 'ca.pem');
  await writeFile(trustBundle, authorityPem);
  const clock = createManualTimer();
  const fetcher = (address: TrustAddress): TrustFetcher => {
    const made = createTrustFetcher({ ...address, timeoutMs: TIMEOUT }, { readFile: readBounded, timer: clock.timer });
    context.after(() => made.stop());
    return made;
  };
  const ask = (path: string): Promise<Fetched> =>
    fetcher({ kind: 'https_web', url: server.url(path), trustBundle }).fetch(undefined);
  return { server, trustBundle, clock, fetcher, ask };
}

function textOf(fetched: Fetched): string {
  assert.equal(fetched.kind, 'content', JSON.stringify(fetched));
  return fetched.kind === 'content' ? Buffer.from(fetched.bytes).toString() : '';
}

function detailOf(fetched: Fetched): string {
  assert.equal(fetched.kind, 'failed', JSON.stringify(fetched));
  return fetched.kind === 'failed' ? fetched.detail : '';
}

describe('https_web (SPIFFE Federation 5.2.1)', () => {
  test('a bundle is fetched with a plain GET: no credentials, no cookies, no certificate', async (context) => {
    const { server, ask } = await world(context);
    server.offer('/bundle', 'content', { 'set-cookie': 'a=b' });
    assert.equal(textOf(await ask('/bundle?x=1')), 'content');
    await ask('/bundle');
    const names = server.received.flatMap(({ headers }) => Object.keys(headers));
    assert.deepEqual([...new Set(names)].sort(), ['accept', 'accept-encoding', 'connection', 'host']);
    assert.equal(server.received[0]?.headers['accept-encoding'], 'identity');
    assert.deepEqual(server.connections, [
      { resumed: false, certified: false },
      { resumed: false, certified: false },
    ]);
  });

  test('a server of another authority is refused, before it is asked', async (context) => {
    const { server, fetcher } = await world(context);
    const other = join(await tempFolder(context), 'other.pem');
    await writeFile(other, webIdentity().authorityPem);
    server.offer('/bundle', 'content');
    const address = { kind: 'https_web', url: server.url('/bundle') } as const;
    assert.match(
      detailOf(await fetcher({ ...address, trustBundle: other }).fetch(undefined)),
      /from no authority that we believe/,
    );
    assert.match(detailOf(await fetcher(address).fetch(undefined)), /from no authority that we believe/);
    assert.deepEqual(server.received, []);
  });

  test('a certificate for another host name is refused, whatever the environment says', async (context) => {
    const { server, ask } = await world(context, 'other.test');
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    context.after(() => {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    });
    assert.match(detailOf(await ask('/bundle')), /for another host name/);
    assert.deepEqual(server.received, []);
  });

  test('a CA file that is not there or holds nothing does not fall back on the system', async (context) => {
    const { server, trustBundle, fetcher } = await world(context);
    const address = { kind: 'https_web', url: server.url('/bundle'), trustBundle } as const;
    await writeFile(trustBundle, '\n');
    assert.match(detailOf(await fetcher(address).fetch(undefined)), /ca\.pem: holds no certificate in PEM$/);
    const missing = await fetcher({ ...address, trustBundle: `${trustBundle}.not` }).fetch(undefined);
    assert.match(detailOf(missing), /there is no such file$/);
  });
});

describe('https_spiffe (SPIFFE Federation 5.2.2)', () => {
  const root = createAuthority();
  const id = 'spiffe://example.org/bundle-server' as SpiffeId;
  const judge: JudgeEndpoint = (chain) =>
    judgeBundleEndpoint(chain, { id, trustDomain: 'example.org' as TrustDomain, bundle: root.bundle }, Date.now());

  test('who serves it proves the configured ID, with its intermediates, whatever the host is called', async (context) => {
    const { fetcher } = await world(context);
    const server = await new TrustServer(root.intermediate().issue({ id })).start(context);
    server.offer('/bundle', 'content');
    const address = { kind: 'https_spiffe', url: server.url('/bundle', '127.0.0.1'), judge } as const;
    const one = fetcher(address);
    assert.equal(textOf(await one.fetch(undefined)), 'content');
    assert.equal(textOf(await one.fetch(undefined)), 'content');
    assert.deepEqual(
      server.connections.map(({ resumed }) => resumed),
      [false, false],
      'the whole chain, each time',
    );
  });

  test('a redirect to the same server is a handshake of its own, whole chain and all', async (context) => {
    const { fetcher } = await world(context);
    const server = await new TrustServer(root.intermediate().issue({ id })).start(context);
    server.status('/1', 307, { location: '/2' });
    server.status('/2', 307, { location: '/3' });
    server.offer('/3', 'content');
    assert.equal(
      textOf(await fetcher({ kind: 'https_spiffe', url: server.url('/1'), judge }).fetch(undefined)),
      'content',
    );
    assert.deepEqual(
      server.connections.map(({ resumed }) => resumed),
      [false, false, false],
    );
  });

  test('another ID, another root and a web certificate are refused before a byte is sent', async (context) => {
    const { server, fetcher } = await world(context);
    const impostors = [root.issue(), createAuthority().issue({ id })].map((issued) => new TrustServer(issued));
    const servers = [server, ...(await Promise.all(impostors.map((one) => one.start(context))))];
    for (const one of servers) {
      one.offer('/bundle', 'content');
      const fetched = await fetcher({ kind: 'https_spiffe', url: one.url('/bundle'), judge }).fetch(undefined);
      assert.match(detailOf(fetched), /: is not the configured endpoint: /);
      assert.deepEqual(one.received, []);
    }
  });

  test('each question is judged anew', async (context) => {
    const { fetcher } = await world(context);
    const server = await new TrustServer(root.issue({ id })).start(context);
    server.offer('/bundle', 'content');
    let current = judge;
    const one = fetcher({ kind: 'https_spiffe', url: server.url('/bundle'), judge: (chain) => current(chain) });
    assert.equal(textOf(await one.fetch(undefined)), 'content');
    current = () => err('not any more');
    assert.match(detailOf(await one.fetch(undefined)), /not any more/);
  });

  test('5.2.2.4: after a redirect the same ID must be proven', async (context) => {
    const { fetcher } = await world(context);
    const first = await new TrustServer(root.issue({ id })).start(context);
    const same = await new TrustServer(root.issue({ id })).start(context);
    const other = await new TrustServer(root.issue()).start(context);
    for (const one of [same, other]) one.offer('/there', 'moved');
    const one = fetcher({ kind: 'https_spiffe', url: first.url('/bundle'), judge });
    first.status('/bundle', 307, { location: same.url('/there') });
    assert.equal(textOf(await one.fetch(undefined)), 'moved');
    first.status('/bundle', 307, { location: other.url('/there') });
    assert.match(detailOf(await one.fetch(undefined)), /is not the configured endpoint/);
    assert.deepEqual(other.received, []);
  });
});

describe('redirects (SPIFFE Federation 7.5.1)', () => {
  test('temporary ones are followed, relative ones too', async (context) => {
    const { server, ask } = await world(context);
    server.offer('/there', 'content');
    for (const status of [302, 303, 307]) {
      server.status('/bundle', status, { location: status === 302 ? '../there#part' : server.url('/there') });
      assert.equal(textOf(await ask('/bundle')), 'content', String(status));
    }
  });

  test('permanent ones are not', async (context) => {
    const { server, ask } = await world(context);
    server.offer('/there', 'content');
    for (const status of [301, 308]) {
      server.status('/bundle', status, { location: server.url('/there') });
      assert.match(
        detailOf(await ask('/bundle')),
        new RegExp(`answered ${status}: a permanent redirect is not followed`),
      );
    }
    server.status('/bundle', 300, { location: server.url('/there') });
    assert.match(detailOf(await ask('/bundle')), /answered 300$/);
    assert.ok(server.received.every(({ path }) => path === '/bundle'));
  });

  test('three at most', async (context) => {
    const { server, ask } = await world(context);
    server.offer('/4', 'content');
    for (const step of [0, 1, 2, 3]) server.status(`/${step}`, 307, { location: `/${step + 1}` });
    assert.equal(textOf(await ask('/1')), 'content');
    assert.match(detailOf(await ask('/0')), /more than 3 redirects/);
    server.status('/round', 307, { location: '/round' });
    assert.match(detailOf(await ask('/round')), /more than 3 redirects/);
  });

  test('only to what may be configured: https, no user information', async (context) => {
    const { server, ask } = await world(context);
    const plain = await new TrustServer(undefined).start(context);
    plain.offer('/there', 'content');
    const wrong: readonly (readonly [string, RegExp])[] = [
      [plain.url('/there'), /a Location that is not https$/],
      ['file:///etc/passwd', /a Location that is not https$/],
      [server.url('/there').replace('://', '://user:secret@'), /a Location that holds user information$/],
      ['https://[', /a Location that is no URL/],
      [`/${'a'.repeat(3_000)}`, /a Location that is no URL of at most 2048/],
    ];
    for (const [location, why] of wrong) {
      server.status('/bundle', 307, { location });
      const detail = detailOf(await ask('/bundle'));
      assert.match(detail, why);
      assert.ok(!detail.includes('secret') && !detail.includes('passwd'));
    }
    server.status('/bundle', 307);
    assert.match(detailOf(await ask('/bundle')), /a Location that is missing$/);
    assert.deepEqual(plain.received, []);
  });

  test('a revocation list is fetched from where the configuration says, and nowhere else', async (context) => {
    const { server, trustBundle, fetcher } = await world(context);
    const plain = await new TrustServer(undefined).start(context);
    for (const one of [server, plain]) one.offer('/there', 'content');
    for (const [from, file] of [
      [server, trustBundle],
      [plain, undefined],
    ] as const) {
      from.status('/list', 307, { location: server.url('/there') });
      const fetched = await fetcher({ kind: 'revocation-list', url: from.url('/list'), trustBundle: file }).fetch(
        undefined,
      );
      assert.match(detailOf(fetched), /answered 307: redirects are not followed/);
    }
    assert.ok(server.received.every(({ path }) => path === '/list'));
  });
});

describe('revocation lists', () => {
  test('RFC 5280 4.2.1.13: plain HTTP is allowed', async (context) => {
    const { fetcher } = await world(context);
    const plain = await new TrustServer(undefined).start(context);
    plain.offer('/list', 'content');
    assert.equal(
      textOf(await fetcher({ kind: 'revocation-list', url: plain.url('/list') }).fetch(undefined)),
      'content',
    );
  });

  test('a bundle is not fetched over plain HTTP', async (context) => {
    const { fetcher } = await world(context);
    const plain = await new TrustServer(undefined).start(context);
    for (const address of [
      { kind: 'https_web', url: plain.url('/bundle') },
      { kind: 'https_spiffe', url: plain.url('/bundle'), judge: () => err('asked') },
    ] as const) {
      assert.match(detailOf(await fetcher(address).fetch(undefined)), /is not https$/);
    }
    assert.deepEqual(plain.received, []);
  });

  test('they may be larger than bundles', async (context) => {
    const { server, trustBundle, fetcher, ask } = await world(context);
    server.offer('/big', Buffer.alloc(1_048_577));
    const fetched = await fetcher({ kind: 'revocation-list', url: server.url('/big'), trustBundle }).fetch(undefined);
    assert.equal(fetched.kind === 'content' ? fetched.bytes.length : 0, 1_048_577);
    assert.match(detailOf(await ask('/big')), /larger than 1048576 bytes/);
    server.offer('/big', Buffer.alloc(16_777_217));
    const over = await fetcher({ kind: 'revocation-list', url: server.url('/big'), trustBundle }).fetch(undefined);
    assert.match(detailOf(over), /larger than 16777216 bytes/);
  });
});

describe('validators (RFC 9110 13.1)', () => {
  test('what did not change is not sent again', async (context) => {
    const { server, trustBundle, fetcher } = await world(context);
    const lastModified = 'Sat, 21 Nov 2026 10:00:00 GMT';
    server.answers.set('/bundle', (request, response) => {
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"1"', 'last-modified': lastModified }).end('content');
    });
    const one = fetcher({ kind: 'https_web', url: server.url('/bundle'), trustBundle });
    const first = await one.fetch(undefined);
    assert.ok(first.kind === 'content');
    assert.deepEqual(first.validators, { url: server.url('/bundle'), etag: '"1"', lastModified });
    assert.deepEqual(await one.fetch(first.validators), { kind: 'unchanged' });
    assert.equal(server.received[1]?.headers['if-modified-since'], lastModified);
  });

  test('they are shown to the URL that gave them only', async (context) => {
    const { server, trustBundle, fetcher } = await world(context);
    server.status('/bundle', 307, { location: '/there' });
    server.offer('/there', 'content', { etag: '"1"' });
    const one = fetcher({ kind: 'https_web', url: server.url('/bundle'), trustBundle });
    const first = await one.fetch(undefined);
    assert.ok(first.kind === 'content');
    await one.fetch(first.validators);
    assert.deepEqual(
      server.received.map(({ path, headers }) => [path, headers['if-none-match']]),
      [
        ['/bundle', undefined],
        ['/there', undefined],
        ['/bundle', undefined],
        ['/there', '"1"'],
      ],
    );
  });

  test('304 to a question without condition is no answer', async (context) => {
    const { server, ask } = await world(context);
    server.status('/bundle', 304);
    assert.match(detailOf(await ask('/bundle')), /answered 304$/);
  });

  test('what may not stand in a header field is not kept', async (context) => {
    const { server, ask } = await world(context);
    for (const etag of ['1', '"a b"', `"${'x'.repeat(1_025)}"`, '""x']) {
      server.offer('/bundle', 'content', { etag, 'last-modified': 'yesterday' });
      const fetched = await ask('/bundle');
      assert.equal(fetched.kind === 'content' ? fetched.validators : 'none', undefined, etag);
    }
  });
});

describe('a bad server', () => {
  test('answers with another status', async (context) => {
    const { server, ask } = await world(context);
    const details: readonly (readonly [number, RegExp])[] = [
      [201, /answered 201$/],
      [206, /answered 206$/],
      [401, /answered 401: it must not ask who we are/],
      [404, /answered 404$/],
      [500, /answered 500$/],
    ];
    for (const [status, why] of details) {
      server.status('/bundle', status);
      assert.match(detailOf(await ask('/bundle')), why);
    }
  });

  test('asks for patience, and is given ten minutes at most', async (context) => {
    const { server, ask } = await world(context);
    const after = async (value: string): Promise<unknown> => {
      server.status('/bundle', 503, { 'retry-after': value });
      const fetched = await ask('/bundle');
      return fetched.kind === 'failed' ? fetched.retryAfterMs : 'answered';
    };
    assert.equal(await after('7'), 7_000);
    assert.equal(await after('999999999'), 600_000);
    for (const odd of ['-1', 'soon', '99999999999999', '']) assert.equal(await after(odd), undefined, odd);
  });

  test('compresses, which was not asked for', async (context) => {
    const { server, ask } = await world(context);
    server.offer('/bundle', gzipSync(Buffer.alloc(50_000_000)), { 'content-encoding': 'gzip' });
    assert.match(detailOf(await ask('/bundle')), /is compressed/);
  });

  test('sends without end, or announces more than is taken', async (context) => {
    const { server, ask } = await world(context);
    server.answers.set('/bundle', (_, response) => {
      const pour = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.writeHead(200).on('drain', pour);
      pour();
    });
    assert.match(detailOf(await ask('/bundle')), /larger than 1048576 bytes/);
    server.answers.set(
      '/bundle',
      (_, response) => void response.writeHead(200, { 'content-length': '9999999' }).write('x'),
    );
    assert.match(detailOf(await ask('/bundle')), /larger than 1048576 bytes/);
    server.offer('/bundle', Buffer.alloc(1_048_576));
    assert.equal(textOf(await ask('/bundle')).length, 1_048_576, 'as much as is allowed');
  });

  test('sends a head without end', async (context) => {
    const { server, ask } = await world(context);
    server.offer('/bundle', 'content', { 'x-long': 'a'.repeat(20_000) });
    assert.match(detailOf(await ask('/bundle')), /head of the answer is too large/);
  });

  test('cuts the connection', async (context) => {
    const { server, ask } = await world(context);
    server.answers.set('/bundle', (request) => void request.socket.destroy());
    assert.match(detailOf(await ask('/bundle')), /cut/);
    server.answers.set('/bundle', (request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half', () => request.socket.destroy());
    });
    assert.match(detailOf(await ask('/bundle')), /cut/);
  });

  test('is silent, also after a redirect: one deadline for all', async (context) => {
    const { server, ask, clock } = await world(context);
    server.status('/bundle', 307, { location: '/silent' });
    server.answers.set('/silent', () => undefined);
    const asked = ask('/bundle');
    await until('the second request', () => server.received.length === 2);
    assert.deepEqual(clock.set(), [TIMEOUT]);
    await clock.fire(TIMEOUT);
    assert.match(detailOf(await asked), /no whole answer within 60000 ms/);
    assert.deepEqual(clock.set(), []);
  });

  test('is not there', async (context) => {
    const { fetcher } = await world(context);
    const fetched = await fetcher({ kind: 'revocation-list', url: 'http://127.0.0.1:1/list?secret=1' }).fetch(
      undefined,
    );
    assert.equal(detailOf(fetched), 'http://127.0.0.1:1/list: nothing listens there (connection refused)');
  });
});

test('a question that is under way ends with stop', async (context) => {
  const { server, trustBundle, fetcher, clock } = await world(context);
  server.answers.set('/bundle', () => undefined);
  const one = fetcher({ kind: 'https_web', url: server.url('/bundle'), trustBundle });
  const asked = one.fetch(undefined);
  await until('the request', () => server.received.length === 1);
  one.stop();
  assert.match(detailOf(await asked), /: stopped$/);
  assert.match(detailOf(await one.fetch(undefined)), /: stopped$/);
  assert.deepEqual(clock.set(), []);
});

test('an address that is none is refused without a look at the world', async (context) => {
  const { fetcher } = await world(context);
  for (const url of ['ftp://example.org/list', 'nonsense', 'https://user@example.org/', 'unix:/run/x']) {
    const fetched = await fetcher({ kind: 'revocation-list', url }).fetch(undefined);
    assert.match(detailOf(fetched), /^the address of a revocation-list /, url);
  }
});
