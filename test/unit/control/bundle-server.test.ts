import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { createBundleServer, type BundleServer } from '../../../src/io/control/bundle-server.ts';
import { readBounded } from '../../../src/io/sources/read-file.ts';
import { systemTimer } from '../../../src/io/sources/timer.ts';
import { startControlServer, type ControlFault, type ControlServer } from '../../support/control-server.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

const PATH = '/bundles/b';
const PLAIN = { etag: undefined, delta: false, waitMs: undefined };
const NOW = Date.parse('2026-01-01T00:00:00Z');

async function world(context: TestContext): Promise<{ server: ControlServer; bundles: BundleServer; where: string }> {
  const server = await startControlServer(context);
  const trustBundle = join(await tempFolder(context), 'ca.pem');
  await writeFile(trustBundle, server.trustPem);
  const bundles = createBundleServer({ url: `${server.url(PATH)}?sig=secret`, trustBundle, timeout: 30_000 }, 4_096, {
    readFile: readBounded,
    timer: systemTimer,
    wallMs: () => NOW,
  });
  context.after(() => bundles.stop());
  return { server, bundles, where: server.url(PATH) };
}

test('OPA bundle service: 200 with ETag, then 304 to If-None-Match', async (context) => {
  const { server, bundles } = await world(context);
  server.offer(Buffer.from('archive'), '"one"');
  assert.deepEqual(await bundles.fetch(PLAIN), {
    kind: 'archive',
    bytes: new TextEncoder().encode('archive'),
    etag: '"one"',
    longPolling: false,
  });
  assert.deepEqual(await bundles.fetch({ ...PLAIN, etag: '"one"', delta: true }), {
    kind: 'unchanged',
    etag: '"one"',
    longPolling: false,
  });
  const [first, second] = server.received;
  assert.deepEqual([first?.headers['prefer'], first?.headers['if-none-match']], ['modes=snapshot', undefined]);
  assert.deepEqual([second?.headers['prefer'], second?.headers['if-none-match']], ['modes=snapshot,delta', '"one"']);
});

test('OPA bundle service: a server that holds requests is recognised by its type, and asked with wait', async (context) => {
  const { server, bundles } = await world(context);
  server.longPolling = true;
  server.offer(Buffer.from('1'), '"1"');
  const first = await bundles.fetch(PLAIN);
  assert.ok(first.kind === 'archive' && first.longPolling);
  const held = bundles.fetch({ etag: '"1"', delta: true, waitMs: 20_001 });
  await until('a request that is held', () => server.held === 1);
  assert.equal(server.received.at(-1)?.headers['prefer'], 'modes=snapshot,delta;wait=21');
  server.offer(Buffer.from('2'), '"2"');
  const second = await held;
  assert.ok(second.kind === 'archive' && second.etag === '"2"');
});

describe('an answer that is no bundle fails with its reason, and without the query of the URL', () => {
  const cases: readonly (readonly [ControlFault, number | undefined, RegExp])[] = [
    [{ kind: 'status', status: 500 }, 500, /: answered 500$/],
    [{ kind: 'status', status: 404 }, 404, /it has no such bundle/],
    [{ kind: 'status', status: 401 }, 401, /does not let us in; see token/],
    [{ kind: 'status', status: 403 }, 403, /does not let us in/],
    [{ kind: 'status', status: 204 }, 204, /: answered 204$/],
    [{ kind: 'redirect', to: 'https://localhost/x' }, 307, /redirects are not followed; give the URL it leads to/],
    [{ kind: 'page' }, 200, /answered with a text, not with a bundle/],
    [{ kind: 'status', status: 200, headers: { 'content-type': 'application/problem+json' } }, 200, /with a text/],
    [{ kind: 'endless' }, undefined, /larger than 4096 bytes/],
    [{ kind: 'truncated' }, undefined, /the connection was cut/],
    [{ kind: 'reset' }, undefined, /the connection was cut/],
  ];
  for (const [fault, httpCode, reason] of cases) {
    test(JSON.stringify(fault), async (context) => {
      const { server, bundles, where } = await world(context);
      server.faults.set(PATH, fault);
      const answer = await bundles.fetch(PLAIN);
      assert.ok(answer.kind === 'failed');
      assert.ok(answer.detail.startsWith(`${where}: `), answer.detail);
      assert.match(answer.detail, reason);
      assert.ok(!answer.detail.includes('secret'));
      assert.equal(answer.httpCode, httpCode);
    });
  }
});

test('RFC 9110 10.2.3: Retry-After is told, in seconds or as a date', async (context) => {
  const { server, bundles } = await world(context);
  for (const [field, ms] of [
    ['7', 7_000],
    ['Thu, 01 Jan 2026 00:00:09 GMT', 9_000],
    ['99999', 600_000],
    ['soon', undefined],
  ] as const) {
    server.faults.set(PATH, { kind: 'status', status: 503, headers: { 'retry-after': field } });
    const answer = await bundles.fetch(PLAIN);
    assert.ok(answer.kind === 'failed');
    assert.equal(answer.retryAfterMs, ms);
  }
});

test('RFC 9110 8.8.3: an ETag that could not be sent back is none', async (context) => {
  const { server, bundles } = await world(context);
  for (const [etag, expected] of [
    ['W/"a"', 'W/"a"'],
    ['"a b"', undefined],
    [`"${'x'.repeat(2_000)}"`, undefined],
  ] as const) {
    server.offer(Buffer.from('x'), etag);
    const answer = await bundles.fetch(PLAIN);
    assert.ok(answer.kind === 'archive');
    assert.equal(answer.etag, expected);
  }
});
