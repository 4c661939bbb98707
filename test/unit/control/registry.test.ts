import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { parseOciReference } from '../../../src/core/kernel/oci-reference.ts';
import { MAX_MANIFEST_BYTES } from '../../../src/io/control/oci-manifest.ts';
import { createRegistryBundleServer } from '../../../src/io/control/registry.ts';
import { readBounded } from '../../../src/io/sources/read-file.ts';
import { systemTimer } from '../../../src/io/sources/timer.ts';
import {
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  ScriptedRegistry,
  someArchive,
  startRegistry,
} from '../../support/scripted-registry.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { ServerAccess } from '../../../src/core/config/targets.ts';
import type { BundleAnswer, BundleServer } from '../../../src/io/control/bundle-server.ts';

const ARCHIVE_BYTES = 4_096;
const ASK = { etag: undefined, delta: false, waitMs: undefined };
const NOW = Date.parse('2026-01-01T00:00:00Z');
const LOGIN = 'agent:pass word:1';
const BASIC = `Basic ${Buffer.from(LOGIN).toString('base64')}`;

type World = {
  readonly registry: ScriptedRegistry;
  /** Of another host, with a certificate of the same authority. */
  readonly other: ScriptedRegistry;
  readonly bundles: BundleServer;
  readonly fetch: (etag?: string) => Promise<BundleAnswer>;
  /** What is said of a download that has to fail, without the reference at its front. */
  readonly failure: (etag?: string) => Promise<string>;
};

async function world(context: TestContext, access: Partial<ServerAccess> = {}, suffix = ':1'): Promise<World> {
  const registry = await startRegistry(context);
  const other = await startRegistry(context, { authority: registry.authority });
  const trustBundle = join(await tempFolder(context), 'ca.pem');
  await writeFile(trustBundle, registry.authority.bundlePem);
  return { registry, other, ...client(context, registry, { trustBundle, ...access }, suffix) };
}

function client(
  context: TestContext,
  registry: ScriptedRegistry,
  access: Partial<ServerAccess>,
  suffix: string,
): Pick<World, 'bundles' | 'fetch' | 'failure'> {
  const text = registry.reference(suffix);
  const image = parseOciReference(text);
  assert.ok(image);
  const deps = { readFile: readBounded, timer: systemTimer, wallMs: () => NOW };
  const bundles = createRegistryBundleServer(image, { timeout: 20_000, ...access }, ARCHIVE_BYTES, deps);
  context.after(() => bundles.stop());
  const fetch = (etag?: string): Promise<BundleAnswer> => bundles.fetch({ ...ASK, etag });
  const failure = async (etag?: string): Promise<string> => {
    const answer = await fetch(etag);
    assert.ok(answer.kind === 'failed', JSON.stringify(answer));
    assert.ok(answer.detail.startsWith(`${text}: `), answer.detail);
    assert.ok(!answer.detail.includes('pass word') && !answer.detail.includes('token-1'));
    return answer.detail.slice(text.length + 2);
  };
  return { bundles, fetch, failure };
}

describe('OCI Distribution Specification 1.1, "Pull": a bundle by tag or digest', () => {
  test('manifest, then its layer; the ETag is the digest of the manifest', async (context) => {
    const { registry, fetch } = await world(context);
    const bytes = someArchive('one');
    const { digest } = registry.push('1', bytes);
    assert.deepEqual(await fetch(), {
      kind: 'archive',
      bytes: new Uint8Array(bytes),
      etag: digest,
      longPolling: false,
    });
    assert.match(registry.asked.join(' '), /^GET manifests\/1 GET blobs\/sha256:[0-9a-f]{64}$/);
    const accept = String(registry.received[0]?.headers.accept);
    for (const type of [OCI_MANIFEST, OCI_INDEX, 'application/vnd.docker.distribution.manifest.v2+json'])
      assert.ok(accept.split(', ').includes(type), accept);
    assert.equal(registry.received[0]?.headers.authorization, undefined);
  });

  test('unchanged: a HEAD and no more; a tag that moved: the new one', async (context) => {
    const { registry, fetch } = await world(context);
    const { digest } = registry.push('1', someArchive('one'));
    assert.deepEqual(await fetch(digest), { kind: 'unchanged', etag: digest, longPolling: false });
    assert.deepEqual(registry.asked, ['HEAD manifests/1']);
    const moved = registry.push('1', someArchive('two'));
    const answer = await fetch(digest);
    assert.ok(answer.kind === 'archive');
    assert.equal(answer.etag, moved.digest);
    assert.deepEqual(answer.bytes, new Uint8Array(someArchive('two')));
  });

  test('a registry that does not answer HEAD, or without the digest: the manifest is asked for', async (context) => {
    const { registry, fetch } = await world(context);
    const { digest } = registry.push('1', someArchive('one'));
    for (const status of [405, 200]) {
      let heads = 0;
      registry.scripts.set(registry.path('manifests', '1'), (request, response) => {
        registry.scripts.clear();
        heads += request.method === 'HEAD' ? 1 : 0;
        response.writeHead(status).end();
      });
      // oxlint-disable-next-line no-await-in-loop -- one registry
      const answer = await fetch(digest);
      assert.deepEqual([answer.kind, heads], ['archive', 1]);
    }
  });

  test('by digest: the tag does not count', async (context) => {
    const pushed = new ScriptedRegistry().push('1', someArchive('one'));
    const { registry, fetch } = await world(context, {}, `:2@${pushed.digest}`);
    registry.push('1', someArchive('one'));
    registry.push('2', someArchive('two'));
    const answer = await fetch();
    assert.ok(answer.kind === 'archive');
    assert.equal(answer.etag, pushed.digest);
    assert.equal(registry.asked[0], `GET manifests/${pushed.digest}`);
  });

  test('an index with one image: its digest is the ETag', async (context) => {
    const { registry, fetch } = await world(context);
    const manifest = registry.push('x', someArchive('one'));
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [manifest] };
    const { digest } = registry.tag('1', index, OCI_INDEX);
    const answer = await fetch();
    assert.ok(answer.kind === 'archive');
    assert.equal(answer.etag, digest);
    assert.equal((await fetch(digest)).kind, 'unchanged');
  });

  test('plain HTTP on loopback, where no TLS is configured', async (context) => {
    const registry = await startRegistry(context, { plain: true });
    registry.push('1', someArchive('one'));
    registry.guard = { kind: 'bearer', login: LOGIN };
    const { fetch } = client(context, registry, { token: LOGIN }, ':1');
    assert.equal((await fetch()).kind, 'archive');
  });
});

describe('content counts only where it has the digest and the size that led to it', () => {
  test('a manifest other than the digest asked for', async (context) => {
    const pushed = new ScriptedRegistry().push('1', someArchive('one'));
    const { registry, failure } = await world(context, {}, `@${pushed.digest}`);
    registry.push('1', someArchive('two'));
    registry.scripts.set(registry.path('manifests', pushed.digest), (_request, response) => {
      const document = registry.manifest([registry.put(someArchive('two'), OCI_LAYER)]);
      response
        .writeHead(200, { 'content-type': OCI_MANIFEST, 'docker-content-digest': pushed.digest })
        .end(JSON.stringify(document));
    });
    assert.match(await failure(), /^the manifest has another digest than the one asked for/);
    assert.ok(!registry.asked.some((one) => one.includes('blobs')));
  });

  test('a blob of the same size with other bytes, a shorter one, a longer one, one without end', async (context) => {
    const { registry, failure } = await world(context);
    const bytes = someArchive('one');
    const layer = registry.put(bytes, OCI_LAYER);
    registry.push('1', bytes);
    const blob = (write: (response: { end(bytes?: Uint8Array): unknown; write(bytes: Uint8Array): boolean }) => void) =>
      registry.scripts.set(registry.path('blobs', layer.digest), (_request, response) => write(response));
    const changed = bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
    blob((response) => response.end(changed));
    assert.match(await failure(), /^what came has another digest than the manifest says/);
    blob((response) => response.end(bytes.slice(1)));
    assert.match(await failure(), /has \d+ bytes, and not the \d+ that it says/);
    blob((response) => response.end(new Uint8Array([...bytes, 0])));
    assert.match(await failure(), /has \d+ bytes, and not the \d+ that it says/);
    blob((response) => {
      const pour = setInterval(() => response.write(new Uint8Array(65_536)), 1);
      context.after(() => clearInterval(pour));
    });
    assert.match(await failure(), /^the answer is larger than 65536 bytes/);
  });

  test('the manifest that an index leads to', async (context) => {
    const { registry, failure } = await world(context);
    const manifest = registry.push('x', someArchive('one'));
    registry.tag('1', { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [manifest] }, OCI_INDEX);
    registry.scripts.set(registry.path('manifests', manifest.digest), (_request, response) => {
      const document = JSON.stringify(registry.manifest([registry.put(someArchive('two'), OCI_LAYER)]));
      response.writeHead(200, { 'content-type': OCI_MANIFEST }).end(document);
    });
    assert.match(await failure(), /another digest than the manifest says/);
  });

  test('a bundle that is announced larger than bundles may be is not asked for', async (context) => {
    const { registry, failure } = await world(context);
    registry.push('1', new Uint8Array(ARCHIVE_BYTES + 1));
    assert.match(await failure(), /^the bundle is larger than 4096 bytes/);
    assert.deepEqual(registry.asked, ['GET manifests/1']);
  });

  test('a manifest without bounds', async (context) => {
    const { registry, failure } = await world(context);
    registry.tag('1', { ...registry.manifest([]), annotations: { a: 'x'.repeat(MAX_MANIFEST_BYTES) } }, OCI_MANIFEST);
    assert.match(await failure(), /^the answer is larger than 262144 bytes/);
  });

  test('two layers, another type, an index of two', async (context) => {
    const { registry, failure } = await world(context);
    const [one, two] = [registry.put(someArchive('one'), OCI_LAYER), registry.put(someArchive('two'), OCI_LAYER)];
    registry.tag('1', registry.manifest([one, two]), OCI_MANIFEST);
    assert.match(await failure(), /has 2 layers of type/);
    registry.tag(
      '1',
      registry.manifest([{ ...one, mediaType: 'application/vnd.oci.image.layer.v1.tar' }]),
      OCI_MANIFEST,
    );
    assert.match(await failure(), /has no layer of type/);
    const images = [registry.push('x', someArchive('x')), registry.push('y', someArchive('y'))];
    registry.tag('1', { schemaVersion: 2, mediaType: OCI_INDEX, manifests: images }, OCI_INDEX);
    assert.match(await failure(), /names 2 images/);
    const manifest = registry.tag('1', { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }, OCI_INDEX);
    const lying = { ...manifest, mediaType: OCI_MANIFEST };
    registry.tag('1', { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [lying] }, OCI_INDEX);
    assert.match(await failure(), /another media type than the registry|leads to another index/);
  });
});

describe('redirects lead to storage elsewhere, which is shown nothing of ours', () => {
  test('a blob at another host, and one more step there', async (context) => {
    const { registry, other, fetch } = await world(context, { token: LOGIN });
    registry.guard = { kind: 'basic', login: LOGIN };
    const bytes = someArchive('one');
    registry.push('1', bytes);
    const { digest } = registry.put(bytes, OCI_LAYER);
    registry.scripts.set(registry.path('blobs', digest), (_request, response) =>
      response.writeHead(307, { location: `${other.origin}/store?signature=secret` }).end(),
    );
    other.scripts.set('/store', (_request, response) => response.writeHead(302, { location: './kept' }).end());
    other.scripts.set('/kept', (_request, response) => response.end(bytes));
    assert.equal((await fetch()).kind, 'archive');
    assert.deepEqual(
      other.received.map(({ path, headers }) => [path, headers.authorization]),
      [
        ['/store?signature=secret', undefined],
        ['/kept', undefined],
      ],
    );
    assert.equal(registry.received.at(-1)?.headers.authorization, BASIC);
  });

  test('our certificate is shown to the registry, and to nobody that it sends us to', async (context) => {
    const folder = await tempFolder(context);
    const [certificate, privateKey] = [join(folder, 'client.pem'), join(folder, 'client.key')];
    const { registry, other, fetch } = await world(context, { certificate, privateKey });
    const issued = registry.authority.issue({ uris: [], dnsNames: ['client'], subject: 'client' });
    await writeFile(certificate, issued.chainPem);
    await writeFile(privateKey, issued.keyPem, { mode: 0o600 });
    const bytes = someArchive('one');
    registry.push('1', bytes);
    registry.scripts.set(registry.path('blobs', registry.put(bytes, OCI_LAYER).digest), (_request, response) =>
      response.writeHead(307, { location: `${other.origin}/store` }).end(),
    );
    other.scripts.set('/store', (_request, response) => response.end(bytes));
    assert.equal((await fetch()).kind, 'archive');
    assert.deepEqual(
      [...registry.received, ...other.received].map(({ certified }) => certified),
      [true, true, false],
    );
  });

  const REFUSED: readonly (readonly [title: string, location: string | undefined, said: RegExp])[] = [
    ['to plain HTTP', 'http://localhost:1/x', /^it redirects to a place that is not asked: only https:\/\/ is/],
    ['to a file', 'file:///etc/passwd', /not asked/],
    ['with credentials', 'https://user:secret@localhost:1/x', /not asked/],
    ['to nowhere', undefined, /^it redirects to nowhere/],
    ['to what is no URL', 'https://[', /^it redirects to nowhere/],
    ['in a circle', '?again', /^it redirects more than 5 times/],
  ];
  for (const [title, location, said] of REFUSED) {
    test(title, async (context) => {
      const { registry, failure } = await world(context);
      registry.scripts.set(registry.path('manifests', '1'), (_request, response) =>
        response.writeHead(307, location === undefined ? {} : { location }).end(),
      );
      assert.match(await failure(), said);
      assert.ok(registry.received.length <= 6);
    });
  }

  test('storage that asks for credentials is given none, wherever it sends for them', async (context) => {
    const { registry, other, failure } = await world(context, { token: LOGIN });
    registry.scripts.set(registry.path('manifests', '1'), (_request, response) =>
      response.writeHead(307, { location: `${other.origin}/store` }).end(),
    );
    other.scripts.set('/store', (_request, response) =>
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${other.origin}/token"` }).end(),
    );
    assert.match(await failure(), /^at localhost:\d+: answered 401$/);
    assert.deepEqual(other.asked, ['GET /store']);
  });
});

describe('Distribution, "Token Authentication": what a registry is shown', () => {
  test('nobody in particular: a token for pulling, whatever scope the challenge names; kept until it is no good', async (context) => {
    const { registry, fetch } = await world(context);
    registry.guard = { kind: 'bearer' };
    const { digest } = registry.push('1', someArchive('one'));
    assert.equal((await fetch()).kind, 'archive');
    const token = registry.received.find(({ path }) => path.startsWith('/token'));
    const query = new URL(token?.path ?? '', registry.origin).searchParams;
    assert.deepEqual(
      [...query],
      [
        ['service', 'registry.test'],
        ['scope', 'repository:team/policies:pull'],
      ],
    );
    assert.equal(token?.headers.authorization, undefined);
    assert.equal((await fetch(digest)).kind, 'unchanged');
    assert.equal(registry.received.length, 5);
    registry.token = 'token-2';
    assert.equal((await fetch(digest)).kind, 'unchanged');
    assert.equal(registry.received.at(-1)?.headers.authorization, 'Bearer token-2');
    assert.equal(registry.received.length, 8);
  });

  test('a login goes to the token service, at another host too, and its token to the registry', async (context) => {
    const { registry, other, fetch } = await world(context, { token: LOGIN });
    registry.guard = { kind: 'bearer' };
    registry.push('1', someArchive('one'));
    const challenge = `Bearer realm="${other.origin}/token?account=a",service="s"`;
    registry.scripts.set(registry.path('manifests', '1'), (request, response) => {
      if (request.headers.authorization !== undefined) registry.scripts.clear();
      response.writeHead(request.headers.authorization === undefined ? 401 : 307, {
        'www-authenticate': challenge,
        location: registry.path('manifests', '1'),
      });
      response.end();
    });
    other.guard = { kind: 'bearer', login: LOGIN };
    assert.equal((await fetch()).kind, 'archive');
    assert.deepEqual(
      other.received.map(({ path, headers }) => [path, headers.authorization]),
      [['/token?account=a&service=s&scope=repository%3Ateam%2Fpolicies%3Apull', BASIC]],
    );
    assert.ok(registry.received.every(({ headers }) => headers.authorization !== BASIC));
  });

  test('Basic: the login itself, once it was asked for', async (context) => {
    const { registry, fetch } = await world(context, { token: LOGIN });
    registry.guard = { kind: 'basic', login: LOGIN };
    registry.push('1', someArchive('one'));
    assert.equal((await fetch()).kind, 'archive');
    assert.deepEqual(
      registry.received.map(({ headers }) => headers.authorization),
      [undefined, BASIC, BASIC],
    );
  });

  test('a file is read anew: a new login is not shown by the token of the old one', async (context) => {
    const tokenFile = join(await tempFolder(context), 'login');
    await writeFile(tokenFile, `${LOGIN}\n`, { mode: 0o600 });
    const { registry, fetch, failure } = await world(context, { tokenFile });
    registry.guard = { kind: 'basic', login: LOGIN };
    registry.push('1', someArchive('one'));
    assert.equal((await fetch()).kind, 'archive');
    await writeFile(tokenFile, 'agent:new');
    assert.match(await failure(), /^answered 401: it does not let us in/);
    await writeFile(tokenFile, 'neither one nor the other');
    assert.match(await failure(), /holds neither a bearer token \(RFC 6750 2\.1\) nor USER:PASSWORD$/);
  });

  test('a bearer token that is configured is shown as it is, and no other is asked for', async (context) => {
    const { registry, fetch, failure } = await world(context, { token: 'abc' });
    registry.push('1', someArchive('one'));
    registry.guard = { kind: 'bearer' };
    registry.token = 'abc';
    assert.equal((await fetch()).kind, 'archive');
    registry.token = 'another';
    assert.match(await failure(), /^answered 401: it does not let us in, or has no such repository; see token/);
    assert.ok(registry.asked.every((one) => !one.includes('token')));
  });

  const REALMS: readonly (readonly [title: string, challenge: string | undefined, said: RegExp])[] = [
    ['no challenge', undefined, /^answered 401, and does not say how/],
    ['another scheme', 'Negotiate', /^answered 401, and does not say how/],
    ['a token service over plain HTTP', 'Bearer realm="http://localhost:1/token"', /token service that is not asked/],
    ['one with credentials', 'Bearer realm="https://a:b@localhost:1/token"', /token service that is not asked/],
    ['one that is no URL', 'Bearer realm="/token"', /token service that is not asked/],
    ['nobody there', 'Bearer realm="https://localhost:1/token"', /token service localhost:1: nothing listens there/],
  ];
  for (const [title, challenge, said] of REALMS) {
    test(title, async (context) => {
      const { registry, failure } = await world(context, { token: LOGIN });
      registry.scripts.set(registry.path('manifests', '1'), (_request, response) =>
        response.writeHead(401, challenge === undefined ? {} : { 'www-authenticate': challenge }).end(),
      );
      assert.match(await failure(), said);
      assert.ok(registry.received.every(({ headers }) => headers.authorization === undefined));
    });
  }

  test('a token service that refuses, fails, or gives what is no token; no second round', async (context) => {
    const { registry, fetch, failure } = await world(context, { token: LOGIN });
    registry.guard = { kind: 'bearer', login: 'another:one' };
    registry.push('1', someArchive('one'));
    assert.match(await failure(), /^its token service localhost:\d+ answered 401: it does not let us in; see token/);
    const answer = (status: number, text: string, headers = {}): void =>
      void registry.scripts.set('/token', (_request, response) => response.writeHead(status, headers).end(text));
    answer(429, '', { 'retry-after': '7' });
    const busy = await fetch();
    assert.ok(busy.kind === 'failed');
    assert.deepEqual([busy.httpCode, busy.retryAfterMs], [undefined, 7_000]);
    for (const text of ['', '{}', '[]', '{"token": 1}', '{"token": "a\\nb"}', `{"token": "${'x'.repeat(13_000)}"}`]) {
      answer(200, text);
      // oxlint-disable-next-line no-await-in-loop -- one registry
      assert.match(await failure(), /answered without a token$/, text);
    }
    answer(200, ' '.repeat(65_537));
    assert.match(await failure(), /token service localhost:\d+: the answer is larger than 65536 bytes/);
    answer(200, '{"access_token": "useless"}');
    const before = registry.received.length;
    assert.match(await failure(), /^answered 401: it does not let us in/);
    assert.equal(registry.received.length, before + 3);
  });
});

describe('what a registry answers', () => {
  test('404 of the tag tells that there is none; 404 of its content is no such thing', async (context) => {
    const { registry, fetch, failure } = await world(context);
    const absent = await fetch();
    assert.ok(absent.kind === 'failed');
    assert.equal(absent.httpCode, 404);
    assert.match(absent.detail, /: answered 404: it has no such tag or digest$/);
    const { digest } = registry.push('1', someArchive('one'));
    registry.untag('1');
    const gone = await fetch(digest);
    assert.ok(gone.kind === 'failed');
    assert.equal(gone.httpCode, 404);
    const missing = { mediaType: OCI_LAYER, digest: `sha256:${'0'.repeat(64)}`, size: 7 };
    registry.tag('1', registry.manifest([missing]), OCI_MANIFEST);
    assert.match(await failure(), /^answered 404: it has no such blob$/);
    const half = await fetch();
    assert.ok(half.kind === 'failed');
    assert.equal(half.httpCode, undefined);
  });

  test('429 with Retry-After (RFC 9110 10.2.3), of HEAD too: it is not asked more', async (context) => {
    const { registry, fetch } = await world(context);
    registry.scripts.set(registry.path('manifests', '1'), (_request, response) =>
      response.writeHead(429, { 'retry-after': '30' }).end(),
    );
    for (const etag of [undefined, `sha256:${'0'.repeat(64)}`]) {
      // oxlint-disable-next-line no-await-in-loop -- one registry
      const answer = await fetch(etag);
      assert.ok(answer.kind === 'failed');
      assert.deepEqual([answer.httpCode, answer.retryAfterMs], [429, 30_000]);
      assert.match(answer.detail, /wants to be asked less often; see minDelay and maxDelay/);
    }
    assert.deepEqual(registry.asked, ['GET manifests/1', 'HEAD manifests/1']);
  });

  for (const [status, said] of [
    [403, /^answered 403: it does not let us in, or has no such repository/],
    [500, /^answered 500$/],
    [204, /^answered 204$/],
    [304, /^answered 304$/],
  ] as const) {
    test(`${status}`, async (context) => {
      const { registry, failure } = await world(context);
      registry.scripts.set(registry.path('manifests', '1'), (_request, response) => response.writeHead(status).end());
      assert.match(await failure(), said);
    });
  }

  test('an authority that we do not believe', async (context) => {
    const { registry } = await world(context);
    const other = await tempFolder(context);
    const trustBundle = join(other, 'ca.pem');
    await writeFile(trustBundle, new ScriptedRegistry().authority.bundlePem);
    const { failure } = client(context, registry, { trustBundle }, ':1');
    assert.match(await failure(), /no authority that we believe; see trustBundle/);
  });

  test('silence: the time of one request; a stop ends it at once', async (context) => {
    const { registry, failure } = await world(context, { timeout: 100 });
    registry.scripts.set(registry.path('manifests', '1'), () => undefined);
    assert.match(await failure(), /^no whole answer within 100 ms/);
    const patient = await world(context);
    patient.registry.scripts.set(patient.registry.path('manifests', '1'), () => void patient.bundles.stop());
    assert.match(await patient.failure(), /^stopped$/);
    assert.match(await patient.failure(), /^stopped$/);
    assert.equal(patient.registry.received.length, 1);
  });
});
